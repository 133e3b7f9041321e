//! The clock of a node on an embedded database: the machine's own, followed as `policy::clock` says. Layer `runtime`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::policy::clock::{Steady, TelegramTime};
use botfleet_actors::ports::clock::{Clock, DateListener};

/// Interval of looks at the machine's clock.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Least difference that counts, in milliseconds: dates are whole seconds, and answers take time.
const NOISE_MS: i64 = 5_000;

/// Returns the time since the machine started, time asleep included.
pub(super) fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns the time of the machine's clock, in microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub(super) fn wall_micros() -> i64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(wall.as_micros()).unwrap_or(i64::MAX)
}

/// Returns the time of the machine's clock as an instant.
pub(super) fn wall() -> Timestamp {
    Timestamp::from_millis(wall_micros() / 1000)
}

/// Telegram's time, as its answers and updates tell it.
#[derive(Clone, Debug, Default)]
pub(super) struct TelegramDates(Arc<Mutex<TelegramTime>>);

impl TelegramDates {
    fn time(&self) -> MutexGuard<'_, TelegramTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the milliseconds by which Telegram is ahead of a clock that shows `now`; 0 for less than `NOISE_MS`.
    pub(super) fn ahead(&self, now: Timestamp) -> i64 {
        let ahead = self.time().ahead(now, boot_time()).unwrap_or(0);
        if ahead.abs() < NOISE_MS { 0 } else { ahead }
    }

    pub(super) fn updated(&self, date: Timestamp) {
        self.time().updated(date, boot_time());
    }
}

impl DateListener for TelegramDates {
    fn telegram_answered(&self, date: Timestamp) {
        self.time().answered(date, boot_time());
    }
}

/// The machine's clock, but for its jumps backwards.
#[derive(Debug)]
pub(super) struct MachineClock {
    state: Mutex<Looked>,
    telegram: TelegramDates,
}

#[derive(Debug)]
struct Looked {
    clock: Steady,
    at: Duration,
}

impl MachineClock {
    /// Starts from the time of the machine's clock.
    pub(super) fn start(telegram: TelegramDates) -> Self {
        let boot = boot_time();
        let mut clock = Steady::new(wall(), boot);
        clock.hear(wall_micros(), boot);
        Self { state: Mutex::new(Looked { clock, at: boot }), telegram }
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        // The lock is held meanwhile, so that a later caller does not get an earlier time.
        let mut looked = self.looked();
        let boot = boot_time();
        if boot.saturating_sub(looked.at) >= LOOK_EVERY {
            looked.at = boot;
            let steps = looked.clock.steps();
            let off = looked.clock.hear(wall_micros(), boot);
            if looked.clock.steps() != steps {
                tracing::warn!(ahead_ms = off / 1000, "the machine's clock went ahead; the fleet follows at once");
            }
        }
        looked.clock.at(boot)
    }

    fn boot_time(&self) -> Duration {
        boot_time()
    }

    fn steps(&self) -> u64 {
        self.looked().clock.steps()
    }

    fn telegram_ahead(&self) -> i64 {
        self.telegram.ahead(self.now())
    }

    fn telegram_updated(&self, date: Timestamp) {
        self.telegram.updated(date);
    }
}
