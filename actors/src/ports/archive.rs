//! The port to recorded data: decisions with their results, and the transcript from any number on. Layer `ports`. The
//! port only reads, since explaining and replaying a chat need no more and must change nothing.

use std::sync::Arc;
use std::time::Duration;

use super::declare::port;
use super::store::StoreError;
use crate::domain::ids::{IdSource, OutboxId};

// Adapters import no type of a method: the code that the list of methods makes finds them all here.
#[doc(hidden)]
pub use crate::domain::{
    decision::Decision,
    ids::{BotId, ChatId, DecisionNumber, MessageId, Number, TelegramChatId},
    outbox::OutboxMessage,
    roster::Roster,
    time::Timestamp,
    transcript::TranscriptEntry,
    turn::Turn,
    watching::{AtWork, ChatEnd},
};

/// Largest number of decisions in one answer.
pub const DECISIONS_MAX: usize = 200;

/// Times, around the date of a message, within which the message of the outbox was made: a message may wait for long, and
/// Telegram's clock may be behind.
const MADE_BEFORE: Duration = Duration::from_hours(24);
const MADE_AFTER: Duration = Duration::from_mins(10);

/// Returns the ids of the outbox, from and up to, between which a message of that date has its own.
pub fn outbox_ids_around(date: Timestamp) -> (OutboxId, OutboxId) {
    (OutboxId(IdSource::first_at(date - MADE_BEFORE)), OutboxId(IdSource::first_at(date + MADE_AFTER)))
}

/// Selects decisions of a chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionQuery {
    /// Only decisions after this one, oldest first.
    pub after: Option<DecisionNumber>,
    /// Only decisions before this one; newest first, unless `after` is given.
    pub before: Option<DecisionNumber>,
    /// Only decisions that this entry caused.
    pub entry: Option<Number>,
    /// Largest number of decisions wanted; [`DECISIONS_MAX`] caps it.
    pub limit: usize,
}

impl DecisionQuery {
    /// Returns the bounds of the decisions' numbers, both excluded.
    pub fn bounds(&self) -> (i64, i64) {
        let after = self.after.map_or(i64::MIN, |number| number.0);
        (after, self.before.map_or(i64::MAX, |number| number.0))
    }

    /// Returns the largest number of decisions to answer with: `limit`, capped at [`DECISIONS_MAX`].
    pub fn most(&self) -> usize {
        self.limit.min(DECISIONS_MAX)
    }

    /// Returns whether the oldest decisions come first.
    pub fn ascends(&self) -> bool {
        self.after.is_some()
    }
}

port! {
    $ __archive_methods of archive:
    /// Read access to recorded data.
    pub trait Archive: Send + Sync + 'static {
        /// Returns the stored roster: the last plan with all changes that people made since.
        async fn recorded_roster(&self) -> Result<Roster, StoreError>;

        /// Returns decisions of a chat.
        async fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Result<Vec<Decision>, StoreError>;

        /// Returns the turns of these decisions with their messages, by decision and ordinal.
        async fn turns_of(
            &self,
            chat: ChatId,
            decisions: &[DecisionNumber],
        ) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, StoreError>;

        /// Returns entries from a number on, oldest first, at most `limit`.
        async fn entries(
            &self,
            chat: ChatId,
            from: Number,
            limit: usize,
        ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

        /// Returns the number of a message's entry: the latest one, if the chat has restarted its message ids since.
        async fn message_number(&self, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError>;

        /// Returns the message of the outbox that a bot sent as this message of Telegram's; `date` is Telegram's. Messages that
        /// were made more than a day before their date are not looked at.
        async fn sent_as(
            &self,
            bot: BotId,
            chat: TelegramChatId,
            message: MessageId,
            date: Timestamp,
        ) -> Result<Option<OutboxMessage>, StoreError>;

        /// Returns where the histories of these chats end, by chat. A chat without a history is left out.
        async fn chat_ends(&self, chats: &[ChatId]) -> Result<Vec<ChatEnd>, StoreError>;

        /// Returns the bots that have open turns or messages in these chats, by chat, bot and step, each once.
        async fn at_work(&self, chats: &[ChatId]) -> Result<Vec<AtWork>, StoreError>;
    }
}

#[doc(hidden)]
pub use __archive_methods as archive_methods;
