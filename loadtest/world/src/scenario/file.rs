//! Defines a scenario and reads it from a file. Layer: world; plain data.
//!
//! All times count from the moment when the scenario is put in force.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::provider::faults::ProviderFaults;
use crate::telegram::faults::TelegramFaults;

/// A set of faults and steps, with their times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// A name for human readers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The faults of Telegram.
    pub telegram: TelegramFaults,
    /// The faults of the providers.
    pub provider: ProviderFaults,
    /// The steps against the product and in the world; used by the fault harnesses only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// One action at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The time, in milliseconds.
    pub at_ms: u64,
    /// The action.
    #[serde(rename = "do")]
    pub action: Action,
}

/// An action on the product or in the world. Bots and chats are given by index into the world's description; the index
/// wraps around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// SIGKILL, and an immediate restart.
    Kill,
    /// SIGTERM, and a restart as soon as the product has ended.
    Terminate,
    /// SIGSTOP, and SIGCONT later.
    Pause {
        /// The length of the pause, in milliseconds.
        for_ms: u64,
    },
    /// The bot's token is revoked.
    RevokeToken {
        /// The bot.
        bot: usize,
    },
    /// The bot gets its token back.
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
    /// The last message of a person in a chat gets a new text.
    Edit {
        /// The chat.
        chat: usize,
    },
    /// The last message of a person in a chat is deleted by its author.
    Delete {
        /// The chat.
        chat: usize,
    },
    /// Bots of a chat get copies of earlier updates, of any kind.
    LateCopies {
        /// The chat.
        chat: usize,
        /// The seed that chooses the updates and bots.
        draw: u64,
    },
    /// Telegram holds back a bot's updates, to send all of them later at once.
    Hold {
        /// The bot.
        bot: usize,
    },
    /// The updates held back for a bot are sent.
    Release {
        /// The bot.
        bot: usize,
    },
    /// A person posts an odd message.
    Odd {
        /// The chat.
        chat: usize,
        /// The seed that chooses the kind of the odd message, and what is odd in it.
        draw: u64,
    },
    /// Messages arrive that were written hours ago or earlier.
    Old {
        /// The chat.
        chat: usize,
        /// The seed that chooses their ages.
        draw: u64,
    },
    /// A person shares a live location, which is edited again and again.
    Location {
        /// The chat.
        chat: usize,
        /// The seed that chooses the places.
        draw: u64,
    },
    /// A person posts an album.
    Album {
        /// The chat.
        chat: usize,
        /// The seed that chooses the size.
        draw: u64,
    },
    /// A topic is created in a forum, a person writes into the topic, and it may then be closed or deleted.
    Topic {
        /// The seed that chooses what happens to the topic.
        draw: u64,
    },
    /// A chat is closed to its bots, or deleted.
    Shut {
        /// The chat.
        chat: usize,
        /// The seed that chooses the refusal.
        draw: u64,
    },
    /// A chat is open again.
    Open {
        /// The chat.
        chat: usize,
    },
    /// The bot loses the right to write in the first of its chats.
    Restrict {
        /// The bot.
        bot: usize,
    },
}

/// The reason why a scenario cannot be used.
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
    /// The file does not describe a scenario.
    #[error("{path}: {field}: {reason}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// The reason why the field is wrong.
        reason: String,
    },
    /// A value is out of its range.
    #[error("{path}: {reason}")]
    Range {
        /// The file.
        path: PathBuf,
        /// The field, and the reason why it is wrong.
        reason: String,
    },
}

impl Scenario {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// The error, with the file and the field.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::File { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a TOML file; errors name `path`.
    ///
    /// # Errors
    /// The error, with the file and the field.
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
    /// The first field that is wrong, and the reason.
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
