//! Counts the work of a node and how well it reaches Telegram, for the report in its beats. Layer `actors`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::ownership::NodeReport;
use crate::ports::clock::Clock;

/// The span over which work is counted, in buckets of a second.
const SECONDS: usize = 60;

/// Number of unanswered questions in a row after which Telegram counts as unreachable.
const SILENT_PROBES: u64 = 2;

#[derive(Clone, Copy, Default)]
struct Bucket {
    second: u64,
    updates: u64,
    sends: u64,
    lag_ms: u64,
}

/// Counters of the last minute.
pub struct Traffic {
    clock: Arc<dyn Clock>,
    buckets: Mutex<[Bucket; SECONDS]>,
    heard_at_ms: AtomicU64,
    silent_probes: AtomicU64,
    low_water: AtomicI64,
}

impl Traffic {
    /// Creates counters at zero; Telegram counts as reachable until it fails to answer.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let heard_at_ms = AtomicU64::new(clock.boot_time().as_millis() as u64);
        Self {
            clock,
            buckets: Mutex::new([Bucket::default(); SECONDS]),
            heard_at_ms,
            silent_probes: AtomicU64::new(0),
            low_water: AtomicI64::new(0),
        }
    }

    fn now(&self, note: impl FnOnce(&mut Bucket)) {
        let second = self.clock.boot_time().as_secs();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = &mut buckets[second as usize % SECONDS];
        if bucket.second != second {
            *bucket = Bucket { second, ..Bucket::default() };
        }
        note(bucket);
    }

    /// Counts updates taken.
    pub fn took_updates(&self, updates: usize) {
        self.now(|bucket| bucket.updates += updates as u64);
    }

    /// Counts a message sent.
    pub fn sent(&self) {
        self.now(|bucket| bucket.sends += 1);
    }

    /// Records that a piece of work waited this long beyond its due time.
    pub fn waited(&self, lag: Duration) {
        self.now(|bucket| bucket.lag_ms = bucket.lag_ms.max(lag.as_millis() as u64));
    }

    /// Records that Telegram answered a call.
    pub fn heard_from_telegram(&self) {
        self.heard_at_ms.store(self.clock.boot_time().as_millis() as u64, Ordering::Relaxed);
        self.silent_probes.store(0, Ordering::Relaxed);
    }

    /// Records that Telegram did not answer a `getMe`.
    pub fn telegram_was_silent(&self) {
        self.silent_probes.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the time since Telegram last answered.
    pub fn telegram_silence(&self) -> Duration {
        self.clock.boot_time().saturating_sub(Duration::from_millis(self.heard_at_ms.load(Ordering::Relaxed)))
    }

    /// Records the number of the last rise of the chats' low-water marks.
    pub fn heard_of_low_water(&self, number: i64) {
        self.low_water.store(number, Ordering::Relaxed);
    }

    /// Returns the report for a beat.
    pub fn report(&self) -> NodeReport {
        let second = self.clock.boot_time().as_secs();
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = buckets.iter().filter(|bucket| bucket.second + SECONDS as u64 > second);
        let mut report = NodeReport {
            telegram: self.silent_probes.load(Ordering::Relaxed) < SILENT_PROBES,
            low_water: self.low_water.load(Ordering::Relaxed),
            ..NodeReport::default()
        };
        for bucket in recent {
            report.updates_per_minute += bucket.updates;
            report.sends_per_minute += bucket.sends;
            report.lag_ms = report.lag_ms.max(bucket.lag_ms);
        }
        report
    }
}
