//! Exponential backoff with full jitter. Layer `policy`.
//!
//! # Source
//! "Exponential Backoff and Jitter", AWS Architecture Blog, 2015: full jitter, here above a floor of half the step.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::keys::keyed;
use crate::domain::keys::rule::key;

keyed! {
    /// Waits between tries.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct BackoffSettings {
        /// The first wait.
        #[serde(with = "humantime_serde")]
        pub first: Duration =
            key(Duration::from_millis(200)).within(Duration::from_millis(1)..=Duration::from_hours(1));
        /// The longest wait.
        #[serde(with = "humantime_serde")]
        pub max: Duration = key(Duration::from_secs(30)).within(Duration::from_millis(1)..=Duration::from_hours(1));
    }
}

impl BackoffSettings {
    /// Returns the wait after the `failures`-th failure in a row, from 1; `random` is uniform in 0..1.
    pub fn wait(&self, failures: u32, random: f64) -> Duration {
        let step = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.max);
        step.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = BackoffSettings { first: Duration::from_millis(100), max: Duration::from_secs(1) };
        assert_eq!(backoff.wait(1, 1.0), Duration::from_millis(100));
        assert_eq!(backoff.wait(3, 1.0), Duration::from_millis(400));
        assert_eq!(backoff.wait(60, 1.0), Duration::from_secs(1));
        assert_eq!(backoff.wait(3, 0.0), Duration::from_millis(200));
    }
}
