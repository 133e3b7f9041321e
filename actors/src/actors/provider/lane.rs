//! One model of a provider: breaker, bulkhead, waiting calls, cost. Layer `actors`.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use ::metrics::Gauge;
use tokio::time::Instant;

use super::call::{CallError, Waiting, give_all};
use super::price::TokenCount;
use super::settings::ProviderSettings;
use super::snapshot::{ModelSnapshot, ModelState};
use super::trouble::Trouble;
use crate::domain::allowance::NANOS_PER_UNIT;
use crate::domain::ids::ChatId;
use crate::policy::breaker::{Breaker, BreakerState};
use crate::policy::queue::{FairQueue, PRIORITIES};
use crate::ports::metrics;

/// After waiting this long, a call is made whatever its priority.
const AGE_AFTER: Duration = Duration::from_secs(20);

/// Shortest time between two searches of all waiting calls for late or withdrawn ones.
const SWEEP_EVERY: Duration = Duration::from_millis(50);

/// Names of the priorities in metrics.
const PRIORITY_NAMES: [&str; PRIORITIES] = ["people", "bots", "unasked"];

/// Billionths in one unit of the cost metric.
const NANOS_PER_MILLIONTH: i64 = 1_000;

/// Metrics that a lane shows at all times.
struct Gauges {
    waiting: [Gauge; PRIORITIES],
    in_flight: Gauge,
    breaker: Gauge,
}

pub(super) struct Lane {
    pub(super) breaker: Arc<Breaker>,
    queue: FairQueue<ChatId, Waiting>,
    /// Calls that wait for others to give allowances back, by priority and age.
    parked: BTreeMap<(usize, u64), Waiting>,
    /// No waiting call has a deadline before this.
    next_deadline: Option<Instant>,
    capacity: usize,
    /// When withdrawn calls were last searched for.
    swept: Option<Instant>,
    pub(super) in_flight: usize,
    pub(super) calls: u64,
    shed: u64,
    pub(super) trouble: Trouble,
    answered: bool,
    tokens: TokenCount,
    nanos: i64,
    gauges: Gauges,
}

