//! Keeps the rights of people. Part of the testkit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::state::{Received, State};
use crate::domain::decision::Cause;
use crate::domain::ids::{ChatId, TelegramUserId};
use crate::domain::inbox::{Outcome, OutcomeKind, SentEvent, Source};
use crate::domain::incoming::Author;
use crate::domain::outbox::OutboxState;
use crate::domain::people::{FORGOTTEN, Forgotten, PersonRecord, REMOVED, Right, Rights, SetRight, TOMBSTONE};
use crate::domain::time::Timestamp;
use crate::domain::turn::{Turn, TurnState};
use crate::ports::store::Cut;

/// A right that a person exercised, and the counts of its removal.
pub(super) struct Audited {
    pub(super) seq: i64,
    pub(super) right: SetRight,
    pub(super) counts: Option<Forgotten>,
}

/// Returns a test for whether a payload names a person.
fn naming(person: TelegramUserId) -> impl Fn(&str) -> bool {
    let (before, last) = (format!("\"id\":{person},"), format!("\"id\":{person}}}"));
    move |payload| payload.contains(&before) || payload.contains(&last)
}

impl State {
    pub(super) fn set_right(&mut self, right: SetRight) {
        self.people_seq += 1;
        match right.right {
            Right::OptOut => drop(self.opted_out.entry(right.person).or_insert(right.at)),
            Right::OptIn => drop(self.opted_out.remove(&right.person)),
            Right::Forget => {
                let open = |audited: &&mut Audited| {
                    let Audited { right: other, counts, .. } = &**audited;
                    other.right == Right::Forget && other.person == right.person && counts.is_none()
                };
                if let Some(open) = self.audit.iter_mut().find(open) {
                    // The open erasure request is extended.
                    open.right.at = open.right.at.max(right.at);
                    return;
                }
            }
        }
        self.audit.push(Audited { seq: self.people_seq, right, counts: None });
    }

    /// Returns until when a person's words are forgotten.
    pub(super) fn forgotten_at(&self, person: TelegramUserId) -> Option<Timestamp> {
        let wishes = self.audit.iter().map(|audited| &audited.right);
        wishes.filter(|right| right.right == Right::Forget && right.person == person).map(|right| right.at).max()
    }

    pub(super) fn rights(&self, known: i64) -> Option<Rights> {
        if self.people_seq == known {
            return None;
        }
        let wishes = || self.audit.iter().filter(|audited| audited.right.right == Right::Forget);
        let mut rights = Rights { seq: self.people_seq, ..Rights::default() };
        rights.opted_out = self.opted_out.keys().copied().collect();
        for Audited { right: SetRight { person, at, .. }, .. } in wishes() {
            let until = rights.forgotten.entry(*person).or_insert(*at);
            *until = (*until).max(*at);
        }
        let pending = wishes().filter(|audited| audited.counts.is_none());
        rights.pending = pending.map(|audited| (audited.seq, audited.right.person, audited.right.at)).collect();
        Some(rights)
    }

