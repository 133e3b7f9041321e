//! The port to LLM providers. Layer `ports`.

use std::time::Duration;

use async_trait::async_trait;

/// What a message in a prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// What people and other bots said.
    User,
    /// What this bot said.
    Assistant,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessage {
    /// What it is.
    pub role: Role,
    /// Its text.
    pub content: String,
}

/// A wish for a completion.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletionRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The prompt; the last message is of role `User` and holds the text to be answered last.
    pub messages: Vec<PromptMessage>,
    /// 0 to 2.
    pub temperature: f64,
    /// Most tokens of the answer.
    pub max_tokens: u32,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Its text, as the model gave it.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens of the prompt; `None` when the provider does not say.
    pub prompt_tokens: Option<u32>,
    /// Tokens of the answer; `None` when the provider does not say.
    pub completion_tokens: Option<u32>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// `max_tokens` were used up.
    Length,
    /// The provider's filter cut it.
    ContentFilter,
    /// Anything else.
    Other,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The provider asks for a pause.
    #[error("provider limits the rate{}", retry_after.map(|d| format!(", retry after {} s", d.as_secs())).unwrap_or_default())]
    RateLimited {
        /// How long, when it says.
        retry_after: Option<Duration>,
    },
    /// Refused connection, timeout, 5xx: another try or provider may do.
    #[error("provider unavailable: {0}")]
    Unavailable(String),
    /// The key or the model is refused: a person must act.
    #[error("provider refuses the key or model: {0}")]
    Unauthorized(String),
    /// The request itself is refused.
    #[error("provider rejects the request: {0}")]
    Rejected(String),
    /// An answer that is none: empty, cut, or malformed.
    #[error("provider answered garbage: {0}")]
    Garbage(String),
}

impl LlmError {
    /// Whether the same request may succeed later at the same provider.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_) | Self::Garbage(_))
    }

    /// The label in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable(_) => "unavailable",
            Self::Unauthorized(_) => "unauthorized",
            Self::Rejected(_) => "rejected",
            Self::Garbage(_) => "garbage",
        }
    }
}

/// One provider.
#[async_trait]
pub trait LlmProvider: Send + Sync + 'static {
    /// Asks for a completion; makes exactly one attempt.
    ///
    /// # Cancel safety
    /// Dropping the future closes the request; the provider may bill it.
    async fn complete(&self, request: CompletionRequest) -> Result<Completion, LlmError>;

    /// Asks whether the provider answers at all.
    async fn probe(&self) -> Result<(), LlmError>;
}
