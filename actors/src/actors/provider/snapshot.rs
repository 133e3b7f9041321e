//! How a provider is, as people see it. Layer `actors`. Keys are shown by their place only (I12).

use serde::Serialize;

use super::trouble::LastError;
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
    /// Why a call failed last, of whatever model or key.
    pub last_error: Option<LastError>,
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
    /// Whether it answers.
    pub state: ModelState,
    /// Failures since its last answer.
    pub failures: u64,
    /// Why a call failed last, however long ago.
    pub last_error: Option<LastError>,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait: for people, for bots, unasked.
    pub waiting: [usize; 3],
    /// Calls made.
    pub calls: u64,
    /// Calls given up since too many waited.
    pub shed: u64,
    /// Tokens of prompts, as they were charged: as the provider says, or the bound where it says none or nonsense.
    pub prompt_tokens: u64,
    /// Tokens of answers, as they were charged.
    pub completion_tokens: u64,
    /// What they cost, in the unit of the prices.
    pub cost: f64,
}

/// Whether a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// No call has ended yet, or those that failed may be chance.
    Untried,
    /// Its last call, or the one before, was answered.
    Working,
    /// Its calls fail.
    Failing,
}

impl ProviderSnapshot {
    /// Why nothing can be had from it; `None` while a model may answer with some key.
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
