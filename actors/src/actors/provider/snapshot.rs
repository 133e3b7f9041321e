//! Snapshots of a provider, for display. Layer `actors`. Keys are shown by their index only (I12).

use serde::Serialize;

use super::trouble::LastError;
use crate::policy::breaker::BreakerState;

/// A snapshot of a provider.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProviderSnapshot {
    /// The provider's name in the manifest.
    pub name: String,
    /// The worst breaker state of its models.
    pub breaker: BreakerState,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls made since start.
    pub calls: u64,
    /// The last failure of a call, of any model or key.
    pub last_error: Option<LastError>,
    /// The provider's models that were asked so far.
    pub models: Vec<ModelSnapshot>,
    /// The provider's keys.
    pub keys: Vec<KeySnapshot>,
}

/// A snapshot of one model; counts are since the start.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ModelSnapshot {
    /// The model's name at the provider.
    pub model: String,
    /// State of the model's breaker.
    pub breaker: BreakerState,
    /// State of the model.
    pub state: ModelState,
    /// Number of failures since the last answer.
    pub failures: u64,
    /// The last failure of a call, however long ago.
    pub last_error: Option<LastError>,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait: for people, for bots, unasked.
    pub waiting: [usize; 3],
    /// Calls made.
    pub calls: u64,
    /// Calls shed since too many waited.
    pub shed: u64,
    /// Tokens of prompts as charged: by the provider's report, or by the bound where the report is missing or not
    /// believed.
    pub prompt_tokens: u64,
    /// Tokens of answers, as they were charged.
    pub completion_tokens: u64,
    /// Tokens of prompts that the provider had kept from earlier ones: a part of `prompt_tokens`.
    pub cached_tokens: u64,
    /// Cost of the tokens, in the unit of the prices.
    pub cost: f64,
}

/// Tells whether a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ModelState {
    /// No call was answered yet, and at most one failed.
    Untried,
    /// The last call, or the one before it, was answered.
    Working,
    /// The last two calls or more failed.
    Failing,
}

impl ProviderSnapshot {
    /// Returns why the provider cannot answer at all; `None` while some model may answer with some key.
    pub fn out_of_order(&self) -> Option<String> {
        let refused = self.keys.iter().all(|key| key.state == KeyState::Refused);
        if let Some(key) = self.keys.first().filter(|_| refused) {
            let reason = key.reason.as_deref().unwrap_or("no reason");
            let keys = if self.keys.len() == 1 { "its key is" } else { "all of its keys are" };
            return Some(format!("{keys} refused: {reason}"));
        }
        let failing =
            |model: &ModelSnapshot| model.state == ModelState::Failing || model.breaker != BreakerState::Closed;
        if self.models.is_empty() || !self.models.iter().all(failing) {
            return None;
        }
        let reason = self.last_error.as_ref().map_or("no reason", |error| &error.reason);
        Some(format!("no model answers: {reason}"))
    }
}

/// The states of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum KeyState {
    /// The key is used.
    Usable,
    /// The provider asked for a pause.
    Paused,
    /// The key is revoked, wrong or used up: a person must act.
    Refused,
}

/// A snapshot of one key.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeySnapshot {
    /// Index of the key in the manifest, from 0.
    pub key: usize,
    /// State of the key.
    pub state: KeyState,
    /// Why the key is refused.
    pub reason: Option<String>,
    /// How many more seconds the key is left alone.
    pub for_seconds: u64,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls in the last minute, when they are limited.
    pub requests_in_minute: Option<u64>,
    /// Tokens in the last minute, used or reserved, when they are limited.
    pub tokens_in_minute: Option<u64>,
}
