//! A trial of a provider. Layer `operate`. Keeps I12.

use botfleet_actors::domain::audit::{Act, ActResult, AuditObject, ObjectKind};
use secrecy::SecretString;
use serde_json::json;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::TryProvider;
use crate::runtime::provider_trial::TrialError;

/// A provider to be tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The kind, as in a manifest.
    pub kind: String,
    /// The address; the usual one of the kind without it.
    pub base_url: Option<String>,
    /// The key.
    pub key: Option<SecretString>,
}

impl From<TrialError> for Failure {
    fn from(error: TrialError) -> Self {
        let code = match error {
            TrialError::Malformed(_) => Code::BadRequest,
            TrialError::Refused(_) => Code::AddressRefused,
        };
        Self::new(code, error.to_string())
    }
}

impl Operations {
    /// Asks a provider at an address; returns why it does not answer, or `None` when it does. Nothing is stored.
    ///
    /// # Errors
    /// `BadRequest`; `AddressRefused` when the address leads to no public host; `OutOfReach`, `Unavailable`.
    pub async fn try_provider(&self, by: &Granted<TryProvider>, trial: Trial) -> Result<Option<&'static str>, Failure> {
        by.everything()?;
        let Trial { kind, base_url, key } = trial;
        let entry = self.entry(by, Act::TryProvider, AuditObject::only(ObjectKind::Provider))?;
        let intent = entry.as_intent().with_after(json!({ "kind": kind, "address": base_url }));
        self.fleet.audit.record(&intent).await?;
        let tried = self.fleet.try_provider(&kind, base_url.as_deref(), key).await;
        let done = matches!(tried, Ok(Ok(())));
        self.fleet.audit.ended(&intent, if done { ActResult::Done } else { ActResult::Failed }).await;
        Ok(tried?.err())
    }
}
