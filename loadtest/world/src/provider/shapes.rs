//! Builds answers in the odd formats of real servers: families of which each call draws a member. Layer: world;
//! pure, except for the bodies it builds.
//!
//! | family | an answer, streamed or plain |
//! |---|---|
//! | `OddFields` | gives the whole text, in fields that differ from chunk to chunk |
//! | `UnreadablePart` | gives one part of the text in a way that nobody can read |
//! | `OddEnd` | ends with an unusual finish reason, with none, with a bad one, or with an error beside the text |
//! | `CutByLength` | breaks off within a word, with the reason `length` |
//! | `Filtered` | breaks off, with the reason `content_filter` |
//! | `OddFraming` | gives the whole text, with odd bytes, lines, comments and content types around it |
//! | `OddUsage` | gives the whole text, and nonsense as usage |
//!
//! The call's record (`answered`) tells whether the whole text was given. A reader may send the whole text or nothing.
//!
//! # Source
//! Answers that `OpenRouter`, vLLM, llama.cpp, TGI, Mistral, Gemini and gateways in front of them were seen to send.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fastrand::Rng;
use serde_json::{Value, json};

use super::decide::Answer;
use super::faults::ProviderFault;

/// The content type and body of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The content type; `None` leaves the header out.
    pub(super) kind: Option<&'static str>,
    /// The body's bytes.
    pub(super) body: Vec<u8>,
    /// True when the body gives the whole text.
    pub(super) says_all: bool,
}

/// Returns whether a fault is one of the families here.
pub(super) fn is_shape(fault: ProviderFault) -> bool {
    matches!(
        fault,
        ProviderFault::OddFields
            | ProviderFault::UnreadablePart
            | ProviderFault::OddEnd
            | ProviderFault::CutByLength
            | ProviderFault::Filtered
            | ProviderFault::OddFraming
            | ProviderFault::OddUsage
    )
}

/// Answers with a member of the family; the seed draws the member.
pub(super) fn respond(fault: ProviderFault, answer: Answer, streams: bool, seed: u64) -> Response {
    let usage = json!(answer.usage);
    let shape = shape(fault, &answer.text, &usage, streams, &mut Rng::with_seed(seed));
    let mut response = Body::from(shape.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(kind) = shape.kind {
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    }
    if shape.says_all {
        answer.settlement.finish();
    }
    response
}

/// Builds the content type and body of an answer.
pub(super) fn shape(fault: ProviderFault, text: &str, usage: &Value, streams: bool, rng: &mut Rng) -> Shape {
    let (reason, error, says_all) = end(fault, rng);
    let usage = if fault == ProviderFault::OddUsage { odd_usage(rng) } else { usage.clone() };
    if !streams {
        let message = match fault {
            ProviderFault::OddFields => odd_part(text, "message", rng),
            ProviderFault::UnreadablePart => json!({"choices": [{"message": {"content": {"parts": [text]}}}]}),
            _ => json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}),
        };
        let mut whole = ended(message, &reason, &error);
        whole["usage"] = usage;
        return framed_document(fault, &whole, says_all, rng);
    }
    let parts: Vec<&str> = text.split_inclusive(' ').collect();
    let unreadable = (fault == ProviderFault::UnreadablePart).then(|| rng.usize(0..parts.len().max(1)));
    let mut events =
        vec![json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}).to_string()];
    for (place, part) in parts.iter().enumerate() {
        events.push(if unreadable == Some(place) {
            unreadable_part(part, rng)
        } else if fault == ProviderFault::OddFields {
            odd_part(part, "delta", rng).to_string()
        } else {
            json!({"choices": [{"index": 0, "delta": {"content": part}}]}).to_string()
        });
    }
    events.push(ended(json!({"choices": [{"index": 0, "delta": {}}]}), &reason, &error).to_string());
    events.push(json!({"choices": [], "usage": usage}).to_string());
    framed_stream(fault, &events, says_all, rng)
}

fn any<'a, T: ?Sized>(rng: &mut Rng, of: &[&'a T]) -> &'a T {
    of[rng.usize(0..of.len())]
}

/// Returns the finish reason, the error beside the text, and whether the text counts as whole.
fn end(fault: ProviderFault, rng: &mut Rng) -> (Value, Value, bool) {
    match fault {
        ProviderFault::CutByLength => (json!(any(rng, &["length", "MAX_TOKENS", "max_tokens"])), Value::Null, true),
        ProviderFault::Filtered => (json!(any(rng, &["content_filter", "SAFETY", "RECITATION"])), Value::Null, false),
        ProviderFault::UnreadablePart => (json!("stop"), Value::Null, false),
        ProviderFault::OddEnd => match rng.u32(0..4) {
            0 => (json!(any(rng, &["STOP", "Stop", "end_turn", "eos_token", "COMPLETE"])), Value::Null, true),
            1 => (json!(any(rng, &["error", "abort", "cancelled", "tool_calls", "OTHER", "x"])), Value::Null, false),
            2 => (json!("stop"), json!({"code": 500, "message": "the worker died"}), false),
            // The text is whole, but a reader who knows the server's reasons need not believe that.
            _ => (if rng.bool() { json!("") } else { Value::Null }, Value::Null, true),
        },
        _ => (json!("stop"), Value::Null, true),
    }
}

