//! A scenario's description and its file. Layer: load test; plain data.
//!
//! All times count from the moment at which the scenario is put in force.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::provider::faults::ProviderFaults;
use crate::telegram::faults::TelegramFaults;

/// What goes wrong, and when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// A name for the reader.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The faults of Telegram.
    pub telegram: TelegramFaults,
    /// The faults of the providers.
    pub provider: ProviderFaults,
    /// What is done to the product and in the world; of account to `faults` only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// One thing that is done at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// What.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What is done to the product or in the world; bots and chats by their place in the world's description, wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// SIGKILL, and a start at once.
    Kill,
    /// SIGTERM, and a start as soon as it has ended.
    Terminate,
    /// SIGSTOP, and SIGCONT later.
    Pause {
        /// How long, in milliseconds.
        for_ms: u64,
    },
    /// The bot's token is revoked.
    RevokeToken {
        /// The bot.
        bot: usize,
    },
    /// The bot's token is good again.
    RestoreToken {
        /// The bot.
        bot: usize,
    },
    /// The bot is removed from the first of its chats.
    Kick {
        /// The bot.
        bot: usize,
    },
    /// The bot is back in the first of its chats.
    Readd {
        /// The bot.
        bot: usize,
    },
    /// The product is told to receive the bot's updates by webhook.
    ToWebhook {
        /// The bot.
        bot: usize,
    },
    /// The product is told to poll for the bot.
    ToPolling {
        /// The bot.
        bot: usize,
    },
    /// A person gives the last message of a chat that is theirs a new text.
    Edit {
        /// The chat.
        chat: usize,
    },
    /// A person deletes the last message of a chat that is theirs.
    Delete {
        /// The chat.
        chat: usize,
    },
    /// Bots of a chat get copies of what came before, of any kind.
    LateCopies {
        /// The chat.
        chat: usize,
        /// Chooses them.
        draw: u64,
    },
    /// A person posts a message as few expect it.
    Odd {
        /// The chat.
        chat: usize,
        /// Chooses it.
        draw: u64,
    },
    /// Messages arrive that were written hours ago.
    Old {
        /// The chat.
        chat: usize,
        /// Chooses their ages.
        draw: u64,
    },
    /// A person shares a live location, which is edited again and again.
    Location {
        /// The chat.
        chat: usize,
        /// Chooses the places.
        draw: u64,
    },
    /// A person posts an album.
    Album {
        /// The chat.
        chat: usize,
        /// Chooses its size.
        draw: u64,
    },
    /// Something happens to a topic of a forum, and a person writes into one.
    Topic {
        /// Chooses what.
        draw: u64,
    },
    /// A chat is closed to its bots, or deleted.
    Shut {
        /// The chat.
        chat: usize,
        /// Chooses the words of the refusal.
        draw: u64,
    },
    /// A chat is open again.
    Open {
        /// The chat.
        chat: usize,
    },
    /// The bot may not write in the first of its chats any more.
    Restrict {
        /// The bot.
        bot: usize,
    },
}

/// A scenario that cannot be used.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It does not describe a scenario.
    #[error("{path}: {field}: {reason}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong there.
        reason: String,
    },
    /// A value is out of its range.
    #[error("{path}: {reason}")]
    Range {
        /// The file.
        path: PathBuf,
        /// The field, and what is wrong with it.
        reason: String,
    },
}

impl Scenario {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// What is wrong, with the file and the field.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::File { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a TOML file; `path` is what an error names.
    ///
    /// # Errors
    /// What is wrong, with the file and the field.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        let shape = |field: String, reason: String| ScenarioError::Shape { path: path.to_owned(), field, reason };
        let table = toml::Deserializer::parse(text).map_err(|error| {
            let place = error.span().map_or(0, |span| span.start);
            let line = text.get(..place).unwrap_or(text).matches('\n').count() + 1;
            shape(format!("line {line}"), error.message().to_owned())
        })?;
        let scenario: Self = serde_path_to_error::deserialize(table)
            .map_err(|error| shape(error.path().to_string(), error.inner().message().to_owned()))?;
        scenario.check().map_err(|reason| ScenarioError::Range { path: path.to_owned(), reason })?;
        Ok(scenario)
    }

    /// Checks the ranges of every rule.
    ///
    /// # Errors
    /// The first field that is wrong, and why.
    pub fn check(&self) -> Result<(), String> {
        self.telegram.check().map_err(|error| error.to_string())?;
        self.provider.check().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fault(text: &str) -> String {
        Scenario::parse(text, Path::new("night.toml")).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_file_and_field() {
        let text = fault("[provider]\nrules = [{ what = \"cut\", often = 3 }]\n");
        assert!(text.starts_with("night.toml: provider.rules[0]"), "{text}");
        assert!(text.contains("often"), "{text}");
        let text = fault("[[telegram.rules]]\nwhat = \"earthquake\"\n");
        assert!(text.starts_with("night.toml: telegram.rules[0].what: "), "{text}");
        let text = fault("[provider]\nrules = [{ what = \"cut\", probability = 2.0 }]\n");
        assert_eq!(text, "night.toml: provider.rules[0].probability: must be between 0 and 1");
        let text = fault("name = \"x\"\nseed =\n");
        assert!(text.starts_with("night.toml: line 2: "), "{text}");
    }

    #[test]
    fn steps_are_read_as_they_are_written() {
        let text = "[[steps]]\nat_ms = 5\ndo = \"kill\"\n[[steps]]\nat_ms = 9\ndo = { pause = { for_ms = 300 } }\n";
        let scenario = Scenario::parse(text, Path::new("x")).unwrap();
        assert_eq!(
            scenario.steps,
            [Step { at_ms: 5, action: Action::Kill }, Step { at_ms: 9, action: Action::Pause { for_ms: 300 } }]
        );
        let written = toml::to_string(&scenario).unwrap();
        assert_eq!(Scenario::parse(&written, Path::new("x")).unwrap(), scenario);
    }
}
