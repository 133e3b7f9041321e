//! Keeps the world's calendar: the dates of messages, the age of updates and the `Date` header of answers. Layer:
//! world.
//!
//! The ledger has a clock of its own, which never moves. To simulate a host whose clock is wrong, a test shifts the
//! world's calendar the other way: only the difference between the two can be observed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::World;

const DAY_S: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The real time at the start, read once, and the distance of the world's calendar from real time.
#[derive(Debug)]
pub(super) struct Calendar {
    began: Instant,
    began_ms: i64,
    shifted_ms: AtomicI64,
}

impl Calendar {
    #[allow(clippy::disallowed_methods, reason = "the world's calendar starts at the real date; read once")]
    pub(super) fn now() -> Self {
        let began_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Self { began: Instant::now(), began_ms, shifted_ms: AtomicI64::new(0) }
    }
}

impl World {
    /// Returns the milliseconds since 1970 in this world.
    pub fn calendar_ms(&self) -> i64 {
        let Calendar { began, began_ms, shifted_ms } = &self.calendar;
        began_ms + began.elapsed().as_millis() as i64 + shifted_ms.load(Ordering::Relaxed)
    }

    /// Moves the world's calendar forward: message dates and the age of updates, not the ledger.
    pub fn shift_calendar(&self, by: Duration) {
        self.calendar.shifted_ms.fetch_add(by.as_millis() as i64, Ordering::Relaxed);
    }

    /// Sets how many milliseconds the world's calendar is ahead of real time; a negative number sets it behind.
    pub fn set_clock_offset(&self, offset_ms: i64) {
        self.calendar.shifted_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// Returns how many milliseconds the world's calendar is ahead of real time.
    pub fn clock_offset(&self) -> i64 {
        self.calendar.shifted_ms.load(Ordering::Relaxed)
    }

    /// Returns the present date as the `Date` header of an answer has it.
    pub(crate) fn http_date(&self) -> String {
        http_date(self.calendar_ms().div_euclid(1000))
    }
}

/// Writes seconds since 1970 as an IMF-fixdate.
///
/// # Source
/// RFC 9110, 5.6.7. The civil date is by Howard Hinnant, "chrono-compatible low-level date algorithms".
fn http_date(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    let weekday = WEEKDAYS[days.rem_euclid(7) as usize];
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let month = MONTHS[month as usize];
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{:02} GMT", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_writes_it() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
