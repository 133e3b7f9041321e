//! Circuit breaker over `failsafe`: opens after failures in a row, lets one call probe when its pause is over. Layer
//! `policy`. A dropped call records nothing, so put the timeout inside the call.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use failsafe::backoff::{self, Constant};
use failsafe::failure_policy::{self, ConsecutiveFailures};
use failsafe::{Config, Instrument, StateMachine};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::keys::keyed;
use crate::domain::keys::rule::key;

/// Number of witnesses that are told apart; so many failures have opened the breaker long before.
const WITNESSES_MAX: usize = 64;

keyed! {
    /// Settings of a breaker, which stops the calls of what fails for a while.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct BreakerSettings {
        /// Number of failures in a row that open the breaker.
        pub failures: NonZeroU32 = key(NonZeroU32::MIN.saturating_add(4));
        /// Time for which the breaker stays open before one call may probe.
        #[serde(with = "humantime_serde")]
        pub open_for: Duration = key(Duration::from_mins(1));
    }
}

/// The states of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// One call probes.
    HalfOpen,
}

#[derive(Clone, Debug)]
struct Gauge(Arc<AtomicU8>);

impl Instrument for Gauge {
    fn on_call_rejected(&self) {}
    fn on_open(&self) {
        self.0.store(1, Ordering::Relaxed);
    }
    fn on_half_open(&self) {
        self.0.store(2, Ordering::Relaxed);
    }
    fn on_closed(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    machine: StateMachine<ConsecutiveFailures<Constant>, Gauge>,
    gauge: Gauge,
    probe: Arc<Semaphore>,
    witnesses: Witnesses,
}

/// Ids of the witnesses whose calls have failed since the last success.
type Witnesses = Arc<Mutex<Vec<i64>>>;

/// Permission to make one call; the caller reports how the call went.
#[derive(Debug)]
pub struct Admission {
    machine: StateMachine<ConsecutiveFailures<Constant>, Gauge>,
    probe: Option<OwnedSemaphorePermit>,
    witnesses: Witnesses,
}

impl Admission {
    /// Records that the call succeeded.
    pub fn succeeded(self) {
        self.witnesses.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.machine.on_success();
        drop(self.probe);
    }

    /// Records that the call failed in a way that counts against the other side.
    pub fn failed(self) {
        self.machine.on_error();
        drop(self.probe);
    }

    /// Records a failure that `witness` may have caused. Failures of one witness count once until the next success, so
    /// one witness alone does not open the breaker.
    pub fn failed_before(self, witness: i64) {
        let mut witnesses = self.witnesses.lock().unwrap_or_else(PoisonError::into_inner);
        if witnesses.contains(&witness) || witnesses.len() >= WITNESSES_MAX {
            return;
        }
        witnesses.push(witness);
        drop(witnesses);
        self.failed();
    }
}

impl Breaker {
    /// Creates a closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        let gauge = Gauge(Arc::new(AtomicU8::new(0)));
        let policy =
            failure_policy::consecutive_failures(settings.failures.get(), backoff::constant(settings.open_for));
        let machine = Config::new().failure_policy(policy).instrument(gauge.clone()).build();
        Self { machine, gauge, probe: Arc::new(Semaphore::new(1)), witnesses: Witnesses::default() }
    }

    /// Returns permission to call now, or `None` while the breaker is open or another call probes.
    pub fn admit(&self) -> Option<Admission> {
        if !self.machine.is_call_permitted() {
            return None;
        }
        let probe = match self.state() {
            BreakerState::Closed => None,
            _ => Some(Arc::clone(&self.probe).try_acquire_owned().ok()?),
        };
        Some(Admission { machine: self.machine.clone(), probe, witnesses: Arc::clone(&self.witnesses) })
    }

    /// Returns the state of the breaker.
    pub fn state(&self) -> BreakerState {
        match self.gauge.0.load(Ordering::Relaxed) {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(open_for: Duration) -> Breaker {
        Breaker::new(BreakerSettings { failures: NonZeroU32::MIN.saturating_add(1), open_for })
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let breaker = breaker(Duration::from_secs(60));
        breaker.admit().expect("closed").failed();
        breaker.admit().expect("one failure is not enough").failed();
        assert!(breaker.admit().is_none());
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let breaker = breaker(Duration::from_secs(60));
        for _ in 0..5 {
            breaker.admit().expect("closed").failed();
            breaker.admit().expect("closed").succeeded();
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn one_witness_alone_opens_nothing_and_two_do() {
        let breaker = breaker(Duration::from_secs(60));
        for _ in 0..5 {
            breaker.admit().expect("one witness is not enough").failed_before(1);
        }
        breaker.admit().expect("closed").succeeded();
        breaker.admit().expect("closed").failed_before(2);
        breaker.admit().expect("the first witness saw it work since").failed_before(1);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn one_call_probes_when_the_pause_is_over() {
        let breaker = breaker(Duration::ZERO);
        breaker.admit().expect("closed").failed();
        breaker.admit().expect("closed").failed();
        std::thread::yield_now();
        let probe = loop {
            if let Some(probe) = breaker.admit() {
                break probe;
            }
        };
        assert!(breaker.admit().is_none(), "a second call while one probes");
        probe.succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
