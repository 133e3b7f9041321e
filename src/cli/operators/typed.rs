//! Secrets that are typed, without showing them; or lines of stdin where nobody types. Layer `cli`. Keeps I12.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Context, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

use crate::cli::output::tell;

/// Shows what is typed again when it is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let shown = tcgetattr(io::stdin())?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        tell("\n");
    }
}

/// Asks for a secret.
pub(super) fn secret(question: &str) -> anyhow::Result<SecretString> {
    let is_typed = io::stdin().is_terminal();
    if is_typed {
        tell(&format!("{question}: "));
    }
    let _hidden = is_typed.then(Hidden::begin).transpose().context("the terminal cannot hide what is typed")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("stdin cannot be read")?;
    let secret = line.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        bail!("nothing was typed; a password also comes as a line of stdin");
    }
    Ok(SecretString::from(secret))
}

/// Asks for a new secret, twice where somebody types.
pub(super) fn new_secret(question: &str) -> anyhow::Result<SecretString> {
    let once = secret(question)?;
    if io::stdin().is_terminal() && secret("once more")?.expose_secret() != once.expose_secret() {
        bail!("the two differ");
    }
    Ok(once)
}
