//! The port to LLM providers. Layer `ports`.

use std::time::Duration;

use async_trait::async_trait;

/// The role of a message in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// Text of people and of other bots.
    User,
    /// Text of this bot.
    Assistant,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessage {
    /// The role of the message.
    pub role: Role,
    /// The text of the message.
    pub content: String,
}

/// A request for a completion.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletionRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The prompt; the last message is of role `User` and holds the text to be answered last.
    pub messages: Vec<PromptMessage>,
    /// Sampling temperature, 0 to 2.
    pub temperature: f64,
    /// Largest number of tokens in the answer.
    pub max_tokens: u32,
    /// The JSON schema that the answer must fit; absent for plain text.
    pub schema: Option<AnswerSchema>,
}

/// The shape of a structured answer.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerSchema {
    /// Name of the schema: letters, digits, `_` and `-`.
    pub name: String,
    /// A JSON schema whose root is an object.
    pub schema: serde_json::Value,
}

/// A request for embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The texts to embed; not empty.
    pub texts: Vec<String>,
}

/// The answer to an [`EmbeddingRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One vector for each text, in their order.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens in the texts; `None` when the provider does not say.
    pub tokens: Option<u32>,
}

/// Longest pause that a provider can ask for. A longer one is taken for the provider's mistake.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Index of one of a provider's keys, from 0. The keys themselves never leave the adapter (I12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyIndex(pub usize);

/// The answer to a [`CompletionRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Text of the answer, as the model gave it.
    pub text: String,
    /// Why the answer ended.
    pub finish_reason: FinishReason,
    /// Tokens in the prompt; `None` when the provider does not say.
    pub prompt_tokens: Option<u32>,
    /// Tokens in the prompt that the provider had kept from an earlier one; `None` when the provider does not say.
    pub cached_tokens: Option<u32>,
    /// Tokens in the answer; `None` when the provider does not say.
    pub completion_tokens: Option<u32>,
}

/// Why an answer ended. An answer that ends in any other way is unusable ([`LlmError::Garbage`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model had finished: the text is complete.
    Stop,
    /// The answer reached `max_tokens`: the text breaks off.
    Length,
    /// The provider's content filter cut the answer.
    ContentFilter,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The provider asks for a pause.
    #[error("provider limits the rate{}", retry_after.map(|d| format!(", retry after {} s", d.as_secs())).unwrap_or_default())]
    RateLimited {
        /// Length of the pause, when the provider states it.
        retry_after: Option<Duration>,
    },
    /// No connection: the request was not sent.
    #[error("provider unreachable: {0}")]
    Unreachable(String),
    /// Timeout, reset or 5xx: another try or another provider may succeed. The provider may bill the call all the same.
    #[error("provider unavailable: {0}")]
    Unavailable(String),
    /// The key is wrong or revoked: another key may work, and a person must act.
    #[error("provider refuses the key: {0}")]
    KeyRefused(String),
    /// The key's quota is used up: another key may work, and a person must pay.
    #[error("quota of the key is used up: {0}")]
    QuotaExhausted(String),
    /// The model does not exist, or not for this key: another model may work, and a person must act.
    #[error("provider refuses the model: {0}")]
    ModelRefused(String),
    /// The request itself is refused.
    #[error("provider rejects the request: {0}")]
    Rejected(String),
    /// The answer is unusable: empty, cut, or malformed.
    #[error("provider answered garbage: {0}")]
    Garbage(String),
}

impl LlmError {
    /// Returns whether the same request may succeed later at the same provider.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unreachable(_) | Self::Unavailable(_) | Self::Garbage(_))
    }

    /// Returns whether the provider may have done the work and bill it.
    pub fn may_be_billed(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Garbage(_))
    }

    /// Returns whether the error counts against the model's health in the breaker.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unavailable(_) | Self::ModelRefused(_) | Self::Garbage(_))
    }

    /// The label in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable(_) => "unavailable",
            Self::Unreachable(_) => "unreachable",
            Self::KeyRefused(_) => "key_refused",
            Self::QuotaExhausted(_) => "quota_exhausted",
            Self::ModelRefused(_) => "model_refused",
            Self::Rejected(_) => "rejected",
            Self::Garbage(_) => "garbage",
        }
    }
}

/// One LLM provider.
#[async_trait]
pub trait LlmProvider: Send + Sync + 'static {
    /// Returns the number of the provider's keys; 1 for a provider without keys.
    fn keys(&self) -> usize {
        1
    }

    /// Asks for a completion; makes exactly one attempt.
    ///
    /// # Cancel safety
    /// Dropping the future closes the request; the provider may bill it.
    async fn complete(&self, key: KeyIndex, request: CompletionRequest) -> Result<Completion, LlmError>;

    /// Asks for embeddings; makes exactly one attempt.
    ///
    /// # Cancel safety
    /// As for `complete`.
    async fn embed(&self, key: KeyIndex, request: EmbeddingRequest) -> Result<Embeddings, LlmError>;

    /// Asks whether the provider answers at all.
    async fn probe(&self) -> Result<(), LlmError>;
}
