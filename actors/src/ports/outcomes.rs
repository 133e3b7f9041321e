//! How updates and decisions ended, for reports. Layer `ports`.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{ChatId, DecisionNumber, InboxId, MessageId, Number, TelegramChatId, TelegramUserId};
use crate::domain::inbox::OutcomeKind;
use crate::domain::outbox::OutboxState;
use crate::domain::turn::TurnState;

/// One line of the outcomes: where something came from, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OutcomeRecord {
    /// `update`, `sent`, or `tick` for decisions that no row caused.
    pub source: String,
    /// Telegram's id of the bot that received the update or sent the message.
    pub bot_id: Option<TelegramUserId>,
    /// The update's id.
    pub update_id: Option<i64>,
    /// Telegram's id of the chat.
    pub chat_id: Option<TelegramChatId>,
    /// Telegram's id of the message.
    pub message_id: Option<MessageId>,
    /// How it ended; `pending` while it has not.
    pub outcome: String,
    /// Why it ended so.
    pub reason: Option<String>,
    /// Number of the transcript entry.
    pub number: Option<Number>,
    /// Number of the decision.
    pub decision: Option<DecisionNumber>,
    /// Turns of the decision.
    pub turns: Vec<OutcomeTurn>,
}

impl OutcomeRecord {
    /// Returns the record of a decision that no row caused, without its turns.
    pub fn of_tick(number: DecisionNumber, chat_id: Option<TelegramChatId>, outcome: String, reason: String) -> Self {
        Self {
            source: "tick".to_owned(),
            bot_id: None,
            update_id: None,
            chat_id,
            message_id: None,
            outcome,
            reason: Some(reason),
            number: None,
            decision: Some(number),
            turns: Vec::new(),
        }
    }

    /// Returns the name of an outcome; `pending` for none.
    pub fn outcome_name(outcome: Option<OutcomeKind>) -> String {
        outcome.map_or("pending", OutcomeKind::as_str).to_owned()
    }
}

/// A turn in an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OutcomeTurn {
    /// The turn's id, as text, since JSON readers do not keep numbers of that size exactly.
    pub id: String,
    /// Telegram's id of the turn's bot.
    pub bot_id: TelegramUserId,
    /// The turn's state.
    pub state: TurnState,
    /// The turn's messages.
    pub messages: Vec<OutcomeMessage>,
}

/// A message in an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OutcomeMessage {
    /// The message's id in the outbox, as text.
    pub id: String,
    /// Place of the part in the turn's text, from 0.
    pub part: u32,
    /// Telegram's id of the chat.
    pub chat_id: TelegramChatId,
    /// The message's state.
    pub state: OutboxState,
    /// Telegram's id of the message.
    pub message_id: Option<MessageId>,
}

/// The end of a page of outcomes: inbox rows come first by id, then tick decisions by chat and number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCursor {
    /// The last inbox row read.
    pub inbox: Option<InboxId>,
    /// The last tick decision read; set once all rows are read.
    pub tick: Option<(ChatId, DecisionNumber)>,
}
