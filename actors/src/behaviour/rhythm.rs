//! Time at which a quiet chat wakes: about as often as its pace says, at a human rhythm. Layer `behaviour`; pure.
//!
//! Waits are skewed: most are short, some are long. Waits grow at night, in a tired room, and with each opening that
//! nobody took up; quiet hours are skipped altogether. The same seed gives the same wait.

use std::f64::consts::TAU;
use std::time::Duration;

use super::local::{minute_of_day, next_showing};
use crate::domain::curve::Curve;
use crate::domain::hours::Hours;
use crate::domain::time::Timestamp;

/// Spread of the waits: the standard deviation of their logarithm.
const SPREAD: f64 = 0.5;

/// Factor on the wait for each opening that nobody took up, and the most openings that count.
const UNANSWERED: f64 = 1.5;
const UNANSWERED_MAX: usize = 6;

/// Factor on the wait in a room without energy.
const TIRED: f64 = 1.6;

/// Factor on the wait in the deepest night, and the minute of the day when that is.
const NIGHT: f64 = 3.0;
const NIGHT_MINUTE: f64 = 4.0 * 60.0;

/// Shortest and longest wait, as parts of the chat's pace.
const SHORTEST: f64 = 0.35;
const LONGEST: f64 = 40.0;

/// Longest sleep after quiet hours, as a part of the chat's pace.
const AFTER_QUIET: f64 = 0.8;

/// Facts that the next wait depends on.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm<'a> {
    /// About how long a quiet chat waits.
    pub pace: Duration,
    /// IANA name of the chat's time zone.
    pub time_zone: &'a str,
    /// Factor on the wish to speak over the day; without one, nights are slow.
    pub talkative_hours: Option<&'a Curve>,
    /// Hours in which nobody speaks in the chat.
    pub quiet_hours: Option<Hours>,
    /// The room's energy, 0 to 1.
    pub energy: f64,
    /// Openings since a person last spoke.
    pub unanswered: usize,
}

/// Returns the time at which the chat wakes if nobody speaks until then.
pub fn next_tick(rhythm: &Rhythm<'_>, now: Timestamp, seed: u64) -> Timestamp {
    let mut rng = fastrand::Rng::with_seed(seed);
    let skewed = (SPREAD * normal(&mut rng)).exp();
    let minute = minute_of_day(rhythm.time_zone, now);
    let night = rhythm.talkative_hours.map_or_else(
        || {
            // 1 at the middle of the night, 0 twelve hours later.
            let depth = f64::midpoint(((f64::from(minute) - NIGHT_MINUTE) / 1_440.0 * TAU).cos(), 1.0);
            1.0 + (NIGHT - 1.0) * depth.powi(4)
        },
        |curve| 1.0 / curve.at(minute).max(1.0 / LONGEST),
    );
    let tired = 1.0 + (TIRED - 1.0) * (1.0 - rhythm.energy.clamp(0.0, 1.0));
    let alone = UNANSWERED.powi(rhythm.unanswered.min(UNANSWERED_MAX) as i32);
    let factor = (skewed * night * tired * alone).clamp(SHORTEST, LONGEST);
    let at = now + rhythm.pace.mul_f64(factor);
    let Some(quiet) = rhythm.quiet_hours else {
        return at;
    };
    if !quiet.contains(minute_of_day(rhythm.time_zone, at)) {
        return at;
    }
    let end = next_showing(rhythm.time_zone, quiet.end(), at);
    let at = end + rhythm.pace.mul_f64(AFTER_QUIET * rng.f64());
    // When summer time ends, an hour comes twice, and quiet hours with it.
    if quiet.contains(minute_of_day(rhythm.time_zone, at)) {
        return next_showing(rhythm.time_zone, quiet.end(), at);
    }
    at
}

/// Returns the longest possible wait: a later tick was planned by a clock that was wrong.
pub fn longest_wait(pace: Duration) -> Duration {
    pace.mul_f64(LONGEST + AFTER_QUIET) + Duration::from_hours(48)
}