    pub(super) fn person(&self, person: TelegramUserId) -> PersonRecord {
        let entries: Vec<_> = self.transcript.values().filter(|entry| entry.author.id == person).collect();
        let named = naming(person);
        let answers = |turn: &&Turn| {
            turn.target
                .and_then(|target| self.transcript.get(&(turn.chat, target)))
                .is_some_and(|e| e.author.id == person)
        };
        PersonRecord {
            opted_out_since: self.opted_out.get(&person).copied(),
            entries: entries.len() as u64,
            first: entries.iter().map(|entry| entry.date).min(),
            last: entries.iter().map(|entry| entry.date).max(),
            updates: self.inbox.values().filter(|received| named(&received.row.payload)).count() as u64,
            answers: self.turns.values().filter(answers).count() as u64,
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp) -> u64 {
        let kept = |chat: &ChatId| self.chats.get(chat).map_or(0, |(profile, _)| profile.spec.retention_days);
        let days: HashMap<ChatId, u32> = self.chats.keys().map(|chat| (*chat, kept(chat))).collect();
        let is_old = |chat: &ChatId, date: Timestamp| {
            let days = days.get(chat).copied().unwrap_or(0);
            days > 0 && date < now - Duration::from_hours(24) * days
        };
        let mut expired = 0;
        for Received { row, .. } in self.inbox.values_mut() {
            let old = row.chat.is_some_and(|chat| is_old(&chat, row.received_at));
            if old && row.outcome.is_some() && row.payload != TOMBSTONE {
                TOMBSTONE.clone_into(&mut row.payload);
                expired += 1;
            }
        }
        for entry in self.transcript.values_mut().filter(|entry| is_old(&entry.chat, entry.date)) {
            if entry.text.is_some() || entry.media.is_some() {
                let entry = Arc::make_mut(entry);
                (entry.text, entry.media) = (None, None);
                entry.entities.clear();
                expired += 1;
            }
        }
        for ((chat, number), decision) in self.decisions.iter_mut().filter(|((chat, _), one)| is_old(chat, one.at)) {
            if decision.inputs == serde_json::json!({}) {
                continue;
            }
            (decision.inputs, decision.scores) = (serde_json::json!({}), serde_json::json!({}));
            expired += 1;
            let turns = self.turns.values_mut().filter(|turn| (turn.chat, turn.decision) == (*chat, *number));
            let turns: Vec<_> = turns
                .map(|turn| {
                    turn.act.empty();
                    turn.id
                })
                .collect();
            for message in self.outbox.values_mut().filter(|message| turns.contains(&message.turn)) {
                message.text.clear();
                message.marks.clear();
                if message.progress.state.may_begin() {
                    message.progress.state = OutboxState::Cancelled;
                    message.progress.error = Some(REMOVED.to_owned());
                }
            }
        }
        expired
    }

    pub(super) fn forget(&mut self, person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Forgotten {
        let mut forgotten = Forgotten::default();
        let named = naming(person);
        for received in self.inbox.values_mut() {
            if !named(&received.row.payload) {
                continue;
            }
            let Some(payload) = cut(&received.row.payload) else { continue };
            if payload == TOMBSTONE && received.row.outcome.is_none() {
                received.row.outcome = Some(Outcome::because(OutcomeKind::Ignored, FORGOTTEN));
            }
            received.row.payload = payload;
            forgotten.updates += 1;
        }
        let theirs: Vec<_> =
            self.transcript.iter().filter(|(_, entry)| entry.author.id == person).map(|(key, _)| *key).collect();
        let mut answers = Vec::new();
        for turn in self.turns.values_mut().filter(|turn| turn.target.is_some_and(|n| theirs.contains(&(turn.chat, n))))
        {
            answers.push(turn.id);
            turn.act.empty();
            if !turn.progress.state.is_final() {
                turn.progress.state = TurnState::Dropped;
                turn.progress.error = Some(FORGOTTEN.to_owned());
            }
        }
        for message in self.outbox.values_mut().filter(|message| answers.contains(&message.turn)) {
            message.text.clear();
            message.marks.clear();
            forgotten.messages += 1;
            if message.progress.state.may_begin() {
                message.progress.state = OutboxState::Cancelled;
                message.progress.error = Some(FORGOTTEN.to_owned());
            }
            let said = self.transcript.values_mut().filter(|entry| {
                entry.telegram_chat == message.telegram_chat && Some(entry.message_id) == message.progress.message_id
            });
            for entry in said {
                let entry = Arc::make_mut(entry);
                entry.text = None;
                entry.entities.clear();
                forgotten.entries += 1;
            }
            for received in self.inbox.values_mut().filter(|received| received.row.source == Source::Sent(message.id)) {
                if let Ok(event) = serde_json::from_str::<SentEvent>(&received.row.payload) {
                    let event = SentEvent { text: String::new(), ..event };
                    received.row.payload = serde_json::to_string(&event).unwrap();
                }
            }
        }
        for key in &theirs {
            let entry = Arc::make_mut(self.transcript.get_mut(key).expect("it was just found"));
            (entry.text, entry.media) = (None, None);
            entry.entities.clear();
            entry.author = Author::nobody();
            forgotten.entries += 1;
        }
        for ((chat, _), decision) in &mut self.decisions {
            let Cause::Entry(number) = decision.cause else { continue };
            if theirs.contains(&(*chat, number)) {
                (decision.inputs, decision.scores) = (serde_json::json!({}), serde_json::json!({}));
                FORGOTTEN.clone_into(&mut decision.reason);
                forgotten.decisions += 1;
            }
        }
        if let Some(audited) = self.audit.iter_mut().find(|audited| Some(audited.seq) == wish) {
            audited.counts = Some(forgotten);
            self.people_seq += 1;
        }
        forgotten
    }
}
