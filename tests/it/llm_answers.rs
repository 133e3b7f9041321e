//! Tests answers in odd shapes: either the whole text arrives, or the call fails (I13).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::time::Duration;

use botfleet::llm::provider::HttpProvider;
use botfleet::llm::settings::LlmProviderSettings;
use botfleet::outbound::origin::Origin;
use botfleet_actors::ports::llm::{
    Completion, CompletionRequest, FinishReason, KeyIndex, LlmError, LlmProvider as _, PromptMessage, Role,
};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use serde_json::{Value, json};

use crate::scripted_http::{Line, Scripted, answer};

const SSE: &str = "content-type: text/event-stream\r\n";

type Outcome = Result<Completion, LlmError>;

fn settings(base_url: String, stream: bool) -> LlmProviderSettings {
    LlmProviderSettings {
        base_url: Some(base_url),
        timeout: Duration::from_secs(5),
        stream,
        ..LlmProviderSettings::default()
    }
}

fn request() -> CompletionRequest {
    let message = PromptMessage { role: Role::User, content: "Ann: Is the bridge open?".to_owned() };
    CompletionRequest { model: "m".to_owned(), messages: vec![message], temperature: 0.5, max_tokens: 64, schema: None }
}

/// Returns the outcomes of a new provider for each line, one call after the other.
async fn ask_all(lines: impl IntoIterator<Item = Line>, stream: bool) -> Vec<Outcome> {
    let lines: Vec<Line> = lines.into_iter().collect();
    let server = Scripted::start(lines.clone()).await;
    let provider = HttpProvider::new("p", &settings(server.url(), stream), &Origin::Trusted).unwrap();
    let mut outcomes = Vec::new();
    for _ in lines {
        outcomes.push(provider.complete(KeyIndex(0), request()).await);
    }
    outcomes
}

async fn ask(line: Line, stream: bool) -> Outcome {
    ask_all([line], stream).await.remove(0)
}

fn text(outcome: &Outcome) -> Option<&str> {
    outcome.as_ref().ok().filter(|completion| completion.finish_reason == FinishReason::Stop).map(|c| c.text.as_str())
}

