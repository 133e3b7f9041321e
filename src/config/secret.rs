//! Reads references to tokens and keys, and resolves them. Part of `config`.
//!
//! The manifest holds references only. The secrets behind them are kept as `SecretString`, which shows its value in no
//! `Debug` output; messages of this file never repeat a value that may be a secret (I12).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

/// A source of secrets.
pub trait SecretSource {
    /// Returns the value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// Reads the text of a file, and whether others than its owner may read it.
    fn file(&self, path: &Path) -> std::io::Result<SecretFile>;

    /// Reads a field of a secret in a vault, whose path begins with the mount.
    ///
    /// # Errors
    /// The reason why there is none, without its value.
    fn vault(&self, _path: &str, _field: &str) -> Result<String, String> {
        Err("no vault is set: see secrets.vault.address".to_owned())
    }
}

/// A file that holds a secret.
pub struct SecretFile {
    /// The file's text.
    pub text: String,
    /// Set when the file's group or everybody may read it.
    pub open_to_others: bool,
}

/// The process's environment and file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessSecrets;

impl SecretSource for ProcessSecrets {
    #[allow(clippy::disallowed_methods, reason = "the one place where a secret is read from the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> std::io::Result<SecretFile> {
        let text = std::fs::read_to_string(path)?;
        Ok(SecretFile { text, open_to_others: open_to_others(path)? })
    }
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> std::io::Result<bool> {
    Ok(false)
}

/// Secrets by variable name, without files: the demo's, for its own simulated world.
#[derive(Clone, Default)]
pub struct GivenSecrets(pub BTreeMap<String, String>);

impl SecretSource for GivenSecrets {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn file(&self, _: &Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// A reference to a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretRef {
    Variable(String),
    File(PathBuf),
    Vault { path: String, field: String },
}

/// A secret, with a warning if other users can read its file.
pub(super) struct Resolved {
    pub secret: SecretString,
    pub warning: Option<String>,
}

impl SecretRef {
    /// Reads a reference; relative paths start at `folder`. The error tells the fault and the remedy, not the value.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, (&'static str, &'static str)> {
        const REMEDY: &str = "write \"env:NAME\", \"file:PATH\" or \"vault:MOUNT/PATH#FIELD\"";
        if looks_like_token(text) || text.split_once(':').is_some_and(|(_, rest)| looks_like_token(rest)) {
            return Err((
                "a token stands here in clear",
                "put it in a file or variable, revoke it with @BotFather and refer to the new one",
            ));
        }
        if text.split_once(':').is_some_and(|(_, name)| looks_like_key(name)) {
            return Err((
                "a key stands here in clear",
                "put it in a file or variable, replace it where it was issued and refer to the new one",
            ));
        }
        match text.split_once(':') {
            Some(("env", name)) if is_variable_name(name) => Ok(Self::Variable(name.to_owned())),
            Some(("env", _)) => {
                Err(("names no environment variable", "letters, digits and _ only, as in env:ADA_TOKEN"))
            }
            Some(("file", "")) => Err(("names no file", REMEDY)),
            Some(("file", path)) => Ok(Self::File(folder.join(path))),
            Some(("vault", _)) => {
                let place = vault_place(text).map(|(path, field)| Self::Vault { path, field });
                place.ok_or(("names no field of a secret", "write it as vault:MOUNT/PATH#FIELD"))
            }
            _ if text.is_empty() => Err(("is empty", REMEDY)),
            _ => Err((
                "is no reference; if a secret stands here in clear, count it as known to others",
                "write \"env:NAME\" or \"file:PATH\", and replace the secret where it was issued",
            )),
        }
    }

    /// Resolves the reference, and takes off what people put around a secret.
    pub(super) fn resolve(&self, secrets: &dyn SecretSource) -> Result<Resolved, (String, String)> {
        let (text, warning) = match self {
            Self::Vault { path, field } => {
                let text = secrets.vault(path, field).map_err(|what| {
                    (what, "see that the vault answers and holds it: secrets.vault in the settings".to_owned())
                })?;
                (text, None)
            }
            Self::Variable(name) => {
                let text = secrets.variable(name).ok_or_else(|| {
                    (format!("the environment variable {name} is not set"), format!("export {name} before the start"))
                })?;
                (text, None)
            }
            Self::File(path) => {
                let file = secrets.file(path).map_err(|error| {
                    let what = format!("the file {} cannot be read: {error}", path.display());
                    let remedy = match error.kind() {
                        std::io::ErrorKind::InvalidData => "save it as plain text in UTF-8",
                        _ => "create it, readable by the user that botfleet runs as",
                    };
                    (what, remedy.to_owned())
                })?;
                let warning = file
                    .open_to_others
                    .then(|| format!("the file {} can be read by other users; chmod 600 it", path.display()));
                (file.text, warning)
            }
        };
        let secret =
            bare_secret(&text).map_err(|(what, remedy)| (format!("{} {what}", self.place()), remedy.to_owned()))?;
        Ok(Resolved { secret: SecretString::from(secret.to_owned()), warning })
    }