impl Lane {
    pub(super) fn new(settings: &ProviderSettings, provider: &str, model: &str) -> Self {
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let waiting = |priority: &'static str| {
            metrics::llm_calls_waiting { provider: provider.clone(), model: model.clone(), priority }.handle()
        };
        let gauges = Gauges {
            waiting: PRIORITY_NAMES.map(waiting),
            in_flight: metrics::llm_calls_in_flight { provider: provider.clone(), model: model.clone() }.handle(),
            breaker: metrics::llm_breaker_state { provider: provider.clone(), model: model.clone() }.handle(),
        };
        Self {
            gauges,
            breaker: Arc::new(Breaker::new(settings.breaker)),
            queue: FairQueue::new(settings.waiting.get(), AGE_AFTER),
            parked: BTreeMap::new(),
            next_deadline: None,
            capacity: settings.waiting.get(),
            swept: None,
            in_flight: 0,
            calls: 0,
            shed: 0,
            trouble: Trouble::default(),
            answered: false,
            tokens: TokenCount::default(),
            nanos: 0,
        }
    }

    /// Returns whether the queue is empty; parked calls do not count.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + self.parked.len()
    }

    /// Adds a call; returns the call that is shed in its place, if any.
    pub(super) fn push(&mut self, waiting: Waiting, provider: &str, now: Instant) -> Option<Waiting> {
        if self.waiting() >= self.capacity && self.swept.is_none_or(|swept| swept + SWEEP_EVERY <= now) {
            self.swept = Some(now);
            give_all(self.withdrawn(), &CallError::Withdrawn);
        }
        self.note_deadline(waiting.call.deadline);
        let (priority, chat) = (usize::from(waiting.call.priority), waiting.call.chat);
        let from_parked = self.parked_to_shed(priority);
        let beside = self.parked.len();
        let from_queue = self.queue.push_beside(beside, priority, chat, waiting, now);
        let (shed, also) = if from_parked.is_some() { (from_parked, from_queue) } else { (from_queue, None) };
        // More calls than the capacity wait after calls under way came back.
        for shed in shed.iter().chain(&also) {
            self.shed += 1;
            let name = PRIORITY_NAMES[usize::from(shed.call.priority).min(PRIORITIES - 1)];
            metrics::llm_calls_shed_total { provider: provider.to_owned(), priority: name }.increment(1);
        }
        give_all(also.into_iter().collect(), &CallError::Shed);
        shed
    }

    /// When the lane is full, takes out the least urgent parked call, if it is less urgent than `priority` and than
    /// every call in the queue.
    fn parked_to_shed(&mut self, priority: usize) -> Option<Waiting> {
        if self.waiting() < self.capacity {
            return None;
        }
        let least = self.parked.last_entry()?;
        let (least_priority, _) = *least.key();
        let spares_others = self.queue.least_urgent().is_none_or(|other| other < *least.key());
        (least_priority > priority && spares_others).then(|| least.remove())
    }

    /// Puts a call back at its place in the queue.
    pub(super) fn put_back(&mut self, waiting: Waiting) {
        self.note_deadline(waiting.call.deadline);
        let (chat, place) = (waiting.call.chat, waiting.place);
        self.queue.put_back(chat, waiting, place);
    }

    /// Parks a call until others give allowances back.
    pub(super) fn park(&mut self, waiting: Waiting) {
        self.note_deadline(waiting.call.deadline);
        self.parked.insert(waiting.place.rank(), waiting);
    }

    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Puts the parked calls back into the queue.
    pub(super) fn unpark(&mut self) {
        for waiting in mem::take(&mut self.parked).into_values().rev() {
            self.put_back(waiting);
        }
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Waiting> {
        let (mut waiting, place) = self.queue.pop_place(now)?;
        waiting.place = place;
        Some(waiting)
    }

    /// Takes out all waiting calls.
    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        self.next_deadline = None;
        self.queue.extract(|_| true).into_iter().chain(mem::take(&mut self.parked).into_values()).collect()
    }

    /// Takes out the calls that were withdrawn.
    fn withdrawn(&mut self) -> Vec<Waiting> {
        let mut found = self.queue.extract(|waiting| waiting.call.wanted.is_withdrawn());
        let parked = self.parked.extract_if(.., |_, waiting| waiting.call.wanted.is_withdrawn());
        found.extend(parked.map(|(_, waiting)| waiting));
        found
    }

    /// Takes out the calls whose deadline has passed.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<Waiting> {
        if self.next_deadline.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut expired = self.queue.extract(|waiting| waiting.call.deadline <= now);
        let parked = self.parked.extract_if(.., |_, waiting| waiting.call.deadline <= now);
        expired.extend(parked.map(|(_, waiting)| waiting));
        let left = self.queue.iter().chain(self.parked.values());
        self.next_deadline = left.map(|waiting| waiting.call.deadline.max(now + SWEEP_EVERY)).min();
        expired
    }

    /// Returns when to look for calls whose deadline has passed.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next_deadline.filter(|_| self.waiting() > 0)
    }

    fn note_deadline(&mut self, deadline: Instant) {
        self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
    }

    /// Counts an answered call, with the tokens and cost charged.
    pub(super) fn count(&mut self, provider: &str, model: &str, tokens: TokenCount, nanos: i64) {
        self.answered = true;
        let before = self.nanos / NANOS_PER_MILLIONTH;
        self.nanos += nanos;
        self.tokens.prompt += tokens.prompt;
        self.tokens.completion += tokens.completion;
        self.tokens.cached += tokens.cached;
        let millionths = (self.nanos / NANOS_PER_MILLIONTH - before).max(0);
        if millionths > 0 {
            metrics::llm_cost_millionths_total { provider: provider.to_owned(), model: model.to_owned() }
                .increment(millionths as u64);
        }
    }

    /// Updates the metrics of waiting calls, calls under way and the breaker: 0 closed, 1 half open, 2 open.
    pub(super) fn publish(&self) {
        for (gauge, count) in self.gauges.waiting.iter().zip(self.lengths()) {
            gauge.set(count as f64);
        }
        self.gauges.in_flight.set(self.in_flight as f64);
        self.gauges.breaker.set(match self.breaker.state() {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        });
    }

    fn lengths(&self) -> [usize; PRIORITIES] {
        let mut waiting = self.queue.lengths();
        for (priority, _) in self.parked.keys() {
            waiting[*priority] += 1;
        }
        waiting
    }

    fn state(&self) -> ModelState {
        match (self.trouble.is_failing(), self.answered) {
            (true, _) => ModelState::Failing,
            (false, true) => ModelState::Working,
            (false, false) => ModelState::Untried,
        }
    }

    pub(super) fn snapshot(&self, model: &str) -> ModelSnapshot {
        ModelSnapshot {
            model: model.to_owned(),
            breaker: self.breaker.state(),
            state: self.state(),
            failures: self.trouble.in_a_row(),
            last_error: self.trouble.last().cloned(),
            in_flight: self.in_flight,
            waiting: self.lengths(),
            calls: self.calls,
            shed: self.shed,
            prompt_tokens: self.tokens.prompt,
            completion_tokens: self.tokens.completion,
            cached_tokens: self.tokens.cached,
            cost: self.nanos as f64 / NANOS_PER_UNIT,
        }
    }
}
