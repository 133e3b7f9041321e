//! Local time of a chat. Layer `behaviour`; pure.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;

use crate::domain::time::Timestamp;

/// Returns the minute of the day, 0 to 1,439, at `at` in the zone of that IANA name; UTC when there is none.
pub fn minute_of_day(time_zone: &str, at: Timestamp) -> u16 {
    let zone: Tz = time_zone.parse().unwrap_or(Tz::UTC);
    let clock = DateTime::from_timestamp_millis(at.as_millis()).unwrap_or_default().with_timezone(&zone);
    (clock.hour() * 60 + clock.minute()) as u16
}

/// Days and minutes that are searched for a time that the clock shows; zones have left out a whole day.
const DAYS: u64 = 3;
const GAP_MINUTES: i64 = 25 * 60;

/// Returns the next time after `after` at which the local clock shows that minute of the day. Where a change of summer
/// time leaves the minute out, that is the time of the change; where one shows it twice, the first time to come.
pub fn next_showing(time_zone: &str, minute: u16, after: Timestamp) -> Timestamp {
    let zone: Tz = time_zone.parse().unwrap_or(Tz::UTC);
    let here = DateTime::from_timestamp_millis(after.as_millis()).unwrap_or_default().with_timezone(&zone);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::from(minute) * 60, 0).unwrap_or_default();
    let shown = (0..DAYS).filter_map(|day| {
        let wanted = here.date_naive().checked_add_days(Days::new(day))?.and_time(time);
        let shown = |wanted| {
            let found = zone.from_local_datetime(&wanted);
            [found.earliest(), found.latest()].into_iter().flatten().find(|at| *at > here)
        };
        let exists = |wanted| zone.from_local_datetime(&wanted).earliest().is_some();
        let passed = (0..GAP_MINUTES).map(|late| wanted + TimeDelta::minutes(late)).find(|wanted| exists(*wanted))?;
        shown(passed)
    });
    shown.map(|at| Timestamp::from_millis(at.timestamp_millis())).min().unwrap_or(after + Duration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        Timestamp::from_millis(text.parse::<DateTime<chrono::Utc>>().expect("an instant").timestamp_millis())
    }

    #[test]
    fn a_time_of_the_day_comes_when_the_wall_shows_it_whatever_summer_time_does() {
        for (zone, minute, after, comes) in [
            ("Europe/Berlin", 8 * 60, "2026-06-01T20:00:00Z", "2026-06-02T06:00:00Z"),
            ("Europe/Berlin", 8 * 60, "2026-06-02T06:00:00Z", "2026-06-03T06:00:00Z"),
            // Summer time begins at one, and ends at one, by Greenwich.
            ("Europe/Berlin", 8 * 60, "2026-03-28T22:00:00Z", "2026-03-29T06:00:00Z"),
            ("Europe/Berlin", 8 * 60, "2026-10-24T20:00:00Z", "2026-10-25T07:00:00Z"),
            ("Europe/Berlin", 2 * 60 + 30, "2026-03-28T22:00:00Z", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", 2 * 60 + 30, "2026-10-24T20:00:00Z", "2026-10-25T00:30:00Z"),
            ("Europe/Berlin", 2 * 60 + 30, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("America/New_York", 60, "2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z"),
            ("Europe/Istanbul", 8 * 60, "2026-03-28T22:00:00Z", "2026-03-29T05:00:00Z"),
            // The day that Samoa left out.
            ("Pacific/Apia", 12 * 60, "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z"),
            ("Nowhere/Land", 8 * 60, "2026-06-01T09:00:00Z", "2026-06-02T08:00:00Z"),
        ] {
            assert_eq!(next_showing(zone, minute, utc(after)), utc(comes), "{zone} {minute} after {after}");
        }
    }

    #[test]
    fn the_wall_shows_the_zones_own_time() {
        let noon = Timestamp::from_secs(1_768_478_400);
        assert_eq!(minute_of_day("UTC", noon), 12 * 60);
        assert_eq!(minute_of_day("Europe/Istanbul", noon), 15 * 60);
        assert_eq!(minute_of_day("Asia/Kathmandu", noon), 17 * 60 + 45);
        assert_eq!(minute_of_day("Nowhere/Land", noon), 12 * 60);
    }
}
