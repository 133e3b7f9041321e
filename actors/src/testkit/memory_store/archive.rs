//! Reads the archive from rows in memory. Part of the testkit.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::decision::{Cause, Decision};
use crate::domain::ids::{ChatId, DecisionNumber, MessageId, Number};
use crate::domain::outbox::OutboxMessage;
use crate::domain::roster::Roster;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::Turn;
use crate::ports::archive::{Archive, DecisionQuery};
use crate::ports::store::StoreError;

#[async_trait]
impl Archive for MemoryStore {
    async fn recorded_roster(&self) -> Result<Roster, StoreError> {
        Ok(self.reach()?.roster())
    }

    async fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Result<Vec<Decision>, StoreError> {
        let state = self.reach()?;
        let (after, before) = query.bounds();
        let all = state.decisions.iter().filter(|((of, number), decision)| {
            *of == chat
                && after < number.0
                && number.0 < before
                && query.entry.is_none_or(|entry| decision.cause == Cause::Entry(entry))
        });
        let mut found: Vec<Decision> = all.map(|(_, decision)| decision.clone()).collect();
        if !query.ascends() {
            found.reverse();
        }
        found.truncate(query.most());
        Ok(found)
    }

    async fn turns_of(
        &self,
        chat: ChatId,
        decisions: &[DecisionNumber],
    ) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, StoreError> {
        let state = self.reach()?;
        let asked = |turn: &&Turn| turn.chat == chat && decisions.contains(&turn.decision);
        let mut turns: Vec<Turn> = state.turns.values().filter(asked).cloned().collect();
        turns.sort_by_key(|turn| (turn.decision, turn.ordinal, turn.id));
        let with_messages = |turn: Turn| {
            let messages = state.messages_of(turn.id).cloned().collect();
            (turn, messages)
        };
        Ok(turns.into_iter().map(with_messages).collect())
    }

    async fn entries(&self, chat: ChatId, from: Number, limit: usize) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        let state = self.reach()?;
        let entries = state.transcript.range((chat, from)..=(chat, Number(i64::MAX)));
        Ok(entries.take(limit).map(|(_, entry)| Arc::clone(entry)).collect())
    }

    async fn message_number(&self, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError> {
        let state = self.reach()?;
        let is_it = |entry: &&Arc<TranscriptEntry>| {
            entry.chat == chat && entry.message_id == message && entry.kind == EntryKind::Message
        };
        Ok(state.transcript.values().rev().find(is_it).map(|entry| entry.number))
    }
}
