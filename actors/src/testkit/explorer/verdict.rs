//! Judges what must hold: at each effect, at each call of the store, at each step, and at the end. Part of the testkit.
//!
//! The bound on effects is computed from the beats that the store accepted, not taken from the machine. The fences are
//! computed from the stored leases, not taken from the judge. Checks I1-I6 and I8.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::process::{Call, Got, Offset, Then};
use super::sim::{Sim, now};
use super::telegram::Poll;
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::Applied;
use crate::domain::ids::{BotId, Epoch, OutboxId};
use crate::domain::ownership::{Incarnation, LeaseKey, NodeState};
use crate::domain::turn::TurnState;
use crate::ports::cluster::Cluster;
use crate::ports::outcomes::OutcomeCursor;
use crate::ports::store::Store;

/// The memory of the judgement.
#[derive(Default)]
pub(super) struct Verdict {
    /// The pause that ends at this moment for a process that was between a check and its effect.
    pub(super) waking: Option<u64>,
    late_effects: BTreeMap<u64, u32>,
    late_polls: BTreeMap<(u64, BotId), u32>,
    owned_since: BTreeMap<LeaseKey, Duration>,
}

/// The state before a call.
#[derive(Default)]
pub(super) struct Before {
    sending: Vec<(OutboxId, Option<Incarnation>)>,
    lease: Option<(LeaseKey, Epoch, Option<Incarnation>)>,
}

impl Sim {
    fn breach(&mut self, what: &str) {
        self.trace(|| format!("BREACH {what}"));
        self.report.breaches.push(format!("{:.3}: {what}", self.now.as_secs_f64()));
    }

    /// Returns the last instant at which a process may act: its clock may run slow by one in a hundred.
    fn bound(&self, id: usize) -> Duration {
        let good = self.processes[id].good_beat;
        good.map_or(Duration::ZERO, |good| good + self.settings.act_within * 1_011 / 1_000 + Duration::from_millis(1))
    }

    pub(super) fn judge_effect(&mut self, id: usize) {
        if let Some(pause) = self.verdict.waking {
            let late = self.verdict.late_effects.entry(pause).or_default();
            *late += 1;
            if *late > 1 {
                self.breach(&format!("i5: p{id} causes a second effect out of one pause"));
            }
        } else if self.now > self.bound(id) {
            self.breach(&format!("i5: p{id} causes an effect past its bound"));
        }
    }

    pub(super) fn judge_poll(&mut self, id: usize, bot: BotId, evicted: &[Poll]) {
        for poll in evicted {
            let pause = self.verdict.waking.or(self.processes[poll.process].paused);
            let Some(pause) = pause else {
                self.breach(&format!("i5: p{id} polls bot {bot} while p{} does", poll.process));
                continue;
            };
            let late = self.verdict.late_polls.entry((pause, bot)).or_default();
            *late += 1;
            if *late > 1 {
                self.breach(&format!("i5: a second late poll of bot {bot} out of one pause"));
            }
        }
    }

    pub(super) fn judge_step(&mut self) {
        let open: Vec<_> = self.telegram.polling().collect();
        for (bot, poll) in open {
            if self.processes[poll.process].paused.is_none() && self.now > self.bound(poll.process) {
                self.breach(&format!("i5: p{} keeps its poll of bot {bot} open past its bound", poll.process));
            }
        }
    }

    pub(super) fn before(&self, _from: usize, call: &Call) -> Before {
        match call {
            Call::Take(_) | Call::Look(..) | Call::ReadBot(..) => {
                Before { sending: self.rows.being_sent(), ..Before::default() }
            }
            Call::Commit(operation, _) => {
                let lease = operation.fence().and_then(|(key, _)| self.rows.lease(key));
                Before { lease: lease.map(|lease| (lease.key, lease.epoch, lease.owner)), ..Before::default() }
            }
            _ => Before::default(),
        }
    }

    pub(super) fn judge_call(&mut self, from: usize, call: &Call, got: Option<&Got>, before: Before) {
        let me = self.processes[from].me;
        if let (Call::Commit(operation, then), Some(Got::Judged(Ok(applied)))) = (call, got) {
            if let (Some((key, epoch)), Some((_, current, owner))) = (operation.fence(), before.lease)
                && (current != epoch || owner != Some(me))
            {
                self.breach(&format!("i6: p{from} wrote for {key} under epoch {epoch}, which is at {current}"));
            }
            if let Then::HandedOver(key, ..) = then {
                self.owner_changed(*key);
            }
            if let (Applied::Ingested { .. }, Operation::Ingest(op)) = (applied, &**operation)
                && op.next_offset < 1
            {
                self.breach(&format!("i1: bot {} confirms {}", op.bot, op.next_offset));
            }
        }
        if let (Call::Take(_), Some(Got::Taken(taken))) = (call, got) {
            for (key, _) in taken.clone() {
                self.owner_changed(key);
            }
        }
        for (message, sender) in before.sending {
            let still = self.rows.being_sent().iter().any(|(id, _)| *id == message);
            let lives = sender.is_some_and(|sender| self.lives(sender));
            let bot = now(self.rows.message(message)).ok().flatten().map(|message| message.bot);
            let since = bot.and_then(|bot| self.verdict.owned_since.get(&LeaseKey::Bot(bot)).copied());
            let patient = self.now.saturating_sub(since.unwrap_or(self.now)) >= self.settings.send_patience * 98 / 100;
            if !still && lives && !patient {
                self.breach(&format!("i4: message {message} became unknown while its sender lives"));
            }
        }
    }

    fn owner_changed(&mut self, key: LeaseKey) {
        self.report.moves += 1;
        self.verdict.owned_since.insert(key, self.now);
    }

