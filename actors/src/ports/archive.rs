//! The port to what was recorded: decisions with what came of them, and the transcript from any place on. Layer
//! `ports`. It only reads: whoever explains or replays a chat needs no more, and can change nothing through it.

use std::sync::Arc;

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::decision::Decision;
use crate::domain::ids::{ChatId, DecisionNumber, MessageId, Number};
use crate::domain::outbox::OutboxMessage;
use crate::domain::roster::Roster;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Turn;

/// Most decisions that one question is answered with.
pub const DECISIONS_MAX: usize = 200;

/// Which decisions of a chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionQuery {
    /// Only those after it, oldest first.
    pub after: Option<DecisionNumber>,
    /// Only those before it; newest first, unless `after` is given.
    pub before: Option<DecisionNumber>,
    /// Only those that this entry asked for.
    pub entry: Option<Number>,
    /// Most of them, up to [`DECISIONS_MAX`].
    pub limit: usize,
}

impl DecisionQuery {
    /// The bounds of their numbers, both excluded.
    pub fn bounds(&self) -> (i64, i64) {
        let after = self.after.map_or(i64::MIN, |number| number.0);
        (after, self.before.map_or(i64::MAX, |number| number.0))
    }

    /// Most of them, as it is obeyed.
    pub fn most(&self) -> usize {
        self.limit.min(DECISIONS_MAX)
    }

    /// Whether the oldest come first.
    pub fn ascends(&self) -> bool {
        self.after.is_some()
    }
}

/// What was recorded.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// The stored roster, as the last plan and all that people changed since have left it.
    async fn recorded_roster(&self) -> Result<Roster, StoreError>;

    /// Decisions of a chat.
    async fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Result<Vec<Decision>, StoreError>;

    /// The turns of these decisions with their messages, by decision and ordinal.
    async fn turns_of(
        &self,
        chat: ChatId,
        decisions: &[DecisionNumber],
    ) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, StoreError>;

    /// Entries from a number on, oldest first, at most `limit`.
    async fn entries(&self, chat: ChatId, from: Number, limit: usize) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

    /// The entry of a message, the latest when the chat counted anew since.
    async fn message_number(&self, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError>;
}
