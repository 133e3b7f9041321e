//! Reads the archive from rows in memory. Part of the testkit.

use std::sync::Arc;

use super::state::State;
use crate::domain::decision::{Cause, Decision};
use crate::domain::ids::{ChatId, DecisionNumber, MessageId, Number};
use crate::domain::outbox::OutboxMessage;
use crate::domain::roster::Roster;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::Turn;
use crate::ports::archive::DecisionQuery;

impl State {
    pub(super) fn recorded_roster(&self) -> Roster {
        self.roster()
    }

    pub(super) fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Vec<Decision> {
        let (after, before) = query.bounds();
        let all = self.decisions.iter().filter(|((of, number), decision)| {
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
        found
    }

    pub(super) fn turns_of(&self, chat: ChatId, decisions: &[DecisionNumber]) -> Vec<(Turn, Vec<OutboxMessage>)> {
        let asked = |turn: &&Turn| turn.chat == chat && decisions.contains(&turn.decision);
        let mut turns: Vec<Turn> = self.turns.values().filter(asked).cloned().collect();
        turns.sort_by_key(|turn| (turn.decision, turn.ordinal, turn.id));
        let with_messages = |turn: Turn| {
            let messages = self.messages_of(turn.id).cloned().collect();
            (turn, messages)
        };
        turns.into_iter().map(with_messages).collect()
    }

    pub(super) fn entries(&self, chat: ChatId, from: Number, limit: usize) -> Vec<Arc<TranscriptEntry>> {
        let entries = self.transcript.range((chat, from)..=(chat, Number(i64::MAX)));
        entries.take(limit).map(|(_, entry)| Arc::clone(entry)).collect()
    }

    pub(super) fn message_number(&self, chat: ChatId, message: MessageId) -> Option<Number> {
        let is_it = |entry: &&Arc<TranscriptEntry>| {
            entry.chat == chat && entry.message_id == message && entry.kind == EntryKind::Message
        };
        self.transcript.values().rev().find(is_it).map(|entry| entry.number)
    }
}
