//! Settings of one LLM provider's actor. Layer `actors`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::breaker::BreakerSettings;

/// How hard one provider may be worked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSettings {
    /// Calls under way at the same time.
    pub concurrency: NonZeroUsize,
    /// Calls that may wait for their turn; further ones are refused at once.
    pub waiting: NonZeroUsize,
    /// Most calls a minute; absent means no limit.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Longest time of one call, waiting not counted.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// When to stop asking for a while.
    pub breaker: BreakerSettings,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::MIN.saturating_add(15),
            waiting: NonZeroUsize::MIN.saturating_add(999),
            requests_per_minute: None,
            timeout: Duration::from_mins(1),
            breaker: BreakerSettings::default(),
        }
    }
}
