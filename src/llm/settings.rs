//! Settings of the LLM adapter. Layer `adapters`.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::llm::vendor::facts::Vendor;

/// The kinds of providers known by name; all are spoken to through the API that `OpenAI` set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// `OpenAI`.
    Openai,
    /// Google Gemini, through its OpenAI-compatible endpoint.
    Gemini,
    /// Groq.
    Groq,
    /// Anthropic, through its OpenAI-compatible endpoint.
    Anthropic,
    /// Ollama on this machine.
    Ollama,
    /// The server of llama.cpp on this machine.
    LlamaCpp,
    /// Any other server with the same API; needs a base URL.
    Compatible,
}

impl ProviderKind {
    /// Returns the kind's usual address, if it has one.
    pub fn default_base_url(self) -> Option<&'static str> {
        Vendor::of(self).base_url
    }

    /// Returns whether the kind refuses calls without a key.
    pub fn needs_key(self) -> bool {
        Vendor::of(self).needs_key
    }
}

/// Roles that a server takes, and their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Roles {
    /// System, user and assistant in any order.
    #[default]
    Free,
    /// At most one system message, then user and assistant by turns.
    Alternating,
    /// User and assistant by turns; the instructions stand at the top of the first message.
    AlternatingWithoutSystem,
}

/// A parameter that a provider may be asked without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// `temperature`; without it the model's own holds.
    Temperature,
    /// `max_tokens`, by either name; without it the model's own bound holds.
    MaxTokens,
    /// `response_format`; without it the schema stands in the prompt.
    ResponseFormat,
    /// `stream_options`; without it a stream may end without usage.
    StreamOptions,
    /// `stream`; without it the answer comes in one piece.
    Stream,
}

/// One provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmProviderSettings {
    /// Kind of the provider.
    pub kind: ProviderKind,
    /// Base URL up to and with the version, `http` or `https`; the kind's own when absent.
    pub base_url: Option<String>,
    /// Keys; each call says which of them it goes out with.
    pub api_keys: Vec<SecretString>,
    /// Asks for answers as a stream.
    pub stream: bool,
    /// Roles that the provider takes, until a refusal teaches otherwise.
    pub roles: Roles,
    /// Parameters that are never sent to the provider.
    pub omit: Vec<Parameter>,
    /// Most time for DNS, TCP and TLS together.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Most time until the first part of a streamed answer.
    #[serde(with = "humantime_serde")]
    pub first_token_timeout: Duration,
    /// Most time for a call, from its start to the end of its answer.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for LlmProviderSettings {
    fn default() -> Self {
        Self {
            kind: ProviderKind::Compatible,
            base_url: None,
            api_keys: Vec::new(),
            stream: false,
            roles: Roles::Free,
            omit: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            first_token_timeout: Duration::from_secs(30),
            timeout: Duration::from_mins(1),
        }
    }
}
