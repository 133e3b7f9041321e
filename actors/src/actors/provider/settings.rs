//! Settings of one LLM provider's actor. Layer `actors`.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::breaker::BreakerSettings;

/// What tokens cost: money per million tokens, in whatever unit the budgets are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Price {
    /// Of a prompt.
    pub prompt: f64,
    /// Of an answer.
    pub completion: f64,
}

/// How hard one provider may be worked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSettings {
    /// Calls under way at the same time, for each model.
    pub concurrency: NonZeroUsize,
    /// Calls under way at the same time with one key; absent means no limit.
    pub concurrency_per_key: Option<NonZeroUsize>,
    /// Calls of one model that may wait for their turn; beyond, the least urgent is shed.
    pub waiting: NonZeroUsize,
    /// Most calls a minute with one key; absent means no limit.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Most tokens a minute with one key; absent means no limit.
    pub tokens_per_minute: Option<NonZeroU32>,
    /// Longest time of one call, waiting not counted.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long a refused or used-up key is left alone.
    #[serde(with = "humantime_serde")]
    pub refused_key_pause: Duration,
    /// When to stop asking a model for a while.
    pub breaker: BreakerSettings,
    /// What tokens cost; absent means nothing.
    pub price: Option<Price>,
    /// What tokens of single models cost.
    pub prices: BTreeMap<String, Price>,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::MIN.saturating_add(15),
            concurrency_per_key: None,
            waiting: NonZeroUsize::MIN.saturating_add(999),
            requests_per_minute: None,
            tokens_per_minute: None,
            timeout: Duration::from_mins(1),
            refused_key_pause: Duration::from_mins(15),
            breaker: BreakerSettings::default(),
            price: None,
            prices: BTreeMap::new(),
        }
    }
}
