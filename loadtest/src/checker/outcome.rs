//! The lines in which the product accounts for what it did: one for every update, message of its own,
//! tick and notice. Layer: load test; plain data.
//!
//! Unknown fields are ignored, so that the product may say more.

use serde::{Deserialize, Serialize};

/// One line of the product's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeLine {
    /// What the line is about.
    pub source: Source,
    /// The Telegram id of the bot that received the update or sent the message.
    #[serde(default)]
    pub bot_id: Option<i64>,
    /// The update's id.
    #[serde(default)]
    pub update_id: Option<i64>,
    /// The Telegram id of the chat.
    #[serde(default)]
    pub chat_id: Option<i64>,
    /// The message's id in the chat.
    #[serde(default)]
    pub message_id: Option<i64>,
    /// What became of it.
    pub outcome: Outcome,
    /// Its number in the chat's transcript.
    #[serde(default)]
    pub number: Option<i64>,
    /// The decision that it led to.
    #[serde(default)]
    pub decision: Option<i64>,
    /// The turns that it caused.
    #[serde(default)]
    pub turns: Vec<OutcomeTurn>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An update from Telegram.
    Update,
    /// A message of the fleet's own, as it entered the transcript; its turns are bot-to-bot answers.
    Sent,
    /// A moment at which a bot spoke by itself.
    Tick,
    /// A notice that no message caused.
    Notice,
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It entered the transcript.
    Appended,
    /// It was in the transcript already, by another bot or from the fleet itself.
    Duplicate,
    /// Nothing was to be done.
    Ignored,
    /// It was a command to the fleet.
    Control,
    /// It failed for good.
    Dead,
    /// It is not handled yet.
    Pending,
    /// A tick: somebody speaks.
    Speak,
    /// A tick: nobody does.
    Silent,
}

/// A bot's turn to speak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeTurn {
    /// The turn's id.
    pub id: String,
    /// The Telegram id of the bot.
    pub bot_id: i64,
    /// How far it came.
    pub state: TurnState,
    /// The messages that it made, one a part.
    #[serde(default)]
    pub messages: Vec<OutcomeMessage>,
}

/// How far a turn came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the product's own words")]
pub enum TurnState {
    Queued,
    Claimed,
    Done,
    Dropped,
    Expired,
    Failed,
    Dead,
}

/// A message of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeMessage {
    /// The message's id in the outbox.
    pub id: String,
    /// Its place among the parts of its turn, from 0.
    #[serde(default)]
    pub part: u32,
    /// The Telegram id of the chat.
    pub chat_id: i64,
    /// How far it came.
    pub state: MessageState,
    /// The message's id in the chat, once it is known.
    #[serde(default)]
    pub message_id: Option<i64>,
}

/// How far a message of the outbox came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the product's own words")]
pub enum MessageState {
    Queued,
    Claimed,
    Sending,
    Sent,
    Rejected,
    RetryAt,
    Unknown,
    Cancelled,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_is_read_as_the_product_prints_it() {
        let line: OutcomeLine = serde_json::from_str(
            r#"{"source":"update","bot_id":7,"update_id":12,"chat_id":-1001,"message_id":3,"outcome":"appended",
                "number":1,"decision":null,"extra":true,"turns":[{"id":"t1","bot_id":7,"state":"done","why":"x",
                "messages":[{"id":"o1","part":0,"chat_id":-1001,"state":"retry_at","message_id":null}]}]}"#,
        )
        .unwrap();
        assert_eq!(line.turns[0].messages[0].state, MessageState::RetryAt);
        assert_eq!((line.source, line.outcome, line.number), (Source::Update, Outcome::Appended, Some(1)));
    }

    #[test]
    fn a_tick_needs_no_bot() {
        let line: OutcomeLine = serde_json::from_str(r#"{"source":"tick","outcome":"appended"}"#).unwrap();
        assert_eq!((line.bot_id, line.turns.len()), (None, 0));
    }
}
