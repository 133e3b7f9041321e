//! Renders answers as the Bot API does. Layer: telegram.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::world::error::ApiError;

/// A successful answer.
#[derive(Debug)]
pub(crate) enum Success {
    /// A result to render.
    Result(Value),
    /// A result with a description, as some methods add.
    Described(Value, &'static str),
    /// A result that is already JSON.
    Rendered(String),
}

impl From<Value> for Success {
    fn from(result: Value) -> Self {
        Self::Result(result)
    }
}

pub(crate) type Answer = Result<Success, ApiError>;

/// Returns the HTTP status of an answer.
pub(crate) fn status_of(answer: &Answer) -> u16 {
    answer.as_ref().map_or_else(|refusal| refusal.code, |_| 200)
}

/// Renders an answer.
pub(crate) fn render(answer: Answer) -> Response {
    match answer {
        Ok(Success::Result(result)) => respond(200, format!("{{\"ok\":true,\"result\":{result}}}")),
        Ok(Success::Rendered(result)) => respond(200, format!("{{\"ok\":true,\"result\":{result}}}")),
        Ok(Success::Described(result, description)) => {
            let body = json!({"ok": true, "result": result, "description": description});
            respond(200, body.to_string())
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// Renders a refusal.
pub(crate) fn refuse(refusal: &ApiError) -> Response {
    let mut parameters = Map::new();
    if let Some(seconds) = refusal.retry_after {
        parameters.insert("retry_after".into(), json!(seconds));
    }
    if let Some(to) = refusal.migrate_to {
        parameters.insert("migrate_to_chat_id".into(), json!(to));
    }
    let mut body = json!({
        "ok": false,
        "error_code": refusal.code,
        "description": refusal.description,
    });
    if !parameters.is_empty() {
        body["parameters"] = parameters.into();
    }
    let mut response = respond(refusal.code, body.to_string());
    if let Some(seconds) = refusal.retry_after {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn respond(status: u16, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
