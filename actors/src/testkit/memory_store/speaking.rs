//! Keeps take-overs and deleted messages in memory. Part of the testkit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::State;
use crate::domain::commit::rows::{NewRetractions, TakeoverChange};
use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId};
use crate::domain::inbox::{SentEvent, Source};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::retraction::{Retraction, RetractionEnding, RetractionState, Said, Saying};
use crate::domain::takeover::Interventions;
use crate::domain::time::Timestamp;
use crate::domain::transcript::EntryKind;

impl State {
    pub(super) fn take_over(&mut self, changes: BTreeMap<(ChatId, BotId), TakeoverChange>) {
        for (place, change) in changes {
            let held = |by: &str| self.takeovers.0.get(&place).is_some_and(|takeover| takeover.holder == by);
            match change {
                TakeoverChange::Begun(takeover) => drop(self.takeovers.0.insert(place, takeover)),
                TakeoverChange::Prolonged { holder, until } if held(&holder) => {
                    if let Some(takeover) = self.takeovers.0.get_mut(&place) {
                        takeover.until = takeover.until.max(until);
                    }
                }
                TakeoverChange::Ended { holder } if held(&holder) => drop(self.takeovers.0.remove(&place)),
                TakeoverChange::Prolonged { .. } | TakeoverChange::Ended { .. } => {}
            }
        }
    }

    pub(super) fn retract(&mut self, orders: Vec<NewRetractions>) {
        for NewRetractions { chat, principal, at, said } in orders {
            for one in said {
                self.retractions.entry((one.telegram_chat, one.message_id)).or_insert_with(|| Retraction {
                    telegram_chat: one.telegram_chat,
                    message_id: one.message_id,
                    chat,
                    bot: one.bot,
                    state: RetractionState::Waiting,
                    tries: 0,
                    due_at: at,
                    principal: principal.clone(),
                    created_at: at,
                    ended_at: None,
                    error: None,
                });
                for entry in self.transcript.values_mut().filter(|entry| one.is_entry(entry)) {
                    Arc::make_mut(entry).delete(at);
                }
                if let Some(message) = one.outbox.and_then(|outbox| self.outbox.get_mut(&outbox)) {
                    message.text.clear();
                    message.marks.clear();
                    if let Some(turn) = self.turns.get_mut(&message.turn) {
                        turn.act.empty();
                    }
                }
                let events = self.inbox.values_mut().map(|received| &mut received.row);
                for row in events.filter(|row| one.outbox.is_some_and(|outbox| row.source == Source::Sent(outbox))) {
                    if let Ok(event) = serde_json::from_str::<SentEvent>(&row.payload) {
                        let event = SentEvent { text: String::new(), ..event };
                        row.payload = serde_json::to_string(&event).unwrap();
                    }
                }
            }
        }
    }

    pub(super) fn settle_retractions(&mut self, answers: Vec<(TelegramChatId, MessageId, RetractionEnding)>) {
        let now = self.ownings.now;
        for (telegram_chat, message_id, ending) in answers {
            let waits = |retraction: &&mut Retraction| retraction.state == RetractionState::Waiting;
            let Some(retraction) = self.retractions.get_mut(&(telegram_chat, message_id)).filter(waits) else {
                continue;
            };
            retraction.tries += 1;
            match ending {
                RetractionEnding::Deleted => retraction.state = RetractionState::Deleted,
                RetractionEnding::Refused(why) => {
                    (retraction.state, retraction.error) = (RetractionState::Refused, Some(why));
                }
                RetractionEnding::Again(at, why) => (retraction.due_at, retraction.error) = (at, Some(why)),
            }
            retraction.ended_at = (retraction.state != RetractionState::Waiting).then_some(now);
        }
    }

    pub(super) fn interventions(&self, since: Timestamp) -> Interventions {
        let lately = self.retractions.iter().filter(|(_, retraction)| retraction.created_at >= since);
        Interventions { takeovers: self.takeovers.clone(), deleted: lately.map(|(key, _)| *key).collect() }
    }