/// Draws from the normal distribution (Box and Muller).
fn normal(rng: &mut fastrand::Rng) -> f64 {
    let (one, other) = (1.0 - rng.f64(), rng.f64());
    (-2.0 * one.ln()).sqrt() * (TAU * other).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_mins(5);

    fn rhythm() -> Rhythm<'static> {
        Rhythm { pace: PACE, time_zone: "UTC", talkative_hours: None, quiet_hours: None, energy: 1.0, unanswered: 0 }
    }

    fn afternoon() -> Timestamp {
        Timestamp::from_secs(1_768_489_200)
    }

    fn waits(rhythm: &Rhythm<'_>, now: Timestamp) -> Vec<f64> {
        let mut waits: Vec<f64> =
            (0..500).map(|seed| next_tick(rhythm, now, seed).since(now).as_secs_f64() / PACE.as_secs_f64()).collect();
        waits.sort_by(f64::total_cmp);
        waits
    }

    #[test]
    fn waits_are_about_the_pace_and_skewed_to_the_long() {
        let waits = waits(&rhythm(), afternoon());
        let median = waits[250];
        assert!((0.8..1.3).contains(&median), "{median}");
        assert!(waits[0] >= SHORTEST && waits[499] > 2.0, "{} {}", waits[0], waits[499]);
        assert!(waits[475] - median > median - waits[25], "no longer tail");
        assert_eq!(next_tick(&rhythm(), afternoon(), 7), next_tick(&rhythm(), afternoon(), 7));
    }

    #[test]
    fn a_room_that_does_not_answer_is_left_alone_longer() {
        let alone = Rhythm { unanswered: 4, ..rhythm() };
        assert!(waits(&alone, afternoon())[250] > 3.0 * waits(&rhythm(), afternoon())[250]);
        let tired = Rhythm { energy: 0.0, ..rhythm() };
        assert!(waits(&tired, afternoon())[250] > 1.3 * waits(&rhythm(), afternoon())[250]);
    }

    #[test]
    fn a_curve_of_the_day_takes_the_place_of_the_slow_night() {
        let curve = Curve::try_from("04:00 2, 15:00 0.5".to_owned()).expect("a curve");
        let curved = Rhythm { talkative_hours: Some(&curve), ..rhythm() };
        let night = Timestamp::from_secs(1_768_449_600);
        assert!(waits(&curved, night)[250] < 0.6 * waits(&rhythm(), afternoon())[250], "lively at four at night");
        assert!(waits(&curved, afternoon())[250] > 1.6 * waits(&rhythm(), afternoon())[250]);
    }

    #[test]
    fn no_wait_ends_in_quiet_hours() {
        let quiet_hours = Hours::new(23 * 60, 8 * 60);
        let rhythm = Rhythm { quiet_hours, ..rhythm() };
        for hour in 0..24 {
            let now = afternoon() + Duration::from_hours(hour);
            for seed in 0..50 {
                let minute = minute_of_day("UTC", next_tick(&rhythm, now, seed));
                assert!(!quiet_hours.is_some_and(|hours| hours.contains(minute)), "{hour} {minute}");
            }
        }
    }

    #[test]
    fn no_wait_ends_in_quiet_hours_when_summer_time_begins_or_ends() {
        for (from, to) in [(23 * 60, 8 * 60), (22 * 60, 2 * 60 + 30), (60, 3 * 60)] {
            let quiet_hours = Hours::new(from, to);
            let rhythm = Rhythm { quiet_hours, time_zone: "Europe/Berlin", ..rhythm() };
            // The evenings before 29 March and 25 October 2026.
            for evening in [1_774_728_000, 1_792_872_000] {
                for quarter in 0..60 {
                    let now = Timestamp::from_secs(evening) + Duration::from_mins(15) * quarter;
                    for seed in 0..20 {
                        let at = next_tick(&rhythm, now, seed);
                        let minute = minute_of_day("Europe/Berlin", at);
                        assert!(!quiet_hours.is_some_and(|hours| hours.contains(minute)), "{now:?} {minute}");
                        assert!(at > now && at.since(now) <= longest_wait(PACE));
                    }
                }
            }
        }
    }
}
