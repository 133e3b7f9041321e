//! Settings of one LLM provider's actor. Layer `actors`.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::breaker::BreakerSettings;

/// Price of tokens: money per million tokens, in the unit of the budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Price {
    /// Price of prompt tokens.
    pub prompt: f64,
    /// Price of prompt tokens that the provider had kept from an earlier prompt; absent means `prompt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
    /// Price of answer tokens.
    pub completion: f64,
}

/// Limits and prices of one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSettings {
    /// Number of calls under way at the same time, for each model.
    pub concurrency: NonZeroUsize,
    /// Number of calls under way at the same time with one key; absent means no limit.
    pub concurrency_per_key: Option<NonZeroUsize>,
    /// Number of calls of one model that may wait; beyond that, the least urgent is shed.
    pub waiting: NonZeroUsize,
    /// Largest number of calls a minute with one key; absent means no limit.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Largest number of tokens a minute with one key; absent means no limit.
    pub tokens_per_minute: Option<NonZeroU32>,
    /// Longest time of one call, without the wait before it.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long a refused or used-up key is left alone.
    #[serde(with = "humantime_serde")]
    pub refused_key_pause: Duration,
    /// When a model is not asked for a while.
    pub breaker: BreakerSettings,
    /// Price of tokens; absent means free.
    pub price: Option<Price>,
    /// Prices of tokens of single models, which override `price`.
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
