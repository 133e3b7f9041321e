//! The scheduler: virtual time, links, delays, randomness. Part of the testkit.
//!
//! This file is longer than others because it lists everything that can happen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use super::Report;
use super::process::{Call, Clock, Msg, Outside, Process};
use super::storm::Fault;
use super::telegram::Telegram;
use super::verdict::Verdict;
use crate::domain::ids::{AttemptId, BotId, ChatId, Epoch, MessageId};
use crate::domain::outbox::{OutboxMessage, SendResult};
use crate::domain::ownership::Incarnation;
use crate::domain::time::Timestamp;
use crate::policy::ownership::observer::Observer;
use crate::policy::ownership::settings::OwnershipSettings;
use crate::ports::bus::Hint;
use crate::ports::store::Store;
use crate::testkit::memory_store::MemoryStore;
use crate::testkit::rows;

/// The number of steps after which a seed counts as endless; a seed takes about 13,000.
const STEPS_MAX: u64 = 500_000;

/// Stands for any epoch of the actor: Telegram knows none.
pub(super) const ANY_EPOCH: Epoch = Epoch(-1);

/// A duration of this many milliseconds.
pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Something that happens at some time.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A process hears something.
    Deliver(usize, Box<Msg>),
    /// A call reaches the store.
    Execute(usize, Box<Call>),
    /// A message reaches Telegram.
    Arrive(usize, AttemptId, Box<OutboxMessage>),
    /// Telegram answers a poll.
    AnswerPoll(BotId, u64),
    /// Somebody writes in a chat.
    Write(BotId, ChatId),
    /// A process is started in a slot.
    Launch(usize),
    /// A pause ends.
    GoOn(usize, u64),
    /// A fault begins.
    Fault(Fault),
    /// All faults end.
    Heal,
}

/// The place of a node: its name, its links, its process.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) process: Option<usize>,
    pub(super) wanted: bool,
    pub(super) store: Link,
    pub(super) deaf_to_hints: bool,
    pub(super) telegram_cut: bool,
}

/// A link to the store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Link {
    Up,
    Down,
    /// Calls are carried out, answers are lost.
    NoAnswers,
}

pub(super) struct Sim {
    pub(super) now: Duration,
    heap: BinaryHeap<Reverse<(Duration, u64)>>,
    actions: BTreeMap<u64, Action>,
    sequence: u64,
    pub(super) random: fastrand::Rng,
    pub(super) settings: OwnershipSettings,
    pub(super) rows: MemoryStore,
    pub(super) telegram: Telegram,
    pub(super) slots: Vec<Slot>,
    pub(super) processes: Vec<Process>,
    pub(super) bots: Vec<BotId>,
    pub(super) chats: Vec<ChatId>,
    pub(super) hints_lost: f64,
    pub(super) pauses: u64,
    pub(super) last_id: i64,
    pub(super) healed_at: Duration,
    pub(super) verdict: Verdict,
    pub(super) report: Report,
    traced: bool,
}

