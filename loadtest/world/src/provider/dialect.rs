//! Simulates servers with a dialect of their own, which refuse roles or parameters. Layer: world; pure.
//!
//! # Source
//! The error texts of `OpenAI`, Gemini, Mistral, Groq, `DeepSeek`, vLLM and llama.cpp.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fastrand::Rng;
use serde_json::{Value, json};

use super::faults::ProviderFault;
use super::wire::{ApiError, ChatRequest};

/// Refuses a request that does not fit the dialect; `None` when it fits. The words depend on the seed.
pub(super) fn refusal(fault: ProviderFault, request: &ChatRequest, seed: u64) -> Option<Response> {
    let rng = &mut Rng::with_seed(seed);
    match fault {
        ProviderFault::AlternatingRoles if !alternates(request, true) => Some(refuses_roles(rng)),
        ProviderFault::NoSystemRole if !alternates(request, false) => {
            let is_first = request.messages.first().is_some_and(|message| message.role == "system");
            Some(if is_first { refuses_system(rng) } else { refuses_roles(rng) })
        }
        ProviderFault::RefusedParameter => refuses_parameter(request, rng),
        _ => None,
    }
}

/// Returns whether user and assistant alternate, the user first and last, after a system message if one is allowed.
fn alternates(request: &ChatRequest, with_system: bool) -> bool {
    let mut roles = request.messages.iter().map(|message| message.role.as_str()).peekable();
    if with_system {
        roles.next_if_eq(&"system");
    }
    let roles: Vec<&str> = roles.collect();
    let turns = ["user", "assistant"].into_iter().cycle();
    roles.len() % 2 == 1 && roles.iter().zip(turns).all(|(role, turn)| *role == turn)
}

fn refuses_roles(rng: &mut Rng) -> Response {
    const WORDS: [&str; 4] = [
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "After the (optional) system message(s), user message(s) should alternate with assistant message(s).",
        "This model does not support successive user or assistant messages. You should interleave them.",
        "Jinja Exception: After the optional system message, conversation roles must alternate",
    ];
    words(rng, &WORDS)
}

fn refuses_system(rng: &mut Rng) -> Response {
    const WORDS: [&str; 4] = [
        "System role not supported",
        "Developer instruction is not enabled for this model",
        "Only user and assistant roles are supported!",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    ];
    words(rng, &WORDS)
}

/// Refuses with one of `words` in the error format of one of several servers; some answer 500, as a failing template
/// does.
fn words(rng: &mut Rng, words: &[&str]) -> Response {
    let message = words[rng.usize(0..words.len())];
    let status = if rng.u32(0..3) == 0 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
    match rng.u32(0..3) {
        0 => (status, Json(json!({"object": "error", "message": message, "code": status.as_u16()}))).into_response(),
        1 => (status, Json(json!({"detail": message}))).into_response(),
        _ => ApiError::invalid(message, None).with(status, None).into_response(),
    }
}

fn refuses_parameter(request: &ChatRequest, rng: &mut Rng) -> Option<Response> {
    // The refused parameters depend on the seed alone, so each server refuses the same ones at every call.
    let refused = ["temperature", "max_tokens", "response_format", "stream_options"].map(|name| (name, rng.bool()));
    let has = |name: &str| match name {
        "temperature" => request.temperature.is_some(),
        "max_tokens" => request.max_tokens.is_some(),
        "response_format" => request.response_format.is_some(),
        _ => request.stream_options.is_some(),
    };
    let (name, _) = refused.into_iter().find(|(name, refused)| *refused && has(name))?;
    let hint = if name == "max_tokens" { " Use 'max_completion_tokens' instead." } else { "" };
    Some(match rng.u32(0..3) {
        0 => {
            let detail =
                json!([{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}]);
            (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"detail": detail}))).into_response()
        }
        1 => {
            let message = format!("property '{name}' is unsupported.{hint}");
            (StatusCode::BAD_REQUEST, Json(json!({"error": {"message": message, "param": Value::Null}})))
                .into_response()
        }
        _ => {
            let message = format!("Unsupported parameter: '{name}' is not supported with this model.{hint}");
            let body = json!({"error": {"message": message, "type": "invalid_request_error", "param": name}});
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(roles: &[&str], extra: &Value) -> ChatRequest {
        let messages: Vec<Value> = roles.iter().map(|role| json!({"role": role, "content": "x"})).collect();
        let mut request = json!({"messages": messages});
        request.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn a_server_refuses_until_it_is_asked_its_way() {
        let refuses = |fault, roles: &[&str]| refusal(fault, &asked(roles, &json!({})), 1).is_some();
        let (turns, no_system) = (ProviderFault::AlternatingRoles, ProviderFault::NoSystemRole);
        assert!(refuses(turns, &["system", "user", "user"]) && refuses(turns, &["system", "user", "assistant"]));
        assert!(!refuses(turns, &["system", "user", "assistant", "user"]) && !refuses(turns, &["user"]));
        assert!(refuses(no_system, &["system", "user"]) && refuses(no_system, &["user", "user"]));
        assert!(!refuses(no_system, &["user", "assistant", "user"]));
    }

    #[test]
    fn a_server_refuses_the_same_parameters_at_each_call() {
        let all = json!({"temperature": 1, "max_tokens": 9, "response_format": {}, "stream_options": {}});
        let refuses = |extra: &Value, seed| {
            refusal(ProviderFault::RefusedParameter, &asked(&["user"], extra), seed).map(|refused| refused.status())
        };
        let answers: Vec<_> = (0..40).map(|seed| refuses(&all, seed)).collect();
        assert_eq!(answers, (0..40).map(|seed| refuses(&all, seed)).collect::<Vec<_>>());
        assert!(answers.iter().filter(|answer| answer.is_some()).count() > 30, "{answers:?}");
        assert!((0..40).all(|seed| refuses(&json!({}), seed).is_none()));
    }
}
