//! A provider as a manifest describes it. Layer: configuration.

use std::time::Duration;

use botfleet_actors::actors::provider::settings::ProviderSettings;
use secrecy::SecretString;

use crate::llm::settings::{Parameter, ProviderKind, Roles};

/// A provider of models.
#[derive(Debug)]
pub struct ProviderEntry {
    /// Name in the manifest; unique.
    pub name: String,
    /// API that the provider speaks.
    pub kind: ProviderKind,
    /// Address; `None` for the kind's usual one.
    pub base_url: Option<String>,
    /// Keys; none if the provider needs none.
    pub api_keys: Vec<SecretString>,
    /// The model of bots that name the provider alone.
    pub model: Option<String>,
    /// Set when answers are streamed.
    pub stream: bool,
    /// Roles that the models take, until a refusal teaches otherwise.
    pub roles: Roles,
    /// Parameters that are never sent to the provider.
    pub omit: Vec<Parameter>,
    /// Most time for DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Most time until the first part of a streamed answer.
    pub first_token_timeout: Duration,
    /// Settings of the provider's actor, such as its limits.
    pub settings: ProviderSettings,
}
