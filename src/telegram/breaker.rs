//! The node's breaker in front of Telegram: failures open it for the sends; polls always go, and probe it.
//! Layer `adapters`.
//!
//! After its pause the breaker is half open: one send at a time may try. An answered poll closes the breaker at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use botfleet_actors::ports::metrics;
use failsafe::backoff::{self, Constant};
use failsafe::failure_policy::{self, ConsecutiveFailures};
use failsafe::{Config, Instrument, StateMachine};
use tokio::sync::{Semaphore, SemaphorePermit};

const CLOSED: u8 = 0;
const HALF_OPEN: u8 = 1;
const OPEN: u8 = 2;

/// Copies the state of the state machine, which does not tell its state itself.
#[derive(Clone, Debug, Default)]
struct Mirror(Arc<AtomicU8>);

impl Mirror {
    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Release);
        metrics::telegram_breaker_state.handle().set(f64::from(state));
    }
}

impl Instrument for Mirror {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        self.set(OPEN);
        tracing::warn!("telegram cannot be reached, sends are stopped");
    }

    fn on_half_open(&self) {
        self.set(HALF_OPEN);
    }

    fn on_closed(&self) {
        if self.0.load(Ordering::Acquire) != CLOSED {
            tracing::info!("telegram answers again, sends go on");
        }
        self.set(CLOSED);
    }
}

/// The breaker in front of the sends.
#[derive(Debug)]
pub struct Breaker {
    machine: StateMachine<ConsecutiveFailures<Constant>, Mirror>,
    mirror: Mirror,
    trial: Semaphore,
}

/// The right to make one gated call; hold it until the call is settled.
#[derive(Debug)]
pub struct Admission<'a> {
    _trial: Option<SemaphorePermit<'a>>,
}

impl Breaker {
    /// Makes a closed breaker, which `failures` in a row open for `open_for`.
    pub fn new(failures: u32, open_for: Duration) -> Self {
        let mirror = Mirror::default();
        let policy = failure_policy::consecutive_failures(failures, backoff::constant(open_for));
        Self {
            machine: Config::new().failure_policy(policy).instrument(mirror.clone()).build(),
            mirror,
            trial: Semaphore::new(1),
        }
    }

    /// Admits a send. Returns `None` while open, or while half open with a send on trial already.
    pub fn admit(&self) -> Option<Admission<'_>> {
        if !self.machine.is_call_permitted() {
            return None;
        }
        if self.mirror.0.load(Ordering::Acquire) == CLOSED {
            return Some(Admission { _trial: None });
        }
        let trial = self.trial.try_acquire().ok()?;
        Some(Admission { _trial: Some(trial) })
    }

    /// Returns whether a send would be admitted now.
    pub fn would_admit(&self) -> bool {
        self.is_closed() || (self.machine.is_call_permitted() && self.trial.available_permits() > 0)
    }

    /// Notes that Telegram answered, whatever the answer; a probe's answer closes an open breaker.
    pub fn answered(&self, probe: bool) {
        if probe && self.mirror.0.load(Ordering::Acquire) != CLOSED {
            self.machine.reset();
        }
        self.machine.on_success();
    }

    /// Notes that Telegram could not be reached, or did not answer.
    pub fn failed(&self) {
        self.machine.on_error();
    }

    /// Returns whether sends go; false while they are refused, or tried one at a time.
    pub fn is_closed(&self) -> bool {
        self.mirror.0.load(Ordering::Acquire) == CLOSED
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn failures_in_a_row_stop_the_sends_and_an_answer_between_starts_anew() {
        let breaker = Breaker::new(3, Duration::from_hours(1));
        breaker.failed();
        breaker.failed();
        breaker.answered(false);
        breaker.failed();
        breaker.failed();
        assert!(breaker.admit().is_some());
        breaker.failed();
        assert!(breaker.admit().is_none());
    }

    #[test]
    fn an_answered_poll_closes_it_and_an_answered_send_from_before_does_not() {
        let breaker = Breaker::new(1, Duration::from_hours(1));
        breaker.failed();
        breaker.answered(false);
        assert!(breaker.admit().is_none());
        breaker.answered(true);
        assert!(breaker.is_closed() && breaker.admit().is_some());
    }

    #[test]
    fn it_tells_beforehand_whether_it_admits() {
        let breaker = Breaker::new(1, Duration::from_hours(1));
        assert!(breaker.would_admit());
        breaker.failed();
        assert!(!breaker.would_admit());
        breaker.answered(true);
        assert!(breaker.would_admit());
    }

    #[test]
    fn half_open_admits_one_send_at_a_time() {
        let breaker = Breaker::new(1, Duration::ZERO);
        breaker.failed();
        // The pause of zero is over as soon as the clock has moved.
        let trial = loop {
            if let Some(trial) = breaker.admit() {
                break trial;
            }
        };
        assert!(breaker.admit().is_none());
        drop(trial);
        let trial = breaker.admit().unwrap();
        breaker.answered(false);
        drop(trial);
        let (_one, _two) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    }
}
