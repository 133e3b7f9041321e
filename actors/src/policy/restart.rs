//! Restart policy of supervised actors: back off, then quarantine (I7). Layer `policy`.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::backoff::BackoffSettings;
use crate::domain::keys::keyed;
use crate::domain::keys::rule::{group, key};

keyed! {
    /// Restarts of failed actors.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RestartSettings {
        /// Number of failures of an actor within `within` that quarantines it.
        pub failures_max: NonZeroU32 = key(NonZeroU32::MIN.saturating_add(4));
        /// The span over which failures are counted.
        #[serde(with = "humantime_serde")]
        pub within: Duration = key(Duration::from_mins(1)).within(Duration::from_secs(1)..=Duration::from_hours(24));
        /// Waits between restarts.
        pub backoff: BackoffSettings = group::<BackoffSettings>();
    }
}

/// The treatment of a failed actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Start it again after this wait.
    RestartAfter(Duration),
    /// Leave it stopped until a person releases it.
    Quarantine,
}

/// Failures of one actor.
#[derive(Clone, Debug, Default)]
pub struct FailureRecord(VecDeque<Instant>);

impl FailureRecord {
    /// Counts a failure and returns what to do.
    pub fn failed(&mut self, settings: &RestartSettings, now: Instant, random: f64) -> Remedy {
        self.0.retain(|at| now.duration_since(*at) < settings.within);
        self.0.push_back(now);
        let failures = self.0.len() as u32;
        if failures >= settings.failures_max.get() {
            Remedy::Quarantine
        } else {
            Remedy::RestartAfter(settings.backoff.wait(failures, random))
        }
    }

    /// Returns the number of failures that still count.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_within_a_minute_quarantines() {
        let settings = RestartSettings::default();
        let start = Instant::now();
        let mut record = FailureRecord::default();
        for second in 0..4 {
            let at = start + Duration::from_secs(second);
            assert!(matches!(record.failed(&settings, at, 0.5), Remedy::RestartAfter(_)));
        }
        assert_eq!(record.failed(&settings, start + Duration::from_secs(59), 0.5), Remedy::Quarantine);
    }

    #[test]
    fn failures_a_minute_apart_never_quarantine() {
        let settings = RestartSettings::default();
        let mut record = FailureRecord::default();
        for minute in 0..20 {
            let at = Instant::now() + Duration::from_secs(60 * minute);
            assert!(matches!(record.failed(&settings, at, 0.5), Remedy::RestartAfter(_)));
        }
    }
}