    /// Describes the place that the reference leads to.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Variable(name) => format!("the environment variable {name}"),
            Self::File(path) => format!("the file {}", path.display()),
            Self::Vault { path, field } => format!("the secret {path}#{field} of the vault"),
        }
    }
}

/// Returns the path and the field that a reference to a vault names; `None` for another reference.
pub fn vault_place(reference: &str) -> Option<(String, String)> {
    let (path, field) = reference.strip_prefix("vault:")?.split_once('#')?;
    let plain = |part: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !part.is_empty() && !matches!(part, "." | "..") && part.bytes().all(letter)
    };
    let fits = path.contains('/') && path.split('/').all(plain) && plain(field);
    fits.then(|| (path.to_owned(), field.to_owned()))
}

/// Returns the secret within the text of a file or variable: without a byte order mark, blanks, quotation marks, the
/// name of a variable and the scheme of a header. The error tells the fault and the remedy, not the value.
fn bare_secret(text: &str) -> Result<&str, (&'static str, &'static str)> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().ok_or(("is empty", "put the secret there"))?;
    if lines.next().is_some() {
        return Err(("holds more than one line", "leave the line with the secret alone"));
    }
    let secret = without_scheme(unquoted(without_name(unquoted(line))));
    if secret.is_empty() {
        return Err(("is empty but for what stands around a secret", "put the secret there"));
    }
    if secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(("holds a blank within the secret", "leave the secret alone there, without words around it"));
    }
    Ok(secret)
}

/// Returns the value of `NAME=value`, as in files for a shell. A secret may hold an = itself, so a name counts only if
/// it is written as names of variables are.
fn without_name(line: &str) -> &str {
    let bare = line.strip_prefix("export ").map_or(line, str::trim_start);
    let Some((name, value)) = bare.split_once('=') else { return line };
    let name = name.trim_end();
    let is_name = is_variable_name(name) && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    if is_name && !value.trim_matches('=').is_empty() { value.trim_start() } else { line }
}

fn unquoted(text: &str) -> &str {
    let quoted = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];
    let inner = quoted.into_iter().find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close));
    inner.unwrap_or(text).trim()
}

/// Returns the key after `Bearer `, perhaps with the header's name before that.
fn without_scheme(text: &str) -> &str {
    ["authorization:", "bearer "].into_iter().fold(text, |text, word| match text.get(..word.len()) {
        Some(head) if head.eq_ignore_ascii_case(word) => text[word.len()..].trim_start(),
        _ => text,
    })
}

/// Reads a bot's token from its file again. Returns `None` when the token does not come from a file, the file cannot be
/// read, or the file holds no token of the bot with that Telegram id.
pub fn token_again(credential: &str, folder: &Path, bot: i64) -> Option<SecretString> {
    let reference = SecretRef::parse(credential, folder).ok()?;
    if !matches!(reference, SecretRef::File(_)) {
        return None;
    }
    let secret = reference.resolve(&ProcessSecrets).ok()?.secret;
    (token_id(secret.expose_secret()) == Some(bot)).then_some(secret)
}

/// Reads the token that a reference leads to now.
///
/// # Errors
/// The reason why there is no token of the bot with that Telegram id, without the value found.
pub fn token_of(credential: &str, folder: &Path, bot: i64, secrets: &dyn SecretSource) -> Result<SecretString, String> {
    let reference = SecretRef::parse(credential, folder).map_err(|(what, _)| what.to_owned())?;
    let secret = reference.resolve(secrets).map_err(|(what, _)| what)?.secret;
    match token_id(secret.expose_secret()) {
        Some(id) if id == bot => Ok(secret),
        Some(_) => Err(format!("{} holds the token of another bot", reference.place())),
        None => Err(format!("{} holds no token", reference.place())),
    }
}