impl Sim {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let rows = MemoryStore::default();
        let plan = rows::plan(random.i64(4..=12), random.i64(1..=4));
        let roster = now(rows.apply_roster(&plan, rows::at(0))).expect("the plan is sound");
        let settings = OwnershipSettings { send_patience: Duration::from_secs(15), ..OwnershipSettings::default() };
        Self {
            now: Duration::ZERO,
            heap: BinaryHeap::new(),
            actions: BTreeMap::new(),
            sequence: 0,
            random,
            settings,
            rows,
            telegram: Telegram::default(),
            slots: Vec::new(),
            processes: Vec::new(),
            bots: roster.bots.keys().copied().collect(),
            chats: roster.chats.keys().copied().collect(),
            hints_lost: 0.0,
            pauses: 0,
            last_id: 0,
            healed_at: Duration::MAX,
            verdict: Verdict::default(),
            report: Report { seed, ..Report::default() },
            traced,
        }
    }

    /// Runs the seed to its end, some time after the healing.
    pub(super) fn run(mut self) -> Report {
        self.set_the_scene();
        while let Some(Reverse((at, sequence))) = self.heap.pop() {
            if self.report.breaches.len() > 3 || at > self.healed_at.saturating_add(Duration::from_secs(40)) {
                break;
            }
            self.now = at;
            self.report.steps += 1;
            if self.report.steps > STEPS_MAX {
                self.report.breaches.push(format!("{:.3}: it turns in circles", at.as_secs_f64()));
                break;
            }
            let action = self.actions.remove(&sequence).expect("scheduled");
            self.act(action);
            self.judge_step();
            if self.now > self.healed_at.saturating_add(Duration::from_secs(6))
                && self.report.steps.is_multiple_of(64)
                && self.at_rest()
            {
                break;
            }
        }
        self.judge_end();
        self.report.sends = self.telegram.sends.values().map(|sends| sends.len() as u64).sum();
        self.report
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Deliver(to, msg) => self.deliver(to, *msg),
            Action::Execute(from, call) => self.execute(from, *call),
            Action::Arrive(from, attempt, message) => {
                let id = self.telegram.send(self.now, message.id);
                let slow = self.random.u8(..) < 5;
                let back = ms(self.random.u64(20..if slow { 3_000 } else { 200 }));
                self.trace(|| format!("message {} arrives from p{from}", message.id));
                self.after(back, Action::Deliver(from, Box::new(Msg::Sent(attempt, SendResult::Sent(id)))));
            }
            Action::AnswerPoll(bot, poll) => self.answer_poll(bot, poll),
            Action::Write(bot, chat) => {
                self.report.updates += 1;
                for poll in self.telegram.update(bot, chat) {
                    self.after(ms(3), Action::AnswerPoll(bot, poll.id));
                }
            }
            Action::Launch(slot) => self.launch(slot),
            Action::GoOn(process, pause) => self.go_on(process, pause),
            Action::Fault(fault) => self.fault(fault),
            Action::Heal => self.heal(),
        }
    }

    /// Schedules an action.
    pub(super) fn after(&mut self, delay: Duration, action: Action) {
        self.at(self.now + delay, action);
    }

    pub(super) fn at(&mut self, at: Duration, action: Action) {
        self.sequence += 1;
        self.actions.insert(self.sequence, action);
        self.heap.push(Reverse((at.max(self.now), self.sequence)));
    }

    pub(super) fn trace(&mut self, what: impl FnOnce() -> String) {
        if self.traced {
            self.report.trace.push(format!("{:>9.3} {}", self.now.as_secs_f64(), what()));
        }
    }

    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// The database's clock.
    pub(super) fn wall(&self) -> Timestamp {
        rows::at(0) + self.now
    }

    fn deliver(&mut self, to: usize, msg: Msg) {
        let process = &mut self.processes[to];
        if process.ended {
            return;
        }
        if process.paused.is_some() {
            process.queued.push_back(msg);
            return;
        }
        self.hear(to, msg);
    }

    /// Starts a process in a slot, if one is wanted and none runs.
    fn launch(&mut self, slot: usize) {
        let running = self.slots[slot].process.is_some_and(|process| !self.processes[process].ended);
        if running || !self.slots[slot].wanted {
            return;
        }
        let id = self.processes.len();
        let clock = Clock {
            offset: Duration::from_secs(self.random.u64(10..100_000)),
            rate: self.random.u32(990_000..=1_010_000),
        };
        self.processes.push(Process {
            slot,
            launch: id as i64 + 1,
            ended: false,
            paused: None,
            queued: std::collections::VecDeque::new(),
            ambush: None,
            store: self.rows.reopened(),
            clock,
            machine: None,
            me: Incarnation(0),
            waiting: Observer::default(),
            good_beat: None,
            wake_at: Duration::MAX,
            bots: BTreeMap::new(),
            chats: BTreeMap::new(),
            sending: BTreeMap::new(),
            returns: true,
        });
        self.slots[slot].process = Some(id);
        self.trace(|| format!("p{id} starts in slot {slot}"));
        self.after(ms(50), Action::Deliver(id, Box::new(Msg::Start)));
    }

    /// Ends a process at once, without any message.
    pub(super) fn end(&mut self, id: usize, why: &str) {
        if self.processes[id].ended {
            return;
        }
        self.trace(|| format!("p{id} ends: {why}"));
        let process = &mut self.processes[id];
        process.ended = true;
        process.queued.clear();
        let (slot, returns) = (process.slot, process.returns);
        self.telegram.close(id, None);
        if !returns {
            self.slots[slot].wanted = false;
        }
    }

    /// Pauses a process.
    pub(super) fn pause(&mut self, id: usize, length: Duration) {
        if self.processes[id].ended || self.processes[id].paused.is_some() {
            return;
        }
        self.pauses += 1;
        let pause = self.pauses;
        self.processes[id].paused = Some(pause);
        self.trace(|| format!("p{id} is paused for {length:?}"));
        self.after(length, Action::GoOn(id, pause));
    }

    fn go_on(&mut self, id: usize, pause: u64) {
        if self.processes[id].ended || self.processes[id].paused != Some(pause) {
            return;
        }
        self.trace(|| format!("p{id} goes on"));
        self.verdict.waking = Some(pause);
        self.processes[id].paused = None;
        // Effects that were between check and effect come first.
        while self.processes[id].paused.is_none() && !self.processes[id].ended {
            let Some(msg) = self.processes[id].queued.pop_front() else { break };
            if !matches!(msg, Msg::Late(_)) {
                self.verdict.waking = None;
            }
            self.hear(id, msg);
        }
        self.verdict.waking = None;
        self.deliver(id, Msg::Wake);
    }

    fn answer_poll(&mut self, bot: BotId, poll: u64) {
        let open = self.telegram.polling().find(|(of, open)| *of == bot && open.id == poll);
        let Some((_, open)) = open else { return };
        let Some(batch) = self.telegram.answer(bot, poll) else { return };
        let epoch = self.processes[open.process].bots.get(&bot).map(|actor| actor.epoch);
        if let Some(epoch) = epoch {
            self.after(ms(5), Action::Deliver(open.process, Box::new(Msg::Polled(bot, epoch, poll, Some(batch)))));
        }
    }

    /// Returns whether a process may cause an effect now.
    pub(super) fn may_act(&self, id: usize) -> bool {
        let process = &self.processes[id];
        let local = process.clock.local(self.now);
        process.machine.as_ref().is_some_and(|machine| !machine.is_suspended() && local < machine.acts_until())
    }

    /// Causes an effect that was just allowed; a pause may come in between.
    pub(super) fn outside(&mut self, id: usize, effect: Outside) {
        if let Some(length) = self.processes[id].ambush.take() {
            self.processes[id].queued.push_front(Msg::Late(effect));
            self.pause(id, length);
            return;
        }
        self.cause(id, effect);
    }

    pub(super) fn cause(&mut self, id: usize, effect: Outside) {
        let cut = self.slots[self.processes[id].slot].telegram_cut;
        self.judge_effect(id);
        match effect {
            Outside::Poll(bot, epoch, _, asked) if cut => {
                self.after(ms(500), Action::Deliver(id, Box::new(Msg::Polled(bot, epoch, asked, None))));
            }
            Outside::Poll(bot, epoch, offset, asked) => {
                let opened = self.telegram.open(bot, id, offset);
                self.judge_poll(id, bot, &opened.evicted);
                for poll in opened.evicted {
                    self.after(
                        ms(5),
                        Action::Deliver(poll.process, Box::new(Msg::Polled(bot, ANY_EPOCH, poll.id, None))),
                    );
                }
                let waits = super::process::Polling::Open(asked);
                let poller = self.processes[id].bots.get_mut(&bot);
                if let Some(actor) = poller.filter(|actor| actor.epoch == epoch && actor.poll == waits) {
                    actor.poll = super::process::Polling::Open(opened.id);
                } else {
                    self.telegram.close(id, Some(bot));
                    return;
                }
                let wait = if opened.at_once { ms(10) } else { ms(5_000) };
                self.after(wait, Action::AnswerPoll(bot, opened.id));
            }
            Outside::Send(attempt, _) if cut => {
                let failed = SendResult::RetryAt(self.wall() + ms(500), "connection refused".to_owned());
                self.after(ms(20), Action::Deliver(id, Box::new(Msg::Sent(attempt, failed))));
            }
            Outside::Send(attempt, message) => {
                let slow = self.random.u8(..) < 5;
                let there = ms(self.random.u64(10..if slow { 1_000 } else { 100 }));
                self.after(there, Action::Arrive(id, attempt, message));
            }
        }
    }

    /// Sends hints to one node, or to all.
    pub(super) fn publish(&mut self, from: usize, to: Option<Incarnation>, hints: &[Hint]) {
        if self.slots[self.processes[from].slot].deaf_to_hints {
            return;
        }
        let to: Vec<usize> = (0..self.processes.len())
            .filter(|id| !self.processes[*id].ended && to.is_none_or(|to| to == self.processes[*id].me))
            .collect();
        for id in to {
            if self.random.f64() < self.hints_lost || self.slots[self.processes[id].slot].deaf_to_hints {
                continue;
            }
            let times = if self.random.u8(..) < 8 { 2 } else { 1 };
            for _ in 0..times {
                let delay = ms(self.random.u64(1..6));
                self.after(delay, Action::Deliver(id, Box::new(Msg::Hints(hints.to_vec()))));
            }
        }
    }

    /// Returns the message id under which the chat knows a row.
    pub(super) fn message_of(row: &crate::domain::inbox::InboxRow) -> MessageId {
        match serde_json::from_str::<crate::domain::inbox::SentEvent>(&row.payload) {
            Ok(event) => event.message_id,
            Err(_) => MessageId(row.id.0),
        }
    }
}

/// Returns the result of a call on rows in memory, which is always ready.
pub(super) fn now<T>(call: impl Future<Output = T>) -> T {
    use futures::FutureExt;
    call.now_or_never().expect("rows in memory answer at once")
}
