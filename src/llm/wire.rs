//! Requests in `OpenAI`'s shape, and answers read leniently. Layer `adapters`.
//!
//! Compatible providers leave out, rename and add fields: only what the fleet needs is read, and nearly all of it may
//! be absent. Reasoning is not read.

use std::borrow::Cow;

use botfleet_actors::ports::llm::{CompletionRequest, FinishReason, Role};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::vendor::{BoundField, SchemaMode, Vendor};

/// A request for a completion.
#[derive(Debug, Serialize)]
pub struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
}

#[derive(Debug, Serialize)]
struct ChatMessage<'a> {
    role: &'static str,
    content: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> ChatRequest<'a> {
    /// The request as this vendor wants it.
    pub fn new(request: &'a CompletionRequest, vendor: &Vendor, stream: bool) -> Self {
        let role = |role| match role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let renamed = vendor.bound == BoundField::MaxCompletionTokens;
        Self {
            model: &request.model,
            messages: request
                .messages
                .iter()
                .map(|m| ChatMessage { role: role(m.role), content: Cow::Borrowed(&m.content) })
                .chain(instruction(request, vendor))
                .collect(),
            temperature: vendor.temperature(&request.model, request.temperature),
            max_tokens: (!renamed).then_some(request.max_tokens),
            max_completion_tokens: renamed.then_some(request.max_tokens),
            stream,
            stream_options: (stream && vendor.stream_usage).then_some(StreamOptions { include_usage: true }),
            response_format: response_format(request, vendor),
        }
    }
}

/// The schema as an instruction, where the provider takes it in no other way.
fn instruction<'a>(request: &CompletionRequest, vendor: &Vendor) -> Option<ChatMessage<'a>> {
    let schema = request.schema.as_ref().filter(|_| vendor.schema != SchemaMode::Schema)?;
    let content =
        format!("Answer with one JSON object that fits this JSON schema, and with nothing else: {}", schema.schema);
    Some(ChatMessage { role: "system", content: Cow::Owned(content) })
}

fn response_format(request: &CompletionRequest, vendor: &Vendor) -> Option<Value> {
    let schema = request.schema.as_ref()?;
    match vendor.schema {
        SchemaMode::Schema => Some(json!({
            "type": "json_schema",
            "json_schema": { "name": schema.name, "schema": schema.schema, "strict": true },
        })),
        SchemaMode::Object => Some(json!({ "type": "json_object" })),
        SchemaMode::Prompt => None,
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
    /// Tools that the model wants called; nobody offered it any.
    #[serde(default)]
    pub tool_calls: Option<Value>,
    #[serde(default, alias = "reasoning")]
    reasoning_content: Option<Value>,
}

impl ChoiceMessage {
    /// A message put together.
    pub fn of(text: String, refusal: Option<String>, tool_calls: Option<Value>) -> Self {
        Self { content: Some(Content::Text(text)), refusal, tool_calls, reasoning_content: None }
    }

    /// Whether it holds reasoning, which is not read.
    pub fn reasons(&self) -> bool {
        self.reasoning_content.as_ref().and_then(Value::as_str).is_some_and(|text| !text.is_empty())
    }
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
    /// Of both, and of thinking, which some providers bill but count nowhere else.
    #[serde(default)]
    total_tokens: Option<u32>,
}

impl Usage {
    /// Tokens that the answer is billed for, thinking included.
    pub fn billed_completion(self) -> Option<u32> {
        let rest = self.total_tokens.zip(self.prompt_tokens).map(|(total, prompt)| total.saturating_sub(prompt));
        self.completion_tokens.max(rest)
    }
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

/// A text without the reasoning that stands before it between marks; one that never ends is left to the firewall.
pub fn without_reasoning(text: String) -> String {
    let Some(rest) = text.trim_start().strip_prefix("<think>") else {
        return text;
    };
    match rest.split_once("</think>") {
        Some((_, answer)) => answer.trim_start().to_owned(),
        None => text,
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