fn ended(mut chunk: Value, reason: &Value, error: &Value) -> Value {
    if let Some(choice) = chunk.pointer_mut("/choices/0") {
        choice["finish_reason"] = reason.clone();
    }
    if !error.is_null() {
        chunk["error"] = error.clone();
    }
    chunk
}

/// Returns a chunk that gives a part of the text in a readable way.
fn odd_part(part: &str, at: &str, rng: &mut Rng) -> Value {
    let content = match rng.u32(0..6) {
        0 => json!([{"type": "text", "text": part}]),
        1 => json!({"type": "text", "text": part}),
        2 => {
            json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": part}])
        }
        3 => json!([part]),
        _ => json!(part),
    };
    let mut message = json!({"content": content});
    for (field, value) in [
        ("reasoning", json!("hm")),
        ("reasoning_content", json!("hm")),
        ("reasoning_details", json!([{"type": "x"}])),
        ("refusal", Value::Null),
        ("tool_calls", if rng.bool() { json!([]) } else { Value::Null }),
        ("function_call", Value::Null),
        ("role", Value::Null),
        ("audio", Value::Null),
    ] {
        if rng.bool() {
            message[field] = value;
        }
    }
    let mut choice = json!({"finish_reason": if rng.bool() { json!("") } else { Value::Null }});
    match rng.u32(0..4) {
        0 => choice["index"] = json!("0"),
        1 => choice["index"] = json!(0),
        2 => choice["logprobs"] = json!([]),
        _ => {}
    }
    if at == "delta" {
        match rng.u32(0..4) {
            0 => choice["message"] = Value::Null,
            1 => choice["message"] = json!({"role": "assistant", "content": ""}),
            2 => choice["message"] = json!({"role": "assistant", "content": part}),
            _ => {}
        }
    }
    choice[at] = message;
    let mut chunk = json!({"choices": [choice]});
    match rng.u32(0..4) {
        0 => chunk["usage"] = json!("none"),
        1 => chunk["error"] = Value::Null,
        2 => chunk["created"] = json!("now"),
        _ => chunk["provider"] = json!({"name": "x"}),
    }
    chunk
}

/// Returns an event that hides a part of the text.
fn unreadable_part(part: &str, rng: &mut Rng) -> String {
    let chunk = match rng.u32(0..8) {
        0 => json!({"choices": [{"delta": {"content": part.len()}}]}),
        1 => json!({"choices": [{"delta": part}]}),
        2 => json!({"choices": [{"delta": {"content": [{"type": "unheard_of", "text": part}]}}]}),
        3 => json!({"choices": {"0": {"delta": {"content": part}}}}),
        4 => json!([{"delta": {"content": part}}]),
        5 => Value::Null,
        6 => json!({"choices": [{"delta": {"content": part}, "message": {"content": format!("not {part}")}}]}),
        _ => {
            let whole = json!({"choices": [{"delta": {"content": part}}]}).to_string();
            return whole[..whole.len() / 2].to_owned();
        }
    };
    chunk.to_string()
}

fn odd_usage(rng: &mut Rng) -> Value {
    match rng.u32(0..7) {
        0 => json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        1 => json!({"prompt_tokens": -1, "completion_tokens": -1}),
        2 => json!({"prompt_tokens": u32::MAX, "completion_tokens": u32::MAX}),
        3 => json!({}),
        4 => json!("none"),
        5 => json!({"prompt_tokens": null, "completion_tokens": 1.5}),
        _ => Value::Null,
    }
}

const MARK: &str = "\u{feff}";

fn framed_document(fault: ProviderFault, whole: &Value, says_all: bool, rng: &mut Rng) -> Shape {
    if fault != ProviderFault::OddFraming {
        return Shape { kind: Some("application/json"), body: whole.to_string().into_bytes(), says_all };
    }
    let kind = [None, Some("text/plain"), Some("application/json; charset=utf-8"), Some("text/event-stream")];
    let kind = kind[rng.usize(0..kind.len())];
    let document = escaped(&whole.to_string(), rng.bool());
    let mut body = if rng.bool() { MARK.to_owned() } else { String::new() };
    if rng.bool() {
        // A stream that the client did not ask for.
        let _ = write!(body, "data: {document}\n\ndata: [DONE]\n\n");
    } else {
        let _ = writeln!(body, "{document}");
    }
    Shape { kind, body: body.into_bytes(), says_all }
}

