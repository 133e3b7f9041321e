//! Settings of the LLM adapter. Layer `adapters`.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// The kinds of providers known by name; all are spoken to through the API that `OpenAI` set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
    /// Any other server with the same API, for example llama.cpp; needs a base URL.
    Compatible,
}

impl ProviderKind {
    /// Where the kind is found when the settings do not say.
    ///
    /// # Source
    /// Each vendor's page on its OpenAI-compatible API.
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta/openai"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Ollama => Some("http://localhost:11434/v1"),
            Self::Compatible => None,
        }
    }

    /// Whether it refuses calls without a key.
    pub fn needs_key(self) -> bool {
        !matches!(self, Self::Ollama | Self::Compatible)
    }
}

/// One provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmProviderSettings {
    /// What it is.
    pub kind: ProviderKind,
    /// Its base URL up to and with the version, `http` or `https`; the kind's own when absent.
    pub base_url: Option<String>,
    /// Its key.
    pub api_key: Option<SecretString>,
    /// Whether answers are asked for as a stream.
    pub stream: bool,
    /// Most time for DNS, TCP and TLS together.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Most time for a call, from its start to the end of its answer.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for LlmProviderSettings {
    fn default() -> Self {
        Self {
            kind: ProviderKind::Compatible,
            base_url: None,
            api_key: None,
            stream: false,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_mins(1),
        }
    }
}
