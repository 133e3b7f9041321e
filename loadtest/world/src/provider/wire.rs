//! Defines the parts of the `OpenAI` API that the simulated provider reads and writes. Layer: world.
//!
//! # Source
//! `OpenAI` API reference: chat completions, embeddings, models, error codes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A request for a chat completion; fields that the provider does not need are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct ChatRequest {
    /// The model's name; any name is accepted.
    #[serde(default)]
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<ChatMessage>,
    /// True when the answer is to come as server-sent events.
    #[serde(default)]
    pub stream: Option<bool>,
    /// Options of a streamed answer.
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    /// The bound on the answer's tokens, under its old name.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// The bound on the answer's tokens.
    #[serde(default)]
    pub max_completion_tokens: Option<u32>,
    /// How freely the model chooses its words.
    #[serde(default)]
    pub temperature: Option<Value>,
    /// The shape that the answer must have.
    #[serde(default)]
    pub response_format: Option<Value>,
}

impl ChatRequest {
    /// Returns the bound on the answer's tokens, under either name.
    pub fn token_bound(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// Returns the text of the last message of a user.
    pub fn last_user_text(&self) -> Option<String> {
        self.messages.iter().rev().find(|message| message.role == "user").map(ChatMessage::text)
    }
}

/// Options of a streamed answer.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct StreamOptions {
    /// True when a last chunk is to carry the token usage.
    #[serde(default)]
    pub include_usage: bool,
}

/// One message of a conversation.
#[derive(Debug, Clone, Deserialize)]
pub struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// A string, an array of parts, or null.
    #[serde(default)]
    pub content: Value,
}

impl ChatMessage {
    /// Returns the message's text: the string itself, or its text parts, one on each line.
    pub fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
                texts.join("\n")
            }
            _ => String::new(),
        }
    }
}

/// A request for embeddings.
#[derive(Debug, Clone, Deserialize)]
pub struct EmbeddingRequest {
    /// The model's name; any name is accepted.
    #[serde(default)]
    pub model: String,
    /// One text or several.
    pub input: EmbeddingInput,
    /// The vectors' length, 1-4096.
    #[serde(default)]
    pub dimensions: Option<usize>,
    /// `float` (default) or `base64`.
    #[serde(default)]
    pub encoding_format: Option<String>,
}

/// The texts of a request for embeddings.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum EmbeddingInput {
    /// One text.
    One(String),
    /// Several texts; the answer holds one embedding vector for each.
    Many(Vec<String>),
}

/// The token counts of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// The sum of both.
    pub total_tokens: u32,
    /// The parts of the prompt.
    pub prompt_tokens_details: PromptDetails,
}

/// The parts of a prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PromptDetails {
    /// Tokens that were known from an earlier prompt.
    pub cached_tokens: u32,
}

impl Usage {
    /// Makes the counts of a call.
    pub fn new(prompt_tokens: u32, completion_tokens: u32) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: PromptDetails::default(),
        }
    }

    /// Adds the number of the prompt's tokens that were known from an earlier prompt.
    #[must_use]
    pub fn with_cached(mut self, cached_tokens: u32) -> Self {
        self.prompt_tokens_details.cached_tokens = cached_tokens;
        self
    }

    /// Returns the number of the prompt's tokens that were known from an earlier prompt.
    pub fn cached_tokens(&self) -> u32 {
        self.prompt_tokens_details.cached_tokens
    }
}

/// The tokens that each message costs beyond its text.
pub(super) const TOKENS_PER_MESSAGE: u32 = 4;

/// Characters of one token.
pub(super) const CHARS_PER_TOKEN: usize = 4;

/// Estimates a text's tokens: one for every four characters begun.
pub fn tokens_of(text: &str) -> u32 {
    u32::try_from(text.chars().count().div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX)
}

/// An error in `OpenAI`'s format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// `OpenAI`'s class of the error, such as `invalid_request_error`.
    pub kind: &'static str,
    /// `OpenAI`'s code of the error, if it has one.
    pub code: Option<&'static str>,
    /// The parameter at fault, if there is one.
    pub param: Option<&'static str>,
    /// The description of the error for a human.
    pub message: String,
}

impl ApiError {
    /// Refuses a request that cannot be understood (400).
    pub fn invalid(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: None,
            param,
            message: message.into(),
        }
    }

    /// Changes the status and the code.
    #[must_use]
    pub fn with(mut self, status: StatusCode, code: Option<&'static str>) -> Self {
        self.status = status;
        self.code = code;
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }});
        (self.status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn content_may_be_a_string_parts_or_null() {
        let request: ChatRequest = serde_json::from_value(json!({"messages": [
            {"role": "user", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "image_url"}]},
            {"role": "assistant", "content": null},
        ]}))
        .unwrap();
        let texts: Vec<String> = request.messages.iter().map(ChatMessage::text).collect();
        assert_eq!(texts, ["one", "two", ""]);
        assert_eq!(request.last_user_text().as_deref(), Some("two"));
    }

    #[test]
    fn either_name_bounds_the_tokens() {
        let bound = |field: &str| {
            let request: ChatRequest = serde_json::from_value(json!({"messages": [], field: 9})).unwrap();
            request.token_bound()
        };
        assert_eq!((bound("max_tokens"), bound("max_completion_tokens")), (Some(9), Some(9)));
    }
}
