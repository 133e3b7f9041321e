//! Tests the LLM adapter: the meaning of each answer, plain and streamed, and that no key shows.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::time::Duration;

use botfleet::llm::provider::HttpProvider;
use botfleet::llm::settings::{LlmProviderSettings, ProviderKind};
use botfleet::outbound::origin::Origin;
use botfleet_actors::ports::llm::{
    Completion, CompletionRequest, FinishReason, KeyIndex, LlmError, LlmProvider as _, PromptMessage, Role,
};
use botfleet_world::provider::spec::{Latency, ProviderSpec};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use serde_json::json;

use crate::scripted_http::{Line, Scripted, answer, refusing};

const KEY: &str = "sk-secret-secret-secret";
const SSE: &str = "content-type: text/event-stream\r\n";

fn settings(base_url: String) -> LlmProviderSettings {
    LlmProviderSettings {
        base_url: Some(base_url),
        api_keys: vec![KEY.into()],
        timeout: Duration::from_millis(500),
        ..LlmProviderSettings::default()
    }
}

fn streaming(base_url: String) -> LlmProviderSettings {
    LlmProviderSettings { stream: true, ..settings(base_url) }
}

fn request() -> CompletionRequest {
    let message = |role, content: &str| PromptMessage { role, content: content.to_owned() };
    CompletionRequest {
        model: "m-1".to_owned(),
        messages: vec![message(Role::System, "You are Deniz."), message(Role::User, "Merhaba!")],
        temperature: 0.5,
        max_tokens: 64,
        schema: None,
    }
}

async fn ask(settings: &LlmProviderSettings) -> Result<Completion, LlmError> {
    HttpProvider::new("p", settings, &Origin::Trusted).unwrap().complete(KeyIndex(0), request()).await
}

async fn ask_once(line: Line, settings: impl Fn(String) -> LlmProviderSettings) -> Result<Completion, LlmError> {
    let server = Scripted::start([line]).await;
    let outcome = ask(&settings(server.url())).await;
    assert_eq!(server.seen().len(), 1, "one attempt");
    outcome
}

