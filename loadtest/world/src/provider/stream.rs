//! Writes a decided answer as server-sent events. Layer: world.
//!
//! The call counts as answered when the last event was taken from the stream.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};

use super::calls::Settlement;
use super::decide::Answer;
use super::faults::ProviderFault;
use super::refusal;
use super::router::CREATED;

/// Streams an answer word by word: role, words, finish reason, usage when asked for, `[DONE]`.
///
/// An answer that a fault cuts breaks off after half of its events.
pub(super) fn respond(answer: Answer, model: &str, with_usage: bool) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    let mut events = events(&answer, model, with_usage);
    match answer.spoiled {
        Some(ProviderFault::Cut) => {
            events.truncate(events.len() / 2);
            return (headers, Body::from(events.concat())).into_response();
        }
        Some(ProviderFault::CutReset) => {
            events.truncate(events.len() / 2);
            return (headers, refusal::broken(events)).into_response();
        }
        Some(ProviderFault::MalformedJson) => {
            events.truncate(events.len() / 2);
            events.push(Bytes::from_static(b"data: {\"choices\": [{\"delta\"\n\n"));
            return (headers, Body::from(events.concat())).into_response();
        }
        _ => {}
    }
    let events = events.into_iter();
    let state = Some((events, answer.settlement));
    let body = Body::from_stream(stream::unfold(state, |state| async move {
        let (mut events, settlement) = state?;
        let event = events.next()?;
        let rest = if events.len() == 0 { settle(settlement) } else { Some((events, settlement)) };
        Some((Ok::<Bytes, Infallible>(event), rest))
    }));
    (headers, body).into_response()
}

fn settle<T>(settlement: Settlement) -> Option<T> {
    settlement.finish();
    None
}

fn events(answer: &Answer, model: &str, with_usage: bool) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Value| {
        let mut body = json!({
            "id": format!("chatcmpl-{}", answer.call),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "system_fingerprint": "fp_simulated",
            "choices": choices,
        });
        if with_usage {
            body["usage"] = usage;
        }
        Bytes::from(format!("data: {body}\n\n"))
    };
    let delta = |delta: Value, finish_reason: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        chunk(json!([choice]), Value::Null)
    };
    let mut events = vec![delta(json!({"role": "assistant", "content": "", "refusal": null}), None)];
    events.extend(answer.text.split_inclusive(' ').map(|word| delta(json!({"content": word}), None)));
    events.push(delta(json!({}), Some(answer.finish_reason)));
    if with_usage {
        events.push(chunk(json!([]), json!(answer.usage)));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}
