//! Asks a provider at an address that came by API, before it is part of any configuration. Layer `runtime`. Keeps I12.
//!
//! The address is somebody else's word: the guard judges it, and the answer tells no words of whatever is there.

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::ports::llm::{LlmError, LlmProvider};
use secrecy::SecretString;
use tokio::time::timeout;

use super::fleet::RunningFleet;
use crate::llm::address::BaseUrl;
use crate::llm::provider::{HttpProvider, LlmSetupError};
use crate::llm::settings::{LlmProviderSettings, ProviderKind};
use crate::outbound::origin::Origin;

/// The longest time of a trial.
const TRIED_WITHIN: Duration = Duration::from_secs(10);

/// The reason why a provider was not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// The kind, the address or the key is none.
    #[error("{0}")]
    Malformed(String),
    /// The address may not be asked.
    #[error("the address {0}")]
    Refused(String),
}

impl RunningFleet {
    /// Asks a provider for its models; returns why it does not answer, in words of our own.
    ///
    /// # Errors
    /// When it was not asked.
    pub async fn try_provider(
        &self,
        kind: &str,
        address: Option<&str>,
        key: Option<SecretString>,
    ) -> Result<Result<(), &'static str>, TrialError> {
        let malformed = |what: &str| TrialError::Malformed(what.to_owned());
        let kind: ProviderKind = serde_json::from_value(kind.into())
            .map_err(|_| malformed("kind: give one that a manifest may have, as openai or compatible"))?;
        let base =
            address.or(kind.default_base_url()).ok_or_else(|| malformed("base_url: this kind has no usual one"))?;
        let base = BaseUrl::read(base)
            .map_err(|(what, remedy)| TrialError::Malformed(format!("base_url {what}; {remedy}")))?;
        self.guard.check(&base.url).await.map_err(|unfit| TrialError::Refused(unfit.to_string()))?;
        let settings = LlmProviderSettings {
            kind,
            base_url: Some(base.url),
            api_keys: key.into_iter().collect(),
            timeout: TRIED_WITHIN,
            ..LlmProviderSettings::default()
        };
        let provider = HttpProvider::new("trial", &settings, &Origin::Guarded(Arc::clone(&self.guard)));
        let provider = provider.map_err(|error| match error {
            LlmSetupError::Refused(_, unfit) => TrialError::Refused(unfit.to_string()),
            LlmSetupError::NoKey(_) => malformed("key: this kind refuses calls without one"),
            LlmSetupError::Key(_) => malformed("key: it holds characters that no header may"),
            _ => malformed("base_url: it is no http or https address"),
        })?;
        Ok(match timeout(TRIED_WITHIN, provider.probe()).await {
            Ok(answer) => answer.map_err(|error| told(&error)),
            Err(_) => Err("it does not answer in time"),
        })
    }
}

/// Tells a failure without words of the server: they may be those of another server than the one that was meant.
fn told(error: &LlmError) -> &'static str {
    match error {
        LlmError::RateLimited { .. } => "it limits the rate",
        LlmError::Unreachable(_) => "it cannot be reached",
        LlmError::Unavailable(_) => "it does not answer properly",
        LlmError::KeyRefused(_) => "it refuses the key",
        LlmError::QuotaExhausted(_) => "the quota of the key is used up",
        LlmError::ModelRefused(_) | LlmError::Rejected(_) => "it refuses the request",
        LlmError::Garbage(_) => "it answers as no provider does",
    }
}
