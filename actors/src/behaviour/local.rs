//! What the clock on a chat's wall shows. Layer `behaviour`; pure.

use chrono::{DateTime, Timelike};
use chrono_tz::Tz;

use crate::domain::time::Timestamp;

/// Minute of the day, 0 to 1,439, at `at` in the time zone of that IANA name; UTC when there is no such zone.
pub fn minute_of_day(time_zone: &str, at: Timestamp) -> u16 {
    let zone: Tz = time_zone.parse().unwrap_or(Tz::UTC);
    let clock = DateTime::from_timestamp_millis(at.as_millis()).unwrap_or_default().with_timezone(&zone);
    (clock.hour() * 60 + clock.minute()) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_shows_the_zones_own_time() {
        let noon = Timestamp::from_secs(1_768_478_400);
        assert_eq!(minute_of_day("UTC", noon), 12 * 60);
        assert_eq!(minute_of_day("Europe/Istanbul", noon), 15 * 60);
        assert_eq!(minute_of_day("Asia/Kathmandu", noon), 17 * 60 + 45);
        assert_eq!(minute_of_day("Nowhere/Land", noon), 12 * 60);
    }
}