#[tokio::test]
async fn every_refusal_is_classified_by_what_the_caller_must_do() {
    let text = str::to_owned;
    let openai =
        |message: &str, code: &str| json!({"error": {"message": message, "type": "x", "code": code}}).to_string();
    let dated = "retry-after: Wed, 21 Oct 2026 07:28:30 GMT\r\ndate: Wed, 21 Oct 2026 07:28:00 GMT\r\n";
    let limited = |secs| LlmError::RateLimited { retry_after: Some(Duration::from_secs(secs)) };
    let gemini_pause = json!([{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "x"}, {"@type": "RetryInfo", "retryDelay": "34s"}]}}]);
    let gemini_key = json!([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT"}}]);
    let table = [
        (Line::Answer(429, "retry-after: 7\r\n", openai("slow", "rate_limit_exceeded")), limited(7)),
        (Line::Answer(429, "retry-after-ms: 2000\r\n", "<html>".into()), limited(2)),
        (Line::Answer(429, dated, String::new()), limited(30)),
        (answer(429, gemini_pause.to_string()), limited(34)),
        (answer(429, "slow down"), LlmError::RateLimited { retry_after: None }),
        (answer(429, openai("pay", "insufficient_quota")), LlmError::QuotaExhausted(text("status 429 pay"))),
        (answer(401, openai("bad key", "invalid_api_key")), LlmError::KeyRefused(text("status 401 bad key"))),
        (
            answer(400, gemini_key.to_string()),
            LlmError::KeyRefused(text("status 400 API key not valid. Please pass a valid API key.")),
        ),
        (
            answer(404, r#"{"error":"model 'm-1' not found"}"#),
            LlmError::ModelRefused(text("status 404 model 'm-1' not found")),
        ),
        (
            answer(404, "<html><title>Not Found</title></html>"),
            LlmError::ModelRefused(text("status 404 Not Found; is base_url right?")),
        ),
        (answer(400, openai("too long", "context_length_exceeded")), LlmError::Rejected(text("status 400 too long"))),
        (answer(422, r#"{"detail":"nope"}"#), LlmError::Rejected(text("status 422 nope"))),
        (answer(529, openai("overloaded", "overloaded_error")), LlmError::Unavailable(text("status 529 overloaded"))),
        (answer(502, "<html>bad gateway</html>"), LlmError::Unavailable(text("status 502 bad gateway"))),
        (answer(500, ""), LlmError::Unavailable(text("status 500 no message"))),
        (
            answer(422, r#"{"detail":[{"type":"missing","loc":["body","x"],"msg":"Field required"}]}"#),
            LlmError::Rejected(text("status 422 Field required")),
        ),
        (
            Line::Answer(301, "location: https://host/v1/chat/completions?key=1\r\n", String::new()),
            LlmError::Unavailable(text("status 301 moved to https://host/v1/chat/completions")),
        ),
        (
            answer(200, r#"{"choices":[],"error":{"code":429,"message":"upstream"}}"#),
            LlmError::RateLimited { retry_after: None },
        ),
    ];
    for (line, expected) in table {
        assert_eq!(ask_once(line.clone(), settings).await, Err(expected.clone()), "{line:?}");
        assert_eq!(ask_once(line.clone(), streaming).await, Err(expected), "{line:?} streamed");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_garbage() {
    let lines = [
        answer(200, ""),
        answer(200, "<html>"),
        answer(200, r#"{"choices":[]}"#),
        answer(200, r#"{"choices":[{"message":{"content":null},"finish_reason":"length"}]}"#),
        answer(200, r#"{"choices":[{"message":{"content":"  "},"finish_reason":"stop"}]}"#),
        answer(200, "[1]"),
        Line::Cut(r#"{"choices":["#.to_owned()),
    ];
    for line in lines {
        let outcome = ask_once(line.clone(), settings).await;
        assert!(matches!(outcome, Err(LlmError::Garbage(_))), "{line:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_was_not_sent_is_told_apart_from_what_was_not_answered() {
    let outcome = ask(&settings(refusing().await)).await;
    assert!(matches!(outcome, Err(LlmError::Unreachable(_))), "{outcome:?}");
    for outcome in [
        ask_once(Line::Stall, settings).await,
        ask_once(Line::Reset, settings).await,
        ask_once(Line::Stall, streaming).await,
    ] {
        assert!(matches!(outcome, Err(LlmError::Unavailable(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn lenient_answers_are_read() {
    let bare = r#"{"choices":[{"message":{"content":"Selam!"}}]}"#;
    let parts = r#"{"id":null,"choices":[{"message":{"reasoning_content":"hm","content":[{"type":"thinking","text":"hm"},{"type":"text","text":"Se"},{"type":"text","text":"lam!"}]},"finish_reason":"MAX_TOKENS"}],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
    let odd_usage = r#"{"choices":[{"message":{"content":"Selam!"},"finish_reason":"stop"}],"usage":"none"}"#;
    let filtered = r#"{"choices":[{"message":{"content":null,"refusal":"I cannot"},"finish_reason":"stop"}]}"#;
    let completion = |text: &str, finish_reason, prompt_tokens, completion_tokens| {
        Ok(Completion { text: text.to_owned(), finish_reason, prompt_tokens, completion_tokens, cached_tokens: None })
    };
    let plain = r#"{"choices":[{"message":{"content":"Selam!\nNaber?"},"finish_reason":"stop"}]}"#;
    let outcome = ask_once(answer(200, plain), streaming).await;
    assert_eq!(outcome, completion("Selam!\nNaber?", FinishReason::Stop, None, None), "asked for a stream");
    for (body, expected) in [
        (bare, completion("Selam!", FinishReason::Stop, None, None)),
        (parts, completion("Selam!", FinishReason::Length, Some(9), Some(3))),
        (odd_usage, completion("Selam!", FinishReason::Stop, None, None)),
        (filtered, completion("", FinishReason::ContentFilter, None, None)),
    ] {
        assert_eq!(ask_once(answer(200, body), settings).await, expected, "{body}");
    }
}

#[tokio::test]
async fn a_stream_is_assembled_and_one_cut_early_is_garbage() {
    let whole = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"Gün\"}}]}\n\n\
        : keep-alive\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"aydın\"},\"finish_reason\":null}]}\n\n\
        data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n\
        data: [DONE]\n\n";
    let outcome = ask_once(Line::Answer(200, SSE, whole.to_owned()), streaming).await;
    let expected = Completion {
        text: "Günaydın".to_owned(),
        finish_reason: FinishReason::Stop,
        prompt_tokens: Some(4),
        cached_tokens: Some(3),
        completion_tokens: Some(2),
    };
    assert_eq!(outcome, Ok(expected));

    let early = whole.split_once("data: {\"choices\":[{\"delta\":{},").unwrap().0;
    for cut in [early.to_owned(), "data: {\"cho\n\n".to_owned(), String::new()] {
        let outcome = ask_once(Line::Answer(200, SSE, cut.clone()), streaming).await;
        assert!(matches!(outcome, Err(LlmError::Garbage(_))), "{cut}: {outcome:?}");
    }
    let refused = "data: {\"error\":{\"code\":503,\"message\":\"busy\"}}\n\n".to_owned();
    let outcome = ask_once(Line::Answer(200, SSE, refused), streaming).await;
    assert_eq!(outcome, Err(LlmError::Unavailable("status 503 busy".to_owned())));
}

#[tokio::test]
async fn a_request_carries_what_the_kind_of_provider_wants() {
    for (kind, limit) in [(ProviderKind::Openai, "max_completion_tokens"), (ProviderKind::Groq, "max_tokens")] {
        let server = Scripted::start([answer(200, r#"{"choices":[{"message":{"content":"x"}}]}"#)]).await;
        let settings = LlmProviderSettings { kind, ..settings(format!("{}/v1/", server.url())) };
        ask(&settings).await.unwrap();
        let seen = server.seen().remove(0);
        assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", seen.head);
        assert!(seen.head.to_ascii_lowercase().contains(&format!("authorization: bearer {KEY}")), "{}", seen.head);
        let expected = json!({
            "model": "m-1", "temperature": 0.5, "stream": false, limit: 64,
            "messages": [{"role": "system", "content": "You are Deniz."}, {"role": "user", "content": "Merhaba!"}],
        });
        assert_eq!(seen.body, expected);
    }
}

#[tokio::test]
async fn the_key_shows_in_no_error_and_no_debug_output() {
    let echo = || json!({"error": {"message": format!("Incorrect API key provided: {KEY}")}}).to_string();
    let script = [answer(401, echo()), answer(500, echo()), answer(200, KEY), Line::Reset];
    let server = Scripted::start(script.clone()).await;
    let settings = settings(server.url());
    let provider = HttpProvider::new("p", &settings, &Origin::Trusted).unwrap();
    let mut shown = format!("{settings:?} {provider:?}");
    for _ in script {
        writeln!(shown, "{:?}", provider.complete(KeyIndex(0), request()).await.unwrap_err()).unwrap();
    }
    assert!(!shown.contains(KEY), "{shown}");
    assert!(shown.contains("[key]"), "{shown}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_start() {
    let base = || settings("http://127.0.0.1:1".to_owned());
    let none = LlmProviderSettings { base_url: None, ..base() };
    let odd = LlmProviderSettings { base_url: Some("localhost:1".to_owned()), ..base() };
    let keyless = LlmProviderSettings { kind: ProviderKind::Groq, api_keys: Vec::new(), ..base() };
    let broken = LlmProviderSettings { api_keys: vec!["a\nb".into()], ..base() };
    for settings in [none, odd, keyless, broken] {
        assert!(HttpProvider::new("p", &settings, &Origin::Trusted).is_err(), "{settings:?}");
    }
}

#[tokio::test]
async fn a_probe_asks_only_whether_the_provider_answers() {
    for (line, reachable) in [
        (answer(200, r#"{"data":[]}"#), true),
        (answer(200, "<html>"), true),
        (answer(404, ""), true),
        (answer(401, ""), false),
        (answer(503, ""), false),
        (Line::Reset, false),
    ] {
        let server = Scripted::start([line.clone()]).await;
        let provider = HttpProvider::new("p", &settings(server.url()), &Origin::Trusted).unwrap();
        assert_eq!(provider.probe().await.is_ok(), reachable, "{line:?}");
        assert!(server.seen()[0].head.starts_with("GET /models "), "{line:?}");
    }
}

#[tokio::test]
async fn the_simulated_provider_answers_plain_and_streamed() {
    let provider = ProviderSpec { latency: Latency::NONE, ..ProviderSpec::default() };
    let spec = SimulationSpec { provider, ..SimulationSpec::of(WorldSpec::demo(1)) };
    let simulation = Simulation::start(spec).await.unwrap();
    let base = format!("{}/v1", simulation.base_url());
    for settings in [settings(base.clone()), streaming(base)] {
        let settings = LlmProviderSettings { timeout: Duration::from_secs(10), ..settings };
        let provider = HttpProvider::new("sim", &settings, &Origin::Trusted).unwrap();
        provider.probe().await.unwrap();
        let completion = provider.complete(KeyIndex(0), request()).await.unwrap();
        assert!(!completion.text.is_empty() && completion.completion_tokens.is_some(), "{completion:?}");
    }
    simulation.stop().await;
}

#[tokio::test]
async fn an_error_within_a_stream_under_way_is_no_refusal() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"Gün\"}}]}\n\n\
        data: {\"error\":{\"code\":429,\"message\":\"slow down\"}}\n\n";
    let outcome = ask_once(Line::Answer(200, SSE, stream.to_owned()), streaming).await;
    assert!(matches!(&outcome, Err(LlmError::Garbage(words)) if words.contains("slow down")), "{outcome:?}");
    assert!(outcome.unwrap_err().may_be_billed());
}

#[tokio::test]
async fn a_stream_without_end_is_cut() {
    let comments = ": keep-alive\n\n".repeat(400_000);
    let stream = format!(
        "{comments}data: {{\"choices\":[{{\"delta\":{{\"content\":\"Gün\"}},\"finish_reason\":\"stop\"}}]}}\n\n"
    );
    let patient = |url| LlmProviderSettings { timeout: Duration::from_secs(20), ..streaming(url) };
    let outcome = ask_once(Line::Answer(200, SSE, stream), patient).await;
    assert!(matches!(outcome, Err(LlmError::Garbage(_))), "{outcome:?}");
}

#[tokio::test]
async fn no_part_of_the_key_shows_where_an_error_is_cut() {
    for filler in 270..300 {
        let message = format!("{} {KEY}", "x".repeat(filler));
        let body = json!({"error": {"message": message}}).to_string();
        let error = ask_once(answer(500, body), settings).await.unwrap_err().to_string();
        assert!(!error.contains(&KEY[..6]), "{error}");
        assert!(error.len() < 340, "{error}");
    }
}
