//! Requests in `OpenAI`'s shape, and answers read leniently. Layer `adapters`.
//!
//! Compatible providers leave out, rename and add fields: only what the fleet needs is read, and nearly all of it may
//! be absent. Reasoning is not read.

use std::borrow::Cow;

use botfleet_actors::ports::llm::{CompletionRequest, FinishReason, Role};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::settings::ProviderKind;

/// A request for a completion.
#[derive(Debug, Serialize)]
pub struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Serialize)]
struct ChatMessage<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> ChatRequest<'a> {
    /// The request as this kind of provider wants it.
    pub fn new(request: &'a CompletionRequest, kind: ProviderKind, stream: bool) -> Self {
        let role = |role| match role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        // OpenAI's newer models refuse `max_tokens`; others do not know its successor.
        let renamed = kind == ProviderKind::Openai;
        Self {
            model: &request.model,
            messages: request
                .messages
                .iter()
                .map(|m| ChatMessage { role: role(m.role), content: &m.content })
                .collect(),
            temperature: request.temperature,
            max_tokens: (!renamed).then_some(request.max_tokens),
            max_completion_tokens: renamed.then_some(request.max_tokens),
            stream,
            stream_options: stream.then_some(StreamOptions { include_usage: true }),
        }
    }
}

/// An answer, or a chunk of a streamed one: they differ in `message` and `delta` only.
#[derive(Debug, Deserialize)]
pub struct ChatAnswer {
    /// Alternatives; the first is used.
    #[serde(default, deserialize_with = "lenient")]
    pub choices: Option<Vec<Choice>>,
    /// Tokens used.
    #[serde(default, deserialize_with = "lenient")]
    pub usage: Option<Usage>,
    /// Some gateways put a refusal into an answer of status 200.
    #[serde(default)]
    pub error: Option<Value>,
}

/// One alternative.
#[derive(Debug, Deserialize)]
pub struct Choice {
    /// The message, or the next part of it.
    #[serde(default, alias = "delta")]
    pub message: Option<ChoiceMessage>,
    /// Why it ended.
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// The text of an alternative.
#[derive(Debug, Deserialize)]
pub struct ChoiceMessage {
    /// Text, or a list of parts of which some are text.
    #[serde(default)]
    pub content: Option<Content>,
    /// Set instead of content when the model refuses.
    #[serde(default)]
    pub refusal: Option<String>,
}

/// Content in either shape.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain.
    Text(String),
    /// In parts.
    Parts(Vec<Part>),
}

/// A part of a content.
#[derive(Debug, Deserialize)]
pub struct Part {
    /// `text`, or something that is no part of the answer.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

/// Tokens used.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Usage {
    /// Of the prompt.
    #[serde(default)]
    pub prompt_tokens: Option<u32>,
    /// Of the answer.
    #[serde(default)]
    pub completion_tokens: Option<u32>,
}

impl Content {
    /// Its text.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts
                .into_iter()
                .filter(|part| part.kind.as_deref().is_none_or(|kind| kind == "text"))
                .filter_map(|part| part.text)
                .collect(),
        }
    }
}

/// What a provider's word for the end means.
pub fn finish_reason(word: &str) -> FinishReason {
    let word: Cow<'_, str> =
        if word.bytes().any(|b| b.is_ascii_uppercase()) { word.to_ascii_lowercase().into() } else { word.into() };
    match word.as_ref() {
        "stop" | "end_turn" | "stop_sequence" | "eos" => FinishReason::Stop,
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" | "safety" | "refusal" | "prohibited_content" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// A field that counts as absent when it has another shape.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}