/// Returns the bot's id, if the text has the form of a token: digits, a colon, and at least 35 of `A-Za-z0-9_-`.
///
/// # Source
/// Bot API, "Authorizing your bot".
pub fn token_id(text: &str) -> Option<i64> {
    let (id, key) = text.split_once(':')?;
    let key_fits = key.len() >= 35 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let id_fits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    if key_fits && id_fits { id.parse().ok().filter(|id| *id > 0) } else { None }
}

/// Returns whether a text may be a token or a part of one: laxer than [`token_id`], to keep every such text out of
/// messages.
fn looks_like_token(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(id, key)| id.len() >= 5 && id.bytes().all(|b| b.is_ascii_digit()) && key.len() >= 8)
}

/// Returns whether a name may be a provider's key: it begins as keys do, or mixes letters and digits as no name does.
fn looks_like_key(name: &str) -> bool {
    const BEGINNINGS: [&str; 9] = ["sk-", "sk_", "gsk_", "AIza", "xai-", "hf_", "r8_", "pplx-", "nvapi-"];
    const BEGINNING_BYTES_MIN: usize = 16;
    const MIXED_BYTES_MIN: usize = 30;
    let begins = BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    let has = |is: fn(&u8) -> bool| name.bytes().any(|byte| is(&byte));
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    let is_path = name.contains(['/', '.']);
    !is_path && ((begins && name.len() >= BEGINNING_BYTES_MIN) || (mixed && name.len() >= MIXED_BYTES_MIN))
}

fn is_variable_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";

    #[test]
    fn a_pasted_token_is_refused_with_and_without_a_prefix() {
        for text in [TOKEN.to_owned(), format!("env:{TOKEN}"), format!("file:{TOKEN}")] {
            let refused = SecretRef::parse(&text, Path::new(""));
            assert!(refused.is_err_and(|(what, _)| what.contains("in clear")), "{text}");
        }
    }

    #[test]
    fn references_lead_to_variables_and_files() {
        let variable = SecretRef::parse("env:ADA_TOKEN", Path::new("/etc"));
        assert_eq!(variable, Ok(SecretRef::Variable("ADA_TOKEN".into())));
        let file = SecretRef::parse("file:secrets/ada", Path::new("/etc"));
        assert_eq!(file, Ok(SecretRef::File("/etc/secrets/ada".into())));
        assert_eq!(SecretRef::parse("file:/run/ada", Path::new("/etc")), Ok(SecretRef::File("/run/ada".into())));
        let vault = SecretRef::parse("vault:kv/bots/ada#token", Path::new("/etc"));
        assert_eq!(vault, Ok(SecretRef::Vault { path: "kv/bots/ada".into(), field: "token".into() }));
        for text in [
            "",
            "ADA_TOKEN",
            "env:",
            "env:A-B",
            "env:1A",
            "file:",
            "vault:x",
            "vault:x#y",
            "vault:kv/a",
            "vault:kv/../a#b",
            "vault:/a#b",
            "vault:kv/a#",
        ] {
            assert!(SecretRef::parse(text, Path::new("")).is_err(), "{text}");
        }
    }

    #[test]
    fn what_stands_around_a_secret_is_taken_off_where_that_is_plain() {
        for text in [
            "sk-1\n",
            "\u{feff}sk-1\r\n",
            "\n  sk-1 \n\n",
            "\"sk-1\"",
            "'sk-1'",
            "Bearer sk-1",
            "Authorization: bearer sk-1",
            "OPENAI_API_KEY=sk-1",
            "export KEY=\"sk-1\"",
            "KEY='Bearer sk-1'",
            "\"KEY=sk-1\"",
        ] {
            assert_eq!(bare_secret(text), Ok("sk-1"), "{text:?}");
        }
        for text in ["abc=def", "ABC==", "postgres://u:p=w@h/d", TOKEN] {
            assert_eq!(bare_secret(text), Ok(text), "{text:?}");
        }
        for text in ["", "\u{feff}\n", "a\nb", "# mine\nsk-1", "my key is sk-1", "\"\"", "sk-1 sk-2", "KEY=a b"] {
            let refused = bare_secret(text);
            assert!(refused.is_err_and(|(_, remedy)| !remedy.is_empty()), "{text:?}");
        }
    }

    #[test]
    fn a_token_has_digits_a_colon_and_35_letters() {
        assert_eq!(token_id(TOKEN), Some(123_456_789));
        for text in
            ["123456789:short", ":AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc", "12a:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"]
        {
            assert_eq!(token_id(text), None, "{text}");
        }
        assert_eq!(token_id(&TOKEN.replace("Owe", "O e")), None);
    }
}
