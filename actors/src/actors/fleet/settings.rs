//! Settings of the fleet. Layer `actors`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::restart::RestartSettings;

/// Settings that keep the fleet running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetSettings {
    /// How often to look for work that no hint announced; at most 500 ms.
    #[serde(with = "humantime_serde")]
    pub reconcile_every: Duration,
    /// Bots that never polled before start polling at most at this rate; absent means all at once.
    pub ramp_per_minute: Option<NonZeroU32>,
    /// Handled inbox rows are kept this long: 48 h to 6 days, since update ids may restart after a week.
    #[serde(with = "humantime_serde")]
    pub keep_handled: Duration,
    /// Decisions, turns and messages are kept this long.
    #[serde(with = "humantime_serde")]
    pub keep_decisions: Duration,
    /// Dead turns, and messages that were rejected or whose fate is unknown, are kept this long.
    #[serde(with = "humantime_serde")]
    pub keep_letters: Duration,
    /// An actor that does not answer a probe within this is killed and started again.
    #[serde(with = "humantime_serde")]
    pub answer_within: Duration,
    /// Time limit of a stop; work left then is in the store.
    #[serde(with = "humantime_serde")]
    pub stop_deadline: Duration,
    /// How failed actors are restarted.
    pub restart: RestartSettings,
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            reconcile_every: Duration::from_millis(500),
            ramp_per_minute: None,
            keep_handled: Duration::from_hours(72),
            keep_decisions: Duration::from_hours(30 * 24),
            keep_letters: Duration::from_hours(90 * 24),
            answer_within: Duration::from_secs(30),
            stop_deadline: Duration::from_secs(20),
            restart: RestartSettings::default(),
        }
    }
}