    fn lives(&self, node: Incarnation) -> bool {
        self.rows.every_node().iter().any(|known| known.incarnation == node && known.state != NodeState::Dead)
    }

    /// Returns whether nothing is left to do.
    pub(super) fn at_rest(&self) -> bool {
        self.unrest().is_empty()
    }

    fn unrest(&self) -> Vec<String> {
        let mut unrest = Vec::new();
        let Ok(depths) = now(self.rows.depths()) else { return vec!["the rows do not answer".to_owned()] };
        if (depths.inbox, depths.turns, depths.outbox) != (0, 0, 0) {
            unrest.push(format!("i8: work is left over: {depths:?}"));
        }
        let Ok(picture) = now(self.rows.picture()) else { return unrest };
        let owner = |lease: &crate::domain::ownership::Lease| lease.owner.filter(|owner| picture.lives(*owner));
        for lease in &picture.leases {
            if owner(lease).is_none() {
                unrest.push(format!("{} has no living owner", lease.key));
            }
        }
        for kind in ["bot", "chat"] {
            let held = |node: Incarnation| {
                picture.leases.iter().filter(|l| l.key.kind() == kind && l.owner == Some(node)).count()
            };
            let counts: Vec<_> =
                picture.nodes.iter().filter(|n| n.takes_leases()).map(|n| held(n.incarnation)).collect();
            if counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0) > 1 {
                unrest.push(format!("{kind}s are spread as {counts:?}"));
            }
        }
        if self.slots.iter().any(|slot| slot.wanted && slot.process.is_none_or(|id| self.processes[id].ended)) {
            unrest.push("a process is missing".to_owned());
        }
        let heard: usize = self.telegram.feeds.values().map(|feed| feed.updates.len()).sum();
        if heard > self.telegram.feeds.len() * 10 {
            unrest.push("updates wait".to_owned());
        }
        let stored = self.stored();
        for (bot, feed) in &self.telegram.feeds {
            if feed.all.keys().any(|update| !stored.contains_key(&(bot.0, *update))) {
                unrest.push(format!("i8: updates of bot {bot} are not stored"));
            }
        }
        for bot in &self.bots {
            let owner = picture.leases.iter().find(|lease| lease.key == LeaseKey::Bot(*bot)).and_then(owner);
            let polls: Vec<_> = self.telegram.polling().filter(|(of, _)| of == bot).collect();
            let right = polls.iter().all(|(_, poll)| Some(self.processes[poll.process].me) == owner);
            if !right || (polls.is_empty() && !self.is_between_polls(*bot)) {
                unrest.push(format!("bot {bot} is not polled by its owner"));
            }
        }
        unrest
    }

    fn is_between_polls(&self, bot: BotId) -> bool {
        let living = self.processes.iter().filter(|process| !process.ended);
        living.filter_map(|process| process.bots.get(&bot)).any(|actor| matches!(actor.offset, Offset::Read(_)))
    }

    /// Returns the stored updates, by bot and update, with how often each became an entry.
    fn stored(&self) -> BTreeMap<(i64, i64), u32> {
        let Ok((records, _)) = now(self.rows.outcomes(OutcomeCursor::default(), usize::MAX)) else {
            return BTreeMap::new();
        };
        let mut stored = BTreeMap::new();
        for record in records {
            if let (Some(bot), Some(update)) = (record.bot_id, record.update_id) {
                *stored.entry((bot.0 - 1_000, update)).or_default() += u32::from(record.outcome == "appended");
            }
        }
        stored
    }

    /// Judges the end, after all faults are healed.
    pub(super) fn judge_end(&mut self) {
        for what in self.unrest() {
            self.breach(&what);
        }
        let stored = self.stored();
        let twice: Vec<_> =
            stored.iter().filter(|(_, times)| **times != 1).map(|(key, times)| (*key, *times)).collect();
        for ((bot, update), times) in twice {
            self.breach(&format!("i2: update {update} of bot {bot} became {times} entries"));
        }
        for chat in self.chats.clone() {
            let last = now(self.rows.chat_memory(chat, 1)).map(|memory| memory.last_number).unwrap_or_default();
            let entries = now(self.rows.transcript(chat, last, usize::MAX)).unwrap_or_default();
            let numbered = entries.iter().zip(1..).all(|(entry, number)| entry.number.0 == number);
            let messages: BTreeSet<_> = entries.iter().map(|entry| entry.message_id).collect();
            if !numbered || entries.len() as i64 != last.0 || messages.len() != entries.len() {
                self.breach(&format!("i3: the transcript of chat {chat} is not 1..{last}, each message once"));
            }
        }
        let doubled: Vec<_> =
            self.telegram.sends.iter().filter(|(_, sends)| sends.len() > 1).map(|(id, _)| *id).collect();
        for message in doubled {
            self.breach(&format!("i4: message {message} was sent twice"));
        }
        for (turn, messages) in self.rows.every_turn() {
            let state = turn.progress.state;
            if !matches!(state, TurnState::Done | TurnState::Dead) {
                self.breach(&format!("i8: turn {} ended {}", turn.id, state.as_str()));
            }
            if state == TurnState::Done && messages == 0 {
                self.breach(&format!("i8: turn {} is done without a message", turn.id));
            }
        }
        for message in self.rows.every_message() {
            let arrived = self.telegram.sends.get(&message.id).and_then(|sends| sends.first()).map(|(_, id)| *id);
            let (state, told) = (message.progress.state.as_str(), message.progress.message_id);
            if (state == "sent" && told != arrived) || (state == "unknown" && told.is_some()) || state == "cancelled" {
                self.breach(&format!("i4: message {} is {state} as {told:?}, and arrived as {arrived:?}", message.id));
            }
        }
    }
}
