//! The clock port. Layer `ports`. Only persisted due times are read from this clock; waits use monotonic time.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// Tells the time of the database's clock, as this node estimates it.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time. The time never runs backwards within a process, and goes on while the machine sleeps.
    /// The clock follows corrections: forward at once, back by running slower.
    fn now(&self) -> Timestamp;

    /// Returns the time since the machine started, including time asleep. Beats and safety bounds are measured by it,
    /// since a process or a machine that slept must find out. Comparable within one process only.
    fn boot_time(&self) -> Duration;

    /// Returns how often the clock has jumped forward. Timestamps kept from before a jump are less reliable.
    fn steps(&self) -> u64 {
        0
    }

    /// Returns the milliseconds by which Telegram's time is ahead of this clock. Returns 0 while the difference is too
    /// small to tell from dates in whole seconds, or while nothing is known of it.
    fn telegram_ahead(&self) -> i64 {
        0
    }

    /// Reports that a poll that was waiting brought an update of this date.
    fn telegram_updated(&self, date: Timestamp) {
        let _ = date;
    }

    /// Returns the time on this clock of something that Telegram dates `date`.
    fn when(&self, date: Timestamp) -> Timestamp {
        Timestamp::from_millis(date.as_millis().saturating_sub(self.telegram_ahead()))
    }
}

/// Receives the dates that Telegram's answers carry.
pub trait DateListener: Send + Sync + 'static {
    /// Reports that an answer of this date has just come.
    fn telegram_answered(&self, date: Timestamp);
}
