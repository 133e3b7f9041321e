//! Logs: readable on a terminal, JSON elsewhere; always to stderr. Part of `cli`'s start.
//!
//! `RUST_LOG` replaces the configured level, `NO_COLOR` turns colours off. Secrets are never logged in the first
//! place (I12): they are `SecretString`s, and addresses are stripped from client errors.

use std::io::{IsTerminal, stderr};

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How logs are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// In which form.
    pub format: LogFormat,
    /// What is logged: a level, or directives as in `warn,botfleet=debug`.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".to_owned() }
    }
}

/// The form of logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// A line for people.
    Human,
    /// A JSON object a line.
    Json,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The configured level.
    #[error("the log level {level:?} cannot be read")]
    Level {
        /// As configured.
        level: String,
        /// What the parser says.
        source: ParseError,
    },
    /// A second call.
    #[error("logs are set up already")]
    Twice(#[from] TryInitError),
}

/// Libraries that would log what people wrote: async-openai logs stream chunks it cannot read, with their content.
const SILENCED: [&str; 1] = ["async_openai=off"];

/// Reads a level or directives; libraries that would log what people wrote stay silent.
///
/// # Errors
/// The parser's, when they cannot be read.
pub fn directives(level: &str) -> Result<EnvFilter, ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    Ok(SILENCED.iter().filter_map(|target| target.parse().ok()).fold(filter, EnvFilter::add_directive))
}

/// Sets logs up for the whole process; once.
///
/// # Errors
/// `Level` for a level that cannot be read, `Twice` on a second call.
pub fn init(settings: &LogSettings) -> Result<(), LogError> {
    let level = variable("RUST_LOG").unwrap_or_else(|| settings.level.clone());
    let filter = directives(&level).map_err(|source| LogError::Level { level, source })?;
    let terminal = stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if is_json(settings.format, terminal) {
        subscriber.json().flatten_event(true).with_current_span(false).finish().try_init()?;
    } else {
        subscriber.with_ansi(terminal && variable("NO_COLOR").is_none()).finish().try_init()?;
    }
    Ok(())
}

fn is_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    }
}

/// A variable that is set and not empty.
#[allow(clippy::disallowed_methods, reason = "RUST_LOG and NO_COLOR are conventions beside the configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

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
