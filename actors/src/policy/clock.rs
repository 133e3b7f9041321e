//! Keeps the time of a node: two pure machines over readings that others take. Layer `policy`.
//!
//! [`Steady`] is the clock itself. It advances by boot time, which goes on while the machine sleeps, and follows the
//! times it is told, which come from the machine's own clock or from the database's answers:
//!
//! | the told time is | the clock |
//! |---|---|
//! | up to a second ahead | gains a hundredth |
//! | further ahead | goes there at once, and counts a step |
//! | up to a minute behind | loses a tenth |
//! | further behind | runs at half speed |
//!
//! So the clock never runs backwards while a process lives. A wait that is kept as an instant of this clock must be
//! computed again after a step. The pauses that Telegram asked for are, so that no jump shortens them.
//!
//! [`TelegramTime`] tells how far Telegram's time is ahead of the clock. Both count from boot, so a step of the clock
//! does not disturb [`TelegramTime`].

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::time::Timestamp;

/// The clock gains at most one part in this many.
const FASTER: i64 = 100;

/// The clock loses at most one part in `SLOWER`, and one in `MUCH_SLOWER` when it is far ahead of the told time.
const SLOWER: i64 = 10;
const MUCH_SLOWER: i64 = 2;

/// A told time further ahead than this is a correction, not drift: the clock follows at once.
const STEP_MICROS: i64 = 1_000_000;

/// A told time further behind than this is approached at half speed.
const FAR_BEHIND_MICROS: i64 = 60_000_000;

/// A clock that never runs backwards, based on the time since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steady {
    /// Microseconds since 1970 at `since`.
    micros: i64,
    /// The boot time at which the clock showed `micros`.
    since: Duration,
    /// Microseconds still to be gained (positive) or lost (negative).
    owed: i64,
    /// Set once the clock has been told the time.
    anchored: bool,
    steps: u64,
}

impl Steady {
    /// Creates a clock that shows `now` at `boot`, and takes over the first time that it is told.
    pub fn new(now: Timestamp, boot: Duration) -> Self {
        Self { micros: now.as_millis().saturating_mul(1000), since: boot, owed: 0, anchored: false, steps: 0 }
    }

    /// Returns the microseconds gained or lost in the `passed` microseconds since `since`.
    fn paid(&self, passed: i64) -> i64 {
        match self.owed {
            owed if owed >= 0 => owed.min(passed / FASTER),
            owed if owed >= -FAR_BEHIND_MICROS => owed.max(-(passed / SLOWER)),
            owed => owed.max(-(passed / MUCH_SLOWER)),
        }
    }

    /// Returns the microseconds since 1970 at `boot`.
    pub fn micros_at(&self, boot: Duration) -> i64 {
        let passed = i64::try_from(boot.saturating_sub(self.since).as_micros()).unwrap_or(i64::MAX);
        self.micros.saturating_add(passed).saturating_add(self.paid(passed))
    }

    /// Returns the time that the clock shows at `boot`.
    pub fn at(&self, boot: Duration) -> Timestamp {
        Timestamp::from_millis(self.micros_at(boot) / 1000)
    }

    /// Tells the clock that the time is `micros` at `boot`. Returns how far ahead of the clock `micros` is, in
    /// microseconds.
    pub fn hear(&mut self, micros: i64, boot: Duration) -> i64 {
        let here = self.micros_at(boot);
        let off = micros.saturating_sub(here);
        let jumps = !self.anchored || off > STEP_MICROS;
        self.steps += u64::from(self.anchored && jumps);
        let (micros, owed) = if jumps { (micros, 0) } else { (here, off) };
        *self = Self { micros, since: boot, owed, anchored: true, steps: self.steps };
        off
    }

    /// Returns how often the clock has jumped forward.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// Number of dates that are remembered, and how long each counts.
const HEARD: usize = 5;
const COUNTS_FOR: Duration = Duration::from_hours(6);

/// Dates of updates count only if no answer was dated for `ANSWERS_COUNT_FOR` and there are `UPDATES_MIN` of them.
const ANSWERS_COUNT_FOR: Duration = Duration::from_mins(10);
const UPDATES_MIN: usize = 3;

/// Dates are whole seconds: on average they are half a second old.
const HALF_A_SECOND: i64 = 500;

/// Estimates how far Telegram's time is ahead of a clock: the median of the last dates, so that one odd answer has no
/// effect.
#[derive(Clone, Debug, Default)]
pub struct TelegramTime {
    answers: VecDeque<(Duration, i64)>,
    updates: VecDeque<(Duration, i64)>,
}

impl TelegramTime {
    /// Records that an answer with this date came at `boot`.
    pub fn answered(&mut self, date: Timestamp, boot: Duration) {
        remember(&mut self.answers, date, boot);
    }

    /// Records that a poll that had been waiting brought an update with this date at `boot`: the update had just
    /// happened. Such dates count where answers carry none, as those of a self-hosted Bot API server.
    pub fn updated(&mut self, date: Timestamp, boot: Duration) {
        remember(&mut self.updates, date, boot);
    }

