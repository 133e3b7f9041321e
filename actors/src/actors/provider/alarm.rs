//! Tells when a provider's actor needs a timer to look again. Layer `actors`; pure.
//!
//! Timers cannot be cancelled: a later timer still fires after an earlier one was set. Its firing must not lead to a
//! further timer, or timers would multiply as long as calls wait.

use tokio::time::Instant;

/// The time of the next timer that counts.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Instant>);

impl Alarm {
    /// Records that a timer is to fire at `at` and returns true, so that the caller starts one; returns false, and records
    /// nothing, when a timer that is set already fires at `at` or earlier.
    pub(super) fn set(&mut self, at: Instant) -> bool {
        let earlier = self.0.is_none_or(|planned| at < planned);
        if earlier {
            self.0 = Some(at);
        }
        earlier
    }

    /// Records that a timer fired, possibly an older one.
    pub(super) fn rang(&mut self, now: Instant) {
        self.0 = self.0.filter(|planned| *planned > now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_timer_that_was_overtaken_makes_room_for_no_other() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        let [one, two, three] = [1, 2, 3].map(|seconds| start + Duration::from_secs(seconds));
        assert!(alarm.set(two) && alarm.set(one) && !alarm.set(two));
        alarm.rang(one);
        assert!(alarm.set(three));
        alarm.rang(two);
        assert!(!alarm.set(three), "its timer is still to ring");
        alarm.rang(three);
        assert!(alarm.set(three));
    }
}
