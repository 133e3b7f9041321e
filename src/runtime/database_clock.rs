//! Estimates the database's clock on a node of a cluster. Layer `runtime`.
//!
//! Every beat's answer carries the database's time; `policy::clock` says how the estimate follows it. A jump of this
//! machine's clock has no effect on the estimate. When the database's clock goes ahead, the bots that wait for a pause
//! of Telegram store that pause anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, NewNode, NodeRecord, NodeReport, Picture};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::policy::clock::Steady;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::cluster::{BeatAnswer, Cluster, Planner};
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::store::StoreError;

use super::clock::{TelegramDates, boot_time, wall};

/// Longest round trip of an answer that counts; a longer one says too little about the time.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);

/// Distance of the estimate from an answer, above which the jump is logged.
const FAR_MICROS: i64 = 1_000_000;

/// The estimate that the whole node reads.
pub(super) struct DatabaseClock {
    estimate: Mutex<Steady>,
    telegram: TelegramDates,
}

impl DatabaseClock {
    /// Starts a clock that goes by this machine's until the first answer.
    pub(super) fn start(telegram: TelegramDates) -> Self {
        Self { estimate: Mutex::new(Steady::new(wall(), boot_time())), telegram }
    }

    fn estimate(&self) -> MutexGuard<'_, Steady> {
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the time of an answer that the database gave within `round_trip`.
    pub(super) fn hear(&self, now: Timestamp, round_trip: Duration) {
        if round_trip > ROUND_TRIP_MAX {
            return;
        }
        let heard = now.as_millis() * 1000 + (round_trip / 2).as_micros() as i64;
        let off = self.estimate().hear(heard, boot_time());
        metrics::clock_offset_seconds.handle().set(off as f64 / 1e6);
        if off.abs() > FAR_MICROS {
            tracing::debug!(off_ms = off / 1000, "the database's clock jumped");
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        // The lock is held meanwhile, so that a later caller does not get an earlier time.
        let estimate = self.estimate();
        estimate.at(boot_time())
    }

    fn boot_time(&self) -> Duration {
        boot_time()
    }

    fn steps(&self) -> u64 {
        self.estimate().steps()
    }

    fn telegram_ahead(&self) -> i64 {
        self.telegram.ahead(self.now())
    }

    fn telegram_updated(&self, date: Timestamp) {
        self.telegram.updated(date);
    }
}

/// A cluster whose beats set the clock.
pub(super) struct TimedCluster {
    /// The cluster.
    pub(super) cluster: Arc<dyn Cluster>,
    /// The clock that the beats set.
    pub(super) clock: Arc<DatabaseClock>,
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
