//! Keeps the turns that wait: first for their time, then for room. Layer `actors`.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::time::Instant;

use crate::behaviour::job::TurnJob;
use crate::domain::ids::{ChatId, TurnId};
use crate::domain::time::Timestamp;
use crate::policy::queue::FairQueue;

/// The wait after which a turn goes before those of higher priority, every second time.
const TURN_AGES_AFTER: Duration = Duration::from_secs(20);

/// Turns that wait in memory.
pub(super) struct WaitingTurns {
    /// Turns that are not due yet.
    not_due: Vec<TurnJob>,
    /// Turns that are due and wait for room.
    due: FairQueue<ChatId, TurnJob>,
    /// All turns in memory, also those at work, so that reading the store does not take a turn twice.
    known: HashSet<TurnId>,
    /// The time for which a timer is set.
    timer: Option<Timestamp>,
}

impl WaitingTurns {
    /// Creates an empty queue for so many due turns.
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            not_due: Vec::new(),
            due: FairQueue::new(capacity.get(), TURN_AGES_AFTER),
            known: HashSet::new(),
            timer: None,
        }
    }

    /// Takes a turn, unless it is in memory already.
    pub(super) fn take(&mut self, job: TurnJob) {
        if self.known.insert(job.turn.id) {
            self.not_due.push(job);
        }
    }

    /// Returns the number of turns that wait.
    pub(super) fn len(&self) -> usize {
        self.not_due.len() + self.due.len()
    }

    /// Returns whether the turn is in memory, waiting or at work.
    pub(super) fn knows(&self, turn: TurnId) -> bool {
        self.known.contains(&turn)
    }

    /// Returns all turns in memory.
    pub(super) fn known(&self) -> Vec<TurnId> {
        self.known.iter().copied().collect()
    }

    /// Forgets a turn that was at work.
    pub(super) fn forget(&mut self, turn: TurnId) {
        self.known.remove(&turn);
    }

    /// Moves turns whose time has come among the due ones.
    pub(super) fn ripen(&mut self, now: Timestamp) {
        for job in self.not_due.extract_if(.., |job| job.turn.due_at <= now) {
            let (priority, chat) = (usize::from(job.turn.priority), job.turn.chat);
            // The queue takes all that memory holds; should one turn have to go, the store still has it.
            if let Some(shed) = self.due.push(priority, chat, job, Instant::now()) {
                self.known.remove(&shed.turn.id);
            }
        }
    }

    /// Takes the next due turn, by priority, age and chat.
    pub(super) fn pop(&mut self) -> Option<TurnJob> {
        self.due.pop(Instant::now())
    }

    /// Returns the time until the next turn is due, unless a timer is set for it already.
    pub(super) fn timer(&mut self, now: Timestamp) -> Option<Duration> {
        let next = self.not_due.iter().map(|job| job.turn.due_at).min()?;
        if self.timer.is_some_and(|timer| timer <= next && timer > now) {
            return None;
        }
        self.timer = Some(next);
        Some(next.since(now))
    }

    /// Notes that the timer has run out.
    pub(super) fn timer_ended(&mut self) {
        self.timer = None;
    }

    /// Forgets the turns that wait, so that they are read from the store again.
    pub(super) fn forget_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.not_due).into_iter().chain(self.due.extract(|_| true));
        for job in waiting {
            self.known.remove(&job.turn.id);
        }
    }

    /// Forgets all turns that are not due, and which turns are in memory.
    pub(super) fn clear(&mut self) {
        self.not_due.clear();
        self.known.clear();
    }
}
