//! How a provider is, as people see it. Layer `actors`. Keys are shown by their place only (I12).

use serde::Serialize;

use crate::policy::breaker::BreakerState;

/// A provider.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderSnapshot {
    /// Its name in the manifest.
    pub name: String,
    /// The worst breaker of its models.
    pub breaker: BreakerState,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls made since start.
    pub calls: u64,
    /// Its models, as far as they were asked.
    pub models: Vec<ModelSnapshot>,
    /// Its keys.
    pub keys: Vec<KeySnapshot>,
}

/// One model of a provider; counts are since start.
#[derive(Clone, Debug, Serialize)]
pub struct ModelSnapshot {
    /// Its name at the provider.
    pub model: String,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait: for people, for bots, unasked.
    pub waiting: [usize; 3],
    /// Calls made.
    pub calls: u64,
    /// Calls given up since too many waited.
    pub shed: u64,
    /// Tokens of prompts, as the provider says.
    pub prompt_tokens: u64,
    /// Tokens of answers, as the provider says.
    pub completion_tokens: u64,
    /// What they cost, in the unit of the prices.
    pub cost: f64,
}

/// The states of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It is used.
    Usable,
    /// The provider asked for a pause.
    Paused,
    /// Revoked, wrong or used up: a person must act.
    Refused,
}

/// One key.
#[derive(Clone, Debug, Serialize)]
pub struct KeySnapshot {
    /// Its place in the manifest, from 0.
    pub key: usize,
    /// Its state.
    pub state: KeyState,
    /// Why it is refused.
    pub reason: Option<String>,
    /// How long it is still left alone.
    pub for_seconds: u64,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls in the last minute, when they are limited.
    pub requests_in_minute: Option<u64>,
    /// Tokens in the last minute, used or reserved, when they are limited.
    pub tokens_in_minute: Option<u64>,
}