fn framed_stream(fault: ProviderFault, events: &[String], says_all: bool, rng: &mut Rng) -> Shape {
    let kind = Some("text/event-stream");
    if fault != ProviderFault::OddFraming {
        let events: String = events.iter().flat_map(|event| ["data: ", event, "\n\n"]).collect();
        return Shape { kind, body: format!("{events}data: [DONE]\n\n").into_bytes(), says_all };
    }
    let kinds = [
        kind,
        Some("Text/Event-Stream; charset=UTF-8"),
        Some("application/json"),
        Some("application/octet-stream"),
        None,
    ];
    let kind = kinds[rng.usize(0..kinds.len())];
    let line = any(rng, &["\n", "\r\n", "\r"]);
    let mut body = if rng.bool() { MARK.to_owned() } else { String::new() };
    let ascii = rng.bool();
    for event in halved(events, ascii) {
        let _ = match rng.u32(0..6) {
            0 => write!(body, ": alive{line}{line}"),
            1 => write!(body, "data:{line}{line}"),
            2 => write!(body, "event: ping{line}data: {line}{line}"),
            3 => write!(body, "id: 7{line}retry: 100{line}"),
            _ => Ok(()),
        };
        let _ = write!(body, "data:{}{event}{line}{line}", if rng.bool() { " " } else { "" });
    }
    // The last event may lack its blank line, and the `[DONE]` mark may be missing.
    if rng.bool() {
        let _ = write!(body, "data: [DONE]{line}{line}");
    }
    if rng.bool() {
        body.truncate(body.trim_end().len());
    }
    Shape { kind, body: body.into_bytes(), says_all }
}

/// Returns the events; when escaped to ASCII, a surrogate pair may be split over two events.
fn halved(events: &[String], ascii: bool) -> Vec<String> {
    let mut out = Vec::new();
    for event in events {
        let event = escaped(event, ascii);
        match halves(&event) {
            Some(halves) => out.extend(halves),
            None => out.push(event),
        }
    }
    out
}

/// Splits a chunk with one plain string inside its first surrogate pair.
fn halves(event: &str) -> Option<[String; 2]> {
    let open = event.find("\"content\":\"")? + "\"content\":\"".len();
    let at = event.find("\\ud83d\\u")? + "\\ud83d".len();
    let close = at + event[at..].find('"')?;
    // A quotation mark within the text does not end the string.
    let is_plain = !event[open..close].contains("\\\"") && !event[..close].ends_with('\\');
    is_plain.then(|| [format!("{}{}", &event[..at], &event[close..]), format!("{}{}", &event[..open], &event[at..])])
}

fn escaped(json: &str, ascii: bool) -> String {
    if !ascii {
        return json.to_owned();
    }
    json.encode_utf16().fold(String::new(), |mut out, unit| {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => out.push(char::from(byte)),
            None => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = "#c7 😀 noted, thank you #m5";

    /// Returns the text that the plain chunks give.
    fn said(shape: &Shape) -> String {
        let body = String::from_utf8(shape.body.clone()).unwrap();
        let lines = body.lines().filter_map(|line| line.trim_start_matches(MARK).strip_prefix("data:"));
        let chunks = lines.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        chunks.filter_map(|chunk| Some(chunk.pointer("/choices/0/delta/content")?.as_str()?.to_owned())).collect()
    }

    #[test]
    fn a_shape_follows_its_seed() {
        let draw = |seed| shape(ProviderFault::OddFraming, TEXT, &json!({}), true, &mut Rng::with_seed(seed));
        assert_eq!(draw(3), draw(3));
        assert!((0..20).any(|seed| draw(seed) != draw(3)));
    }

    #[test]
    fn each_family_has_members_that_differ_and_says_whether_it_says_all() {
        for (fault, some_all, some_not) in [
            (ProviderFault::OddFields, true, false),
            (ProviderFault::UnreadablePart, false, true),
            (ProviderFault::OddEnd, true, true),
            (ProviderFault::CutByLength, true, false),
            (ProviderFault::Filtered, false, true),
            (ProviderFault::OddFraming, true, false),
            (ProviderFault::OddUsage, true, false),
        ] {
            assert!(is_shape(fault));
            let drawn: Vec<Shape> =
                (0..60).map(|seed| shape(fault, TEXT, &json!({}), seed % 2 == 0, &mut Rng::with_seed(seed))).collect();
            assert_eq!(drawn.iter().any(|shape| shape.says_all), some_all, "{fault:?}");
            assert_eq!(drawn.iter().any(|shape| !shape.says_all), some_not, "{fault:?}");
            let first = &drawn[0].body;
            assert!(drawn.iter().step_by(2).any(|shape| shape.body != *first), "{fault:?}");
        }
    }

    #[test]
    fn a_pair_may_be_halved() {
        let events = [json!({"choices": [{"delta": {"content": "a😀b"}, "index": 0}]}).to_string()];
        assert_eq!(
            halved(&events, true),
            [
                r#"{"choices":[{"delta":{"content":"a\ud83d"},"index":0}]}"#,
                r#"{"choices":[{"delta":{"content":"\ude00b"},"index":0}]}"#,
            ]
        );
        let shape = shape(ProviderFault::OddUsage, TEXT, &json!({}), true, &mut Rng::with_seed(1));
        assert_eq!(said(&shape), TEXT);
    }
}
