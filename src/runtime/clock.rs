//! The clock of a node on an embedded database: the machine's own, anchored once. Layer `runtime`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;

/// Reads the wall clock once and moves on by monotonic time: a jump of the wall clock changes no wait.
#[derive(Clone, Copy, Debug)]
pub struct AnchoredClock {
    at: Timestamp,
    since: Instant,
}

impl AnchoredClock {
    /// Anchors the clock now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at: Timestamp::from_millis(0) + wall, since: Instant::now() }
    }
}

/// Time since the machine started, time asleep included.
pub(super) fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Clock for AnchoredClock {
    fn now(&self) -> Timestamp {
        self.at + self.since.elapsed()
    }

    fn boot_time(&self) -> Duration {
        boot_time()
    }
}
