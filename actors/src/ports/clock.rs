//! The clock port. Layer `ports`. Only persisted due times are read from it; waits use monotonic time.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// Tells the time of the database's clock, as this node estimates it.
pub trait Clock: Send + Sync + 'static {
    /// Now. Never runs backwards within a process, and goes on while the machine sleeps. It follows corrections: ahead at
    /// once, back by running slower.
    fn now(&self) -> Timestamp;

    /// Time since the machine started, time asleep included: what beats and safety bounds are measured by, since a
    /// process or a machine that slept must find out. Comparable within one process only.
    fn boot_time(&self) -> Duration;

    /// How often it went ahead at once: instants that were kept before say less than they did.
    fn steps(&self) -> u64 {
        0
    }

    /// Milliseconds by which Telegram's time is ahead of this clock; 0 while they differ by less than what dates in whole
    /// seconds tell, or while nothing is known of it.
    fn telegram_ahead(&self) -> i64 {
        0
    }

    /// A poll that had waited for it brought an update of this date.
    fn telegram_updated(&self, date: Timestamp) {
        let _ = date;
    }

    /// When something of which Telegram says the date happened, on this clock.
    fn when(&self, date: Timestamp) -> Timestamp {
        Timestamp::from_millis(date.as_millis().saturating_sub(self.telegram_ahead()))
    }
}

/// Hears of the dates that Telegram's answers bear.
pub trait DateListener: Send + Sync + 'static {
    /// An answer that has just come bears this date.
    fn telegram_answered(&self, date: Timestamp);
}