    pub(super) fn sending(&self, bot: BotId) -> Vec<OutboxMessage> {
        let sending = |message: &&OutboxMessage| message.progress.state == OutboxState::Sending;
        let mut messages: Vec<_> =
            self.outbox.values().filter(|message| message.bot == bot).filter(sending).cloned().collect();
        messages.sort_by_key(|message| (message.turn, message.part));
        messages
    }

    pub(super) fn said(&self, chat: ChatId, bots: &[BotId], saying: Saying, limit: usize) -> Vec<Said> {
        let entry_of = |telegram_chat, message_id| {
            let about = |key: &(TelegramChatId, MessageId)| *key == (telegram_chat, message_id);
            let of_chat = self.transcript.values().filter(|entry| entry.kind == EntryKind::Message);
            of_chat.into_iter().find(|entry| about(&(entry.telegram_chat, entry.message_id)))
        };
        let sent = self.outbox.values().filter(|message| {
            message.chat == chat && message.progress.state == OutboxState::Sent && bots.contains(&message.bot)
        });
        let sent = sent.filter_map(|message| {
            let message_id = message.progress.message_id?;
            let number = entry_of(message.telegram_chat, message_id).map(|entry| entry.number);
            let (telegram_chat, at) = (message.telegram_chat, message.created_at);
            Some((
                message.chain_depth,
                Said { outbox: Some(message.id), bot: message.bot, telegram_chat, message_id, number, at },
            ))
        });
        let waits = |said: &Said| !self.retractions.contains_key(&(said.telegram_chat, said.message_id));
        match saying {
            Saying::Since(bot, since) => {
                let of_bot = |said: &Said| bot.is_none_or(|bot| said.bot == bot) && said.at >= since && waits(said);
                let sent = sent.filter(|(depth, said)| *depth > 0 && of_bot(said)).map(|(_, said)| said);
                sent.take(limit).collect()
            }
            Saying::Entry(number) => {
                let Some(entry) = self.transcript.get(&(chat, number)) else { return Vec::new() };
                let Some(bot) = entry.fleet_bot.filter(|bot| bots.contains(bot)) else { return Vec::new() };
                if entry.kind != EntryKind::Message || entry.deleted_at.is_some() {
                    return Vec::new();
                }
                let of_entry = |said: &Said| said.number == Some(number);
                let outbox = sent.map(|(_, said)| said).find(of_entry).and_then(|said| said.outbox);
                let (telegram_chat, message_id) = (entry.telegram_chat, entry.message_id);
                vec![Said { outbox, bot, telegram_chat, message_id, number: Some(number), at: entry.date }]
            }
        }
    }

    pub(super) fn retractions_due(&self, bot: BotId, now: Timestamp, limit: usize) -> Vec<Retraction> {
        let waits = |one: &&Retraction| one.bot == bot && one.state == RetractionState::Waiting && one.due_at <= now;
        let mut due: Vec<_> = self.retractions.values().filter(waits).cloned().collect();
        due.sort_by_key(|one| (one.due_at, one.telegram_chat, one.message_id));
        due.truncate(limit);
        due
    }

    pub(super) fn retractions(&self, chat: ChatId, limit: usize) -> Vec<Retraction> {
        let mut all: Vec<_> = self.retractions.values().filter(|one| one.chat == chat).cloned().collect();
        all.sort_by_key(|one| std::cmp::Reverse((one.created_at, one.telegram_chat, one.message_id)));
        all.truncate(limit);
        all
    }

    /// Returns the number of rows.
    pub(super) fn spoken(&self) -> usize {
        self.takeovers.0.len() + self.retractions.len()
    }

    pub(super) fn prune_speaking(&mut self, handled: Timestamp, now: Timestamp) {
        self.takeovers.0.retain(|_, takeover| takeover.holds(now));
        self.retractions.retain(|_, one| one.state == RetractionState::Waiting || one.created_at >= handled);
    }
}