fn event(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

#[allow(clippy::needless_pass_by_value, reason = "its callers make it on the spot")]
fn delta(content: &str, reason: Value) -> Value {
    json!({"choices": [{"delta": {"content": content}, "finish_reason": reason}]})
}

fn streamed(body: String) -> Line {
    Line::Answer(200, SSE, body)
}

#[tokio::test]
async fn i13_a_chunk_that_cannot_be_read_ends_the_call() {
    let not = [
        json!({"choices": [{"delta": {"content": 0}}]}),
        json!({"choices": [{"delta": {"content": [{"type": "unheard_of", "text": "not "}]}}]}),
        json!({"choices": [{"delta": ["not "]}]}),
        json!({"choices": "not "}),
        json!(["not "]),
        json!(null),
    ];
    for odd in not {
        let body = [delta("The bridge is ", json!(null)), odd.clone(), delta("open today.", json!("stop"))];
        let body = body.iter().map(event).collect::<String>() + "data: [DONE]\n\n";
        let outcome = ask(streamed(body), true).await;
        assert!(matches!(outcome, Err(LlmError::Garbage(_))), "{odd}: {outcome:?}");
    }
    let broken = "data: {\"choices\":[{\"delta\":{\"content\":\"The bridge is \"}}]}\n\ndata: {\"choices\":[{\"del\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"open.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for body in [broken.to_owned(), broken.replace("data: {\"choices\":[{\"del\n", "{\"error\":\"busy\"}\n")] {
        let outcome = ask(streamed(body), true).await;
        assert!(matches!(outcome, Err(LlmError::Garbage(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn only_a_known_good_end_is_a_whole_answer() {
    let plain =
        |reason: Value| json!({"choices": [{"message": {"content": "It is open. Go ac"}, "finish_reason": reason}]});
    for (reason, expected) in [
        (json!("stop"), Some(FinishReason::Stop)),
        (json!("STOP"), Some(FinishReason::Stop)),
        (json!("eos_token"), Some(FinishReason::Stop)),
        (json!("length"), Some(FinishReason::Length)),
        (json!("MAX_TOKENS"), Some(FinishReason::Length)),
        (json!("content_filter"), Some(FinishReason::ContentFilter)),
        (json!("SAFETY"), Some(FinishReason::ContentFilter)),
        (json!("error"), None),
        (json!("abort"), None),
        (json!("tool_calls"), None),
        (json!("something_new"), None),
        (json!(3), None),
    ] {
        let outcomes = [
            ask(answer(200, plain(reason.clone()).to_string()), false).await,
            ask(streamed(event(&delta("It is open. Go ac", reason.clone())) + "data: [DONE]\n\n"), true).await,
        ];
        for outcome in outcomes {
            match (&outcome, expected) {
                (Ok(completion), Some(expected)) => assert_eq!(completion.finish_reason, expected, "{reason}"),
                (Err(LlmError::Garbage(_)), None) => {}
                _ => panic!("{reason}: {outcome:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_error_beside_a_text_is_no_answer() {
    let mut plain = json!({"choices": [{"message": {"content": "It is"}, "finish_reason": "stop"}]});
    plain["error"] = json!({"code": 500, "message": "worker died"});
    let outcome = ask(answer(200, plain.to_string()), false).await;
    assert!(matches!(&outcome, Err(LlmError::Garbage(words)) if words.contains("worker died")), "{outcome:?}");
    let named = "event: error\ndata: {\"message\":\"worker died\"}\n\n";
    let outcome = ask(streamed(event(&delta("It is", json!(null))) + named + "data: [DONE]\n\n"), true).await;
    assert!(matches!(&outcome, Err(LlmError::Garbage(words)) if words.contains("worker died")), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_without_a_reason_is_whole_only_where_none_is_ever_given() {
    let bare = || event(&delta("It is open.", json!(""))) + &event(&json!({"choices": [], "usage": {}}));
    let done = || streamed(bare() + "data: [DONE]\n\n");
    let with_reason = || streamed(event(&delta("It is open.", json!("stop"))));
    let outcomes = ask_all([done(), done(), with_reason(), done()], true).await;
    let texts: Vec<_> = outcomes.iter().map(text).collect();
    assert_eq!(texts, [Some("It is open."), Some("It is open."), Some("It is open."), None], "{outcomes:?}");
    let cut = ask(streamed(bare()), true).await;
    assert!(matches!(cut, Err(LlmError::Garbage(_))), "cut: {cut:?}");
}

#[tokio::test]
async fn streams_are_read_in_every_framing() {
    let whole = event(&delta("Gün", json!(null))) + &event(&delta("aydın 😀", json!("stop"))) + "data: [DONE]\n\n";
    let halves = "data: {\"choices\":[{\"delta\":{\"content\":\"Günaydın \\ud83d\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"\\ude00\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let lines = [
        streamed(format!("\u{feff}{whole}")),
        streamed(whole.replace('\n', "\r\n")),
        streamed(whole.replace('\n', "\r")),
        streamed(format!("data:\n\ndata: \n\n: alive\n\nevent: ping\ndata:\n\n{whole}")),
        streamed(halves.to_owned()),
        streamed(whole.replace("data: [DONE]\n\n", "").trim_end().to_owned()),
        Line::Answer(200, "content-type: Text/Event-Stream; charset=UTF-8\r\n", whole.clone()),
        Line::Answer(200, "content-type: application/json\r\n", whole.clone()),
        Line::Answer(200, "content-type: text/plain\r\n", whole.clone()),
        Line::Answer(200, "", whole.replace("data: ", "data:")),
    ];
    for stream in [true, false] {
        for (line, outcome) in lines.clone().into_iter().zip(ask_all(lines.clone(), stream).await) {
            assert_eq!(text(&outcome), Some("Günaydın 😀"), "{line:?}: {outcome:?}");
        }
    }
    let plain = json!({"choices": [{"message": {"content": "Günaydın 😀"}, "finish_reason": "stop"}]}).to_string();
    for line in [answer(200, format!("\u{feff}{plain}")), streamed(plain.clone()), streamed(format!("\n\n{plain}\n"))] {
        assert_eq!(text(&ask(line.clone(), true).await), Some("Günaydın 😀"), "{line:?}");
        assert_eq!(text(&ask(line.clone(), false).await), Some("Günaydın 😀"), "{line:?}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_named() {
    let page = "<html><head><title>Sign in</title></head><body>Please sign in</body></html>";
    let outcome = ask(Line::Answer(200, "content-type: text/html\r\n", page.to_owned()), false).await;
    assert!(matches!(&outcome, Err(LlmError::Garbage(words)) if words.contains("Sign in")), "{outcome:?}");
}

/// Makes a chunk that says `part`, in a shape that shows where the text is or in one that does not.
fn shaped(part: &str, shape: usize) -> Value {
    let message = match shape {
        0 => json!({"content": part}),
        1 => json!({"content": part, "reasoning": "hm", "reasoning_content": "hm", "role": null}),
        2 => json!({"content": [{"type": "text", "text": part}]}),
        3 => json!({"content": {"type": "text", "text": part}, "refusal": null, "tool_calls": null}),
        4 => json!({"content": [part, {"type": "thinking", "thinking": "hm"}]}),
        5 => json!({"content": [{"type": "odd", "text": part}]}),
        6 => json!({"content": [[part]]}),
        _ => json!({"text": part}),
    };
    match shape {
        8 => json!({"choices": [{"message": message}]}),
        9 => json!({"choices": [{"delta": part}]}),
        10 => json!({"choices": [{"delta": {"content": part}, "message": {"content": part}, "index": "0"}]}),
        11 => json!({"choices": [{"delta": {"content": part}, "message": null}], "usage": -1, "error": null}),
        12 => json!({"choices": [{"text": part}]}),
        13 => json!({"choices": {"0": {"delta": {"content": part}}}}),
        _ => json!({"choices": [{"delta": message}]}),
    }
}

fn framing() -> impl Strategy<Value = (&'static str, bool, bool, &'static str)> {
    let kinds = select(vec![
        SSE,
        "content-type: TEXT/EVENT-STREAM\r\n",
        "content-type: application/json\r\n",
        "content-type: text/event-stream;charset=utf-8\r\n",
        "",
    ]);
    (select(vec!["\n", "\r\n", "\r"]), any::<bool>(), any::<bool>(), kinds)
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..proptest::prelude::ProptestConfig::with_cases(256) })]

    #[test]
    fn i13_either_the_whole_text_arrives_or_the_call_fails(
        parts in proptest::collection::vec(("[a-zA-ZğüşıöçĞ😀 ,.]{1,12}", 0_usize..14), 1..8),
        reason in prop_oneof![Just(json!("stop")), Just(json!("length")), Just(json!("")), Just(json!(null)),
            Just(json!("abort")), Just(json!("error")), Just(json!("END_TURN"))],
        cut in prop_oneof![3 => Just(None), 1 => (0_usize..2000).prop_map(Some)],
        (end, mark, done, kind) in framing(),
        escaped in any::<bool>(),
        stream in any::<bool>(),
    ) {
        let whole: String = parts.iter().map(|(part, _)| part.as_str()).collect();
        let mut body = String::new();
        for (part, shape) in &parts {
            let chunk = shaped(part, *shape).to_string();
            write!(body, "data: {}{end}{end}", if escaped { ascii(&chunk) } else { chunk }).unwrap();
        }
        let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
        write!(body, "data: {last}{end}{end}").unwrap();
        if done {
            write!(body, "data: [DONE]{end}{end}").unwrap();
        }
        let cut_to = cut.filter(|at| *at < body.len());
        if let Some(at) = cut_to {
            body.truncate((0..=at).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0));
        }
        if mark {
            body.insert(0, '\u{feff}');
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(ask(Line::Answer(200, kind, body), stream));
        if let Ok(completion) = &outcome {
            prop_assert_eq!(&completion.text, &whole);
            prop_assert!(reason != json!("abort") && reason != json!("error"), "{:?}", outcome);
        }
    }
}

/// Escapes every character of a JSON text beyond ASCII.
fn ascii(json: &str) -> String {
    let mut out = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => out.push(char::from(byte)),
            None => write!(out, "\\u{unit:04x}").unwrap(),
        }
    }
    out
}
