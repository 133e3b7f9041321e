//! The database's clock as a node of a cluster estimates it. Layer `runtime`.
//!
//! Every beat's answer carries the database's time. The estimate is anchored once, moves on by monotonic time, and is
//! drawn to what the beats say: backwards by running at most a tenth slower, forwards by running at most a hundredth
//! faster. So it never falls, a jump of this machine's clock does not touch it, and when the database's clock jumps
//! ahead by an hour, a pause of half a minute ends at most 0.3 s early by its due time, and not early at all where it is
//! waited for in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, NewNode, NodeRecord, NodeReport, Picture};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::cluster::{BeatAnswer, Cluster, Planner};
use botfleet_actors::ports::store::StoreError;

use super::clock::{AnchoredClock, boot_time};

/// The clock gains at most one in this many.
const FASTER: i64 = 100;

/// The clock loses at most one in this many.
const SLOWER: i64 = 10;

/// An answer that took longer says too little about the time.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);

/// How far the estimate may be from an answer before somebody should know.
const FAR_MICROS: i64 = 1_000_000;

/// What is known of the database's clock; pure, on the process's monotonic time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Estimate {
    /// Microseconds since 1970 at `since`.
    micros: i64,
    /// When that was.
    since: Duration,
    /// Microseconds that are still to be gained, or lost.
    owed: i64,
    /// Whether an answer was ever heard.
    anchored: bool,
}

impl Estimate {
    fn of(now: Timestamp, since: Duration) -> Self {
        Self { micros: now.as_millis() * 1000, since, owed: 0, anchored: false }
    }

    /// What was gained or lost until `at`.
    fn paid(&self, at: Duration) -> i64 {
        let passed = at.saturating_sub(self.since).as_micros() as i64;
        if self.owed >= 0 { self.owed.min(passed / FASTER) } else { self.owed.max(-(passed / SLOWER)) }
    }

    fn at(&self, at: Duration) -> i64 {
        self.micros + at.saturating_sub(self.since).as_micros() as i64 + self.paid(at)
    }

    /// An answer says that it is `now`, half of `round_trip` ago at `at`. Gives how far off the estimate is.
    fn hear(&mut self, now: Timestamp, round_trip: Duration, at: Duration) -> i64 {
        let heard = now.as_millis() * 1000 + (round_trip / 2).as_micros() as i64;
        let here = if self.anchored { self.at(at) } else { heard };
        *self = Self { micros: here, since: at, owed: heard - here, anchored: true };
        self.owed
    }
}

/// The estimate as all of a node read it.
pub struct DatabaseClock {
    started: Instant,
    estimate: Mutex<Estimate>,
}

impl DatabaseClock {
    /// A clock that goes by this machine's until the first answer.
    pub fn start() -> Self {
        let estimate = Estimate::of(AnchoredClock::start().now(), Duration::ZERO);
        Self { started: Instant::now(), estimate: Mutex::new(estimate) }
    }

    fn estimate(&self) -> MutexGuard<'_, Estimate> {
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database answered with its time after `round_trip`.
    pub fn hear(&self, now: Timestamp, round_trip: Duration) {
        if round_trip > ROUND_TRIP_MAX {
            return;
        }
        let off = self.estimate().hear(now, round_trip, self.started.elapsed());
        metrics::gauge!("botfleet_clock_offset_seconds").set(off as f64 / 1e6);
        if off.abs() > FAR_MICROS {
            tracing::debug!(off_ms = off / 1000, "the database's clock jumped; this node follows slowly");
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        // Under the lock: who asks later must not hear less.
        let estimate = self.estimate();
        Timestamp::from_millis(estimate.at(self.started.elapsed()) / 1000)
    }

    fn boot_time(&self) -> Duration {
        boot_time()
    }
}

/// A cluster whose beats set the clock.
pub struct TimedCluster {
    /// The cluster.
    pub cluster: Arc<dyn Cluster>,
    /// The clock that hears.
    pub clock: Arc<DatabaseClock>,
}

#[async_trait]
impl Cluster for TimedCluster {
    async fn join(&self, node: &NewNode) -> Result<Incarnation, StoreError> {
        self.cluster.join(node).await
    }

