//! Alarms: decides when to notify a person that something is wrong, and when that it is over. Layer `policy`; pure.
//!
//! A cause is notified once it has lasted for a while, and at most once an hour, however often it comes and goes. Its
//! end is notified once the cause has been absent for a while, and only if the cause itself was notified.

use std::collections::BTreeMap;
use std::time::Duration;

/// A cause is notified after this long: a cause that passes by itself wakes nobody.
const SEEN_FOR: Duration = Duration::from_secs(5);

/// A cause is over after it has been absent for this long.
const GONE_FOR: Duration = Duration::from_mins(1);

/// A notification for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The cause: the name of the part of the system.
    pub cause: String,
    /// Description of the fault, present or past.
    pub text: String,
    /// Set when the cause is over.
    pub over: bool,
}

/// The state of one cause.
#[derive(Clone, Debug)]
struct Alarm {
    text: String,
    since: Duration,
    seen: Duration,
    told: Option<Duration>,
    /// A person was notified of the cause, and not yet of its end.
    open: bool,
}

/// The alarms of all causes.
#[derive(Clone, Debug)]
pub struct Alarms {
    /// Shortest time between two notifications of the same cause.
    every: Duration,
    alarms: BTreeMap<String, Alarm>,
}

impl Alarms {
    /// Creates alarms that notify of each cause at most once within `every`.
    pub fn new(every: Duration) -> Self {
        Self { every, alarms: BTreeMap::new() }
    }

    /// Returns the notifications due at `now`, given the causes present. `now` is on any clock that only moves forward.
    pub fn look(&mut self, causes: &BTreeMap<String, String>, now: Duration) -> Vec<Notice> {
        for (cause, text) in causes {
            let blank = || Alarm { text: String::new(), since: now, seen: now, told: None, open: false };
            let alarm = self.alarms.entry(cause.clone()).or_insert_with(blank);
            if now.saturating_sub(alarm.seen) >= GONE_FOR {
                alarm.since = now;
            }
            (alarm.seen, alarm.text) = (now, text.clone());
        }
        let every = self.every;
        let mut notices = Vec::new();
        for (cause, alarm) in &mut self.alarms {
            let may_tell = alarm.told.is_none_or(|told| now.saturating_sub(told) >= every);
            let gone = now.saturating_sub(alarm.seen) >= GONE_FOR;
            let over = alarm.open && gone;
            if over {
                alarm.open = false;
            } else if alarm.seen != now || now.saturating_sub(alarm.since) < SEEN_FOR || !may_tell {
                continue;
            } else {
                (alarm.told, alarm.open) = (Some(now), true);
            }
            notices.push(Notice { cause: cause.clone(), text: alarm.text.clone(), over });
        }
        self.alarms.retain(|_, alarm| {
            alarm.open
                || now.saturating_sub(alarm.seen) < GONE_FOR
                || alarm.told.is_some_and(|told| now.saturating_sub(told) < every)
        });
        notices
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Returns the notifications, by second, for one cause that is present in these seconds and looked at each second.
    fn told(seen: impl Fn(u64) -> bool, until: u64) -> Vec<(u64, bool)> {
        let mut alarms = Alarms::new(HOUR);
        let mut told = Vec::new();
        for second in 0..until {
            let causes =
                if seen(second) { BTreeMap::from([("disk".to_owned(), "full".to_owned())]) } else { BTreeMap::new() };
            for notice in alarms.look(&causes, Duration::from_secs(second)) {
                assert_eq!((notice.cause.as_str(), notice.text.as_str()), ("disk", "full"));
                told.push((second, notice.over));
            }
        }
        told
    }

    #[test]
    fn what_lasts_is_told_each_hour_and_when_it_is_over() {
        assert_eq!(told(|at| at < 4_000, 5_000), [(5, false), (3_605, false), (4_059, true)]);
    }

    #[test]
    fn what_passes_by_itself_wakes_nobody() {
        assert_eq!(told(|at| at % 120 < 4, 5_000), []);
    }

    #[test]
    fn what_comes_and_goes_is_told_once_an_hour() {
        let comes_and_goes = told(|at| at % 300 < 100, 7_000);
        let begins = comes_and_goes.iter().filter(|(_, over)| !over).count();
        assert_eq!(begins, 2, "{comes_and_goes:?}");
    }

    proptest! {
        #[test]
        fn no_cause_is_told_twice_within_the_hour_and_none_is_over_that_was_not_told(
            spans in prop::collection::vec((1u64..400, any::<bool>()), 1..25)
        ) {
            let ends: Vec<(u64, bool)> = spans.iter().scan(0, |end, (length, seen)| {
                *end += length;
                Some((*end, *seen))
            }).collect();
            let until = ends.last().map_or(0, |(end, _)| *end);
            let told = told(|at| ends.iter().find(|(end, _)| at < *end).is_some_and(|(_, seen)| *seen), until);
            let begins: Vec<u64> = told.iter().filter(|(_, over)| !over).map(|(at, _)| *at).collect();
            prop_assert!(begins.windows(2).all(|pair| pair[1] - pair[0] >= 3_600));
            let mut open = false;
            for (_, over) in told {
                prop_assert!(!over || open);
                open = !over;
            }
        }
    }
}