    /// Returns the milliseconds by which Telegram's time is ahead of a clock that shows `now` at `boot`; `None` while
    /// nothing is known.
    pub fn ahead(&self, now: Timestamp, boot: Duration) -> Option<i64> {
        let middle = |heard: &VecDeque<(Duration, i64)>, within: Duration, least: usize| {
            let recent = heard.iter().filter(|(at, _)| boot.saturating_sub(*at) <= within);
            let mut since_boot: Vec<i64> = recent.map(|(_, since_boot)| *since_boot).collect();
            since_boot.sort_unstable();
            (since_boot.len() >= least).then(|| since_boot[since_boot.len() / 2])
        };
        let since_boot = middle(&self.answers, ANSWERS_COUNT_FOR, 1)
            .or_else(|| middle(&self.updates, COUNTS_FOR, UPDATES_MIN))
            .or_else(|| middle(&self.answers, COUNTS_FOR, 1))?;
        Some(since_boot.saturating_add(millis(boot)).saturating_sub(now.as_millis()))
    }
}

fn remember(heard: &mut VecDeque<(Duration, i64)>, date: Timestamp, boot: Duration) {
    if heard.len() >= HEARD {
        heard.pop_front();
    }
    heard.push_back((boot, date.as_millis().saturating_add(HALF_A_SECOND).saturating_sub(millis(boot))));
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// A clock that agreed with its source when boot time was 100 s.
    fn agreed() -> Steady {
        let mut clock = Steady::new(at(5), Duration::ZERO);
        clock.hear(AT * 1000, seconds(100));
        clock
    }

    /// Returns how much the clock advances in `long` seconds while its source, `off` milliseconds away, keeps telling
    /// the time.
    fn passed(off: i64, long: u64) -> i64 {
        let mut clock = agreed();
        for half in 0..=2 * long {
            let told = AT + half as i64 * 500 + off;
            clock.hear(told * 1000, seconds(100) + Duration::from_millis(half * 500));
        }
        clock.at(seconds(100 + long)).as_millis() - AT
    }

    #[test]
    fn the_first_word_is_believed_even_if_it_is_behind() {
        let mut clock = Steady::new(at(AT + HOUR), Duration::ZERO);
        clock.hear(AT * 1000, seconds(3));
        assert_eq!((clock.at(seconds(3)), clock.at(seconds(4)), clock.steps()), (at(AT), at(AT + 1000), 0));
    }

    #[test]
    fn a_correction_ahead_is_followed_at_once_and_counted() {
        assert_eq!(passed(HOUR, 30), HOUR + 30_000);
        let mut clock = agreed();
        clock.hear((AT + HOUR) * 1000, seconds(100));
        assert_eq!((clock.at(seconds(100)), clock.steps()), (at(AT + HOUR), 1));
    }

    #[test]
    fn a_correction_back_never_turns_the_clock_and_is_made_up() {
        assert_eq!(passed(-30_000, 30), 27_000, "a tenth slower");
        assert_eq!(passed(-HOUR, 30), 15_000, "half as fast");
        assert_eq!(passed(-600_000, 4 * 3_600), 4 * HOUR - 600_000, "ten minutes are made up within four hours");
    }

    #[test]
    fn a_small_difference_is_made_up_and_then_kept() {
        assert_eq!(passed(0, 30), 30_000);
        assert_eq!(passed(100, 30), 30_100);
        assert_eq!(passed(-100, 30), 29_900);
    }

    #[test]
    fn what_passed_while_the_machine_slept_has_passed() {
        let clock = agreed();
        assert_eq!(clock.at(seconds(100 + 8 * 3_600)), at(AT + 8 * HOUR), "boot time goes on in a suspend");
        assert_eq!(clock.steps(), 0);
    }

    #[test]
    fn telegrams_time_is_the_middle_of_what_it_said_and_no_step_of_the_clock_moves_it() {
        let mut telegram = TelegramTime::default();
        assert_eq!(telegram.ahead(at(AT), seconds(100)), None);
        for second in 0..5 {
            telegram.answered(at(AT + 600_000 + second * 1000), seconds(100 + second as u64));
        }
        telegram.answered(at(AT - 9 * HOUR), seconds(105));
        assert_eq!(telegram.ahead(at(AT + 6_000), seconds(106)), Some(600_500));
        // The clock is set right by ten minutes.
        assert_eq!(telegram.ahead(at(AT + 607_000), seconds(107)), Some(500));
    }

    #[test]
    fn dates_of_updates_count_where_answers_bear_none() {
        let mut telegram = TelegramTime::default();
        telegram.updated(at(AT - 600_000), seconds(100));
        telegram.updated(at(AT - 600_000), seconds(100));
        assert_eq!(telegram.ahead(at(AT), seconds(100)), None, "two may be late by chance");
        telegram.updated(at(AT - 590_000), seconds(110));
        assert_eq!(telegram.ahead(at(AT + 10_000), seconds(110)), Some(-599_500));
        telegram.answered(at(AT + 11_000), seconds(111));
        assert_eq!(telegram.ahead(at(AT + 11_000), seconds(111)), Some(500), "an answer's date counts for more");
    }

    proptest! {
        #[test]
        fn it_never_falls_whatever_it_is_told(
            readings in prop::collection::vec((0u64..4_000, -40_000_000i64..40_000_000), 1..80)
        ) {
            let (mut clock, mut boot, mut last) = (agreed(), seconds(100), AT);
            for (step, off) in readings {
                boot += Duration::from_millis(step);
                prop_assert!(clock.at(boot).as_millis() >= last, "it fell as time passed");
                clock.hear((AT + off) * 1000, boot);
                prop_assert!(clock.at(boot).as_millis() >= last, "it fell as it was told the time");
                last = clock.at(boot).as_millis();
            }
        }

        #[test]
        fn it_arrives_whatever_the_difference_was(off in -7_200_000i64..7_200_000) {
            prop_assert!((passed(off, 5 * 3_600) - 5 * HOUR - off).abs() <= 1);
        }

        #[test]
        fn between_two_words_a_wait_is_never_cut_short_by_more_than_a_hundredth(
            off in -9_000_000i64..1_000, wait in 1u64..600
        ) {
            let mut clock = agreed();
            clock.hear((AT + off) * 1000, seconds(100));
            let waited = clock.at(seconds(100 + wait)).as_millis() - AT;
            prop_assert!(waited <= (wait as i64) * 1_010 && waited >= (wait as i64) * 500);
        }
    }
}