    async fn beat(&self, me: Incarnation, report: &NodeReport) -> Result<BeatAnswer, StoreError> {
        let sent = Instant::now();
        let answer = self.cluster.beat(me, report).await?;
        self.clock.hear(answer.now, sent.elapsed());
        Ok(answer)
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        self.cluster.nodes().await
    }

    async fn picture(&self) -> Result<Picture, StoreError> {
        self.cluster.picture().await
    }

    async fn bury(&self, silent: &[(Incarnation, i64)]) -> Result<Vec<Incarnation>, StoreError> {
        self.cluster.bury(silent).await
    }

    async fn bury_launch(&self, launch: i64) -> Result<(), StoreError> {
        self.cluster.bury_launch(launch).await
    }

    async fn set_draining(&self, node: &str, draining: bool) -> Result<bool, StoreError> {
        self.cluster.set_draining(node, draining).await
    }

    async fn plan(&self, planner: Planner<'_>) -> Result<bool, StoreError> {
        self.cluster.plan(planner).await
    }

    async fn ready(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<(), StoreError> {
        self.cluster.ready(me, keys).await
    }

    async fn take(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<Vec<(LeaseKey, Epoch)>, StoreError> {
        self.cluster.take(me, keys).await
    }

    async fn settle_abandoned(&self, me: Incarnation, bot: BotId, overdue: bool) -> Result<u64, StoreError> {
        self.cluster.settle_abandoned(me, bot, overdue).await
    }

    async fn leave(&self, me: Incarnation) -> Result<(), StoreError> {
        self.cluster.leave(me).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const AT: i64 = 1_800_000_000_000;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A clock that agreed with the database at its own second 100.
    fn agreed() -> Estimate {
        let mut estimate = Estimate::of(Timestamp::from_millis(5), Duration::ZERO);
        estimate.hear(Timestamp::from_millis(AT), Duration::ZERO, seconds(100));
        estimate
    }

    /// What passes on the clock within 30 s, while a database that is `off` milliseconds away goes on answering.
    fn passed(off: i64) -> i64 {
        let mut estimate = agreed();
        let (start, mut last) = (estimate.at(seconds(100)), i64::MIN);
        for half in 0..=60 {
            let (at, now) = (seconds(100) + Duration::from_millis(half * 500), AT + half as i64 * 500 + off);
            estimate.hear(Timestamp::from_millis(now), Duration::ZERO, at);
            let here = estimate.at(at);
            assert!(here >= last, "it fell");
            last = here;
        }
        (last - start) / 1000
    }

    #[test]
    fn the_first_answer_counts_at_once_with_half_its_way() {
        let mut estimate = Estimate::of(Timestamp::from_millis(5), Duration::ZERO);
        estimate.hear(Timestamp::from_millis(AT), Duration::from_millis(20), seconds(3));
        assert_eq!(estimate.at(seconds(3)) / 1000, AT + 10);
        assert_eq!(estimate.at(seconds(4)) / 1000, AT + 1010);
    }

    #[test]
    fn a_jump_of_an_hour_ahead_shortens_a_pause_of_30_s_by_at_most_a_hundredth() {
        assert_eq!(passed(HOUR), 30_300);
    }

    #[test]
    fn a_jump_of_an_hour_back_never_turns_the_clock_and_stretches_a_pause_by_at_most_a_tenth() {
        assert_eq!(passed(-HOUR), 27_000);
    }

    #[test]
    fn a_small_difference_is_made_up_and_then_kept() {
        assert_eq!(passed(0), 30_000);
        assert_eq!(passed(100), 30_100);
        assert_eq!(passed(-100), 29_900);
    }

    #[test]
    fn silence_of_the_database_changes_nothing() {
        let mut estimate = agreed();
        estimate.hear(Timestamp::from_millis(AT + 1050), Duration::ZERO, seconds(101));
        assert_eq!(estimate.at(seconds(1101)) / 1000, AT + 1_001_050, "what was owed is paid once");
    }
}
