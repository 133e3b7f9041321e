//! The wire format of chat completions, which `OpenAI` set. Layer `adapters`.

use std::borrow::Cow;

use botfleet_actors::ports::llm::{CompletionRequest, Role};
use serde::Serialize;
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::reading::Reading;
use super::roles::{ChatMessage, arranged};
use super::wire::{Reader, Wire};
use crate::llm::vendor::facts::{BoundField, SchemaMode, Vendor};

/// The wire format.
#[derive(Debug)]
pub(super) struct Chat;

impl Wire for Chat {
    fn path(&self) -> &'static str {
        "/chat/completions"
    }

    fn headers(&self, key: &str) -> Vec<(&'static str, String)> {
        let bearer = || ("authorization", format!("Bearer {key}"));
        (!key.is_empty()).then(bearer).into_iter().collect()
    }

    fn body(&self, request: &CompletionRequest, vendor: &Vendor, dialect: Dialect) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&ChatRequest::new(request, vendor, dialect))
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<Reading>::default()
    }
}

/// A request for a completion.
#[derive(Debug, Serialize)]
struct ChatRequest<'a> {
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
struct StreamOptions {
    include_usage: bool,
}

impl<'a> ChatRequest<'a> {
    fn new(request: &'a CompletionRequest, vendor: &Vendor, dialect: Dialect) -> Self {
        let bound = |field| (dialect.bound == Some(field)).then_some(request.max_tokens);
        let temperature = vendor.temperature(&request.model, request.temperature);
        let messages = request.messages.iter().map(|message| (message.role, Cow::Borrowed(message.content.as_str())));
        Self {
            model: &request.model,
            messages: arranged(messages.chain(instruction(request, dialect.schema)), dialect.roles),
            temperature: temperature.filter(|_| dialect.temperature),
            max_tokens: bound(BoundField::MaxTokens),
            max_completion_tokens: bound(BoundField::MaxCompletionTokens),
            stream: dialect.stream,
            stream_options: (dialect.stream && dialect.stream_usage).then_some(StreamOptions { include_usage: true }),
            response_format: response_format(request, dialect.schema),
        }
    }
}

/// Returns the schema as an instruction, where the provider does not take it in `response_format`.
fn instruction<'a>(request: &CompletionRequest, mode: SchemaMode) -> Option<(Role, Cow<'a, str>)> {
    let schema = request.schema.as_ref().filter(|_| mode != SchemaMode::Schema)?;
    let content =
        format!("Answer with one JSON object that fits this JSON schema, and with nothing else: {}", schema.schema);
    Some((Role::System, Cow::Owned(content)))
}

fn response_format(request: &CompletionRequest, mode: SchemaMode) -> Option<Value> {
    let schema = request.schema.as_ref()?;
    match mode {
        SchemaMode::Schema => Some(json!({
            "type": "json_schema",
            "json_schema": { "name": schema.name, "schema": schema.schema, "strict": true },
        })),
        SchemaMode::Object => Some(json!({ "type": "json_object" })),
        SchemaMode::Prompt => None,
    }
}
