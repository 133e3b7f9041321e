//! Defines the lines in which the product accounts for its work: one for every update, message of its own, tick and
//! notice. Layer: world; plain data.
//!
//! Unknown fields are ignored, so the product may add fields.

use serde::{Deserialize, Serialize};

/// One line of the product's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeLine {
    /// The kind of thing that the line is about.
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
    /// The result of handling the update, message, tick or notice.
    pub outcome: Outcome,
    /// The number of the message in the chat's transcript.
    #[serde(default)]
    pub number: Option<i64>,
    /// The id of the decision that the update or message led to.
    #[serde(default)]
    pub decision: Option<i64>,
    /// The turns that the update, message, tick or notice caused.
    #[serde(default)]
    pub turns: Vec<OutcomeTurn>,
}

/// The kind of thing that a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An update from Telegram.
    Update,
    /// A message of the fleet itself, as it entered the transcript; its turns are bot-to-bot answers.
    Sent,
    /// A moment at which a bot spoke by itself.
    Tick,
    /// A notice that no message caused.
    Notice,
}

/// The result of handling an update or a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The update or message entered the transcript.
    Appended,
    /// The message was in the transcript already, through another bot or from the fleet itself.
    Duplicate,
    /// There was nothing to do.
    Ignored,
    /// The message was a command to the fleet.
    Control,
    /// Handling the update failed for good.
    Dead,
    /// The update is not handled yet.
    Pending,
    /// A tick at which a bot speaks.
    Speak,
    /// A tick at which no bot speaks.
    Silent,
}

/// A bot's turn to speak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeTurn {
    /// The turn's id.
    pub id: String,
    /// The Telegram id of the bot.
    pub bot_id: i64,
    /// How far the turn came.
    pub state: TurnState,
    /// The messages that the turn made, one for each part.
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
    /// The message's place among the parts of its turn, from 0.
    #[serde(default)]
    pub part: u32,
    /// The Telegram id of the chat.
    pub chat_id: i64,
    /// How far the message came.
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
