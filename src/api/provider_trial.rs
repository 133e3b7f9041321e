//! A trial of a provider. Layer `api`. Keeps I12.

use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::route::{Body, Need, route};
use super::secret::Secret;
use crate::operate::permission::TryProvider;
use crate::operate::provider_trial::Trial;

/// A provider to be tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TrialBody {
    /// The kind, as in a manifest: `openai`, `gemini`, `groq`, `anthropic`, `ollama`, `llama_cpp` or `compatible`.
    #[cfg_attr(feature = "schema", schema(max_length = 32))]
    pub kind: String,
    /// The address up to and with the version; the usual one of the kind without it. It must lead to a public host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub base_url: Option<String>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = Password, max_length = 4096))]
    pub key: Option<Secret>,
}

impl Body for TrialBody {
    const NEED: Need = Need::Required;
}

/// The result of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TrialView {
    /// Set when the provider answers.
    pub answers: bool,
    /// The reason why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

route! {
    /// POST /api/v1/providers/try.
    Try = "try_provider": Post "/api/v1/providers/try", "Asks a provider at an address for its models; stores nothing.",
        "The address is judged, and again as its name resolves: private networks are refused unless `outbound.private_hosts` names the host.";
    takes TryProvider;
    body TrialBody;
    problems AddressRefused;
    example "/api/v1/providers/try" with r#"{"kind":"compatible","base_url":"https://192.0.2.1/v1","key":"sk-0123456789abcdef0123"}"#
        => r#"{"answers":false,"reason":"it refuses the key"}"#;
    answers Json<TrialView>: |operations, by, call| {
        let TrialBody { kind, base_url, key } = call.body;
        let trial = Trial { kind, base_url, key: key.map(|key| key.0) };
        let reason = operations.try_provider(&by, trial).await?;
        Ok(Json(TrialView { answers: reason.is_none(), reason: reason.map(str::to_owned) }))
    }
}
