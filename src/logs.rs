//! Sets up logs: readable on a terminal, JSON elsewhere; always to stderr. Part of `cli`'s start.
//!
//! `RUST_LOG` replaces the configured level, `NO_COLOR` turns colours off. Secrets are never logged in the first
//! place (I12): they are `SecretString`s, and addresses are stripped from client errors.

use std::io::{IsTerminal, stderr};

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use botfleet_actors::ports::metrics;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

keyed! {
    /// Logs.
    #[derive(Clone, Debug)]
    pub struct LogSettings {
        /// Form of the logs: for people on a terminal and JSON elsewhere (auto), or always one of both.
        pub format: LogFormat = key(LogFormat::Auto);
        /// Level (error, warn, info, debug, trace), or directives such as `warn,botfleet=debug`. `RUST_LOG` replaces it.
        pub level: String = key("info".to_owned());
    }
}

/// The form of logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One line for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Reason why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The configured level cannot be read.
    #[error("the log level {level:?} cannot be read")]
    Level {
        /// The level as configured.
        level: String,
        /// The parser's error.
        source: ParseError,
    },
    /// Logs are set up already: a second call.
    #[error("logs are set up already")]
    Twice(#[from] TryInitError),
}

/// Libraries that would log what people wrote: async-openai logs stream chunks it cannot read, with their content.
const SILENCED: [&str; 1] = ["async_openai=off"];

/// Reads a level or directives; libraries that would log what people wrote stay silent.
///
/// # Errors
/// The parser's error, when `level` cannot be read.
pub fn directives(level: &str) -> Result<EnvFilter, ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    Ok(SILENCED.iter().filter_map(|target| target.parse().ok()).fold(filter, EnvFilter::add_directive))
}

/// Sets up logs for the whole process, once.
///
/// # Errors
/// `Level` for a level that cannot be read, `Twice` on a second call.
pub fn init(settings: &LogSettings) -> Result<(), LogError> {
    let level = variable("RUST_LOG").unwrap_or_else(|| settings.level.clone());
    let filter = directives(&level).map_err(|source| LogError::Level { level, source })?;
    let terminal = stderr().is_terminal();
    // A log that takes no more lines, as on a full disk, must not end the process: telling its failure on stderr would
    // panic.
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).log_internal_errors(false);
    if is_json(settings.format, terminal) {
        subscriber.json().flatten_event(true).with_current_span(false).finish().try_init()?;
    } else {
        subscriber.with_ansi(terminal && variable("NO_COLOR").is_none()).finish().try_init()?;
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs a panic by its place alone: the message may quote what people and models wrote, or a secret (I12).
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "nowhere".to_owned(), ToString::to_string);
    metrics::panics_total.increment(1);
    tracing::error!(panic.place = %place, "a task panicked, its words are not told");
}

fn is_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    }
}

/// Returns an environment variable that is set and not empty.
#[allow(clippy::disallowed_methods, reason = "RUST_LOG and NO_COLOR are conventions beside the configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const WORDS: &str = "Ayse-wrote-this";

    /// Panics for the test below, which runs this one in a process of its own: there is one panic hook for all threads.
    #[test]
    #[ignore = "panics for another test"]
    fn a_third_party_panics() {
        init(&LogSettings::default()).unwrap();
        let caught = std::panic::catch_unwind(|| panic!("cannot slice {WORDS:?}"));
        assert!(caught.is_err());
    }

    #[test]
    fn a_panic_is_told_by_its_place_and_without_its_words() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "logs::tests::a_third_party_panics", "--ignored", "--nocapture"]).env_remove("RUST_LOG");
        let output = child.output().unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{told}");
        assert!(told.contains("a task panicked") && told.contains("src/logs.rs"), "{told}");
        assert!(!told.contains(WORDS), "{told}");
    }

    #[test]
    fn the_form_follows_the_terminal_unless_it_is_set() {
        assert!(is_json(LogFormat::Auto, false) && !is_json(LogFormat::Auto, true));
        assert!(is_json(LogFormat::Json, true) && !is_json(LogFormat::Human, false));
    }

    #[test]
    fn a_level_is_a_word_or_directives() {
        assert!(directives("info").is_ok() && directives("warn,botfleet=debug").is_ok());
        assert!(directives("botfleet=loud").is_err());
    }
}
