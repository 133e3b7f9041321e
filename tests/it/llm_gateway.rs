//! Tests the adapter's side of the gateway: keys, timeouts, vendors, structured answers, embeddings.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use botfleet::llm::provider::HttpProvider;
use botfleet::llm::settings::{LlmProviderSettings, ProviderKind};
use botfleet::outbound::origin::Origin;
use botfleet_actors::ports::llm::{
    AnswerSchema, CompletionRequest, EmbeddingRequest, KeyIndex, LlmError, LlmProvider as _, PromptMessage, Role,
};
use serde_json::{Value, json};

use crate::scripted_http::{Line, Scripted, answer};

const SAID: &str = r#"{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}]}"#;

fn settings(kind: ProviderKind, url: String) -> LlmProviderSettings {
    LlmProviderSettings {
        kind,
        base_url: Some(url),
        api_keys: vec!["key-one".into(), "key-two".into()],
        ..LlmProviderSettings::default()
    }
}

fn request() -> CompletionRequest {
    CompletionRequest {
        model: "m".to_owned(),
        messages: vec![PromptMessage { role: Role::User, content: "hi".to_owned() }],
        temperature: 2.0,
        max_tokens: 9,
        schema: None,
    }
}

/// Returns the request that a provider of that kind sends.
async fn sent(kind: ProviderKind, request: CompletionRequest) -> Value {
    let server = Scripted::start([answer(200, SAID)]).await;
    let provider = HttpProvider::new("p", &settings(kind, server.url()), &Origin::Trusted).unwrap();
    provider.complete(KeyIndex(0), request).await.unwrap();
    server.seen().remove(0).body
}

#[tokio::test]
async fn each_call_goes_out_with_the_key_it_names() {
    let server = Scripted::start([answer(200, SAID), answer(200, SAID)]).await;
    let provider = HttpProvider::new("p", &settings(ProviderKind::Compatible, server.url()), &Origin::Trusted).unwrap();
    assert_eq!(provider.keys(), 2);
    for key in [1, 0] {
        provider.complete(KeyIndex(key), request()).await.unwrap();
    }
    let heads: Vec<_> = server.seen().into_iter().map(|seen| seen.head).collect();
    assert!(heads[0].contains("Bearer key-two") && heads[1].contains("Bearer key-one"), "{heads:?}");
    let none = provider.complete(KeyIndex(2), request()).await;
    assert!(matches!(none, Err(LlmError::KeyRefused(_))), "{none:?}");
}

#[tokio::test]
async fn a_stream_that_does_not_begin_is_given_up_early() {
    let head_only = Line::Answer(200, "content-type: text/event-stream\r\n", ": keep-alive\n\n".to_owned());
    for line in [Line::Stall, head_only] {
        let server = Scripted::start([line.clone()]).await;
        let settings = LlmProviderSettings {
            stream: true,
            first_token_timeout: Duration::from_millis(100),
            ..settings(ProviderKind::Compatible, server.url())
        };
        let outcome =
            HttpProvider::new("p", &settings, &Origin::Trusted).unwrap().complete(KeyIndex(0), request()).await;
        let early = matches!(&outcome, Err(LlmError::Unavailable(words)) if words.contains("first token"));
        assert!(early || matches!(outcome, Err(LlmError::Garbage(_))), "{line:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_schema_is_asked_for_in_the_vendors_way() {
    let schema = AnswerSchema { name: "verdict".to_owned(), schema: json!({"type": "object", "required": ["a"]}) };
    let wanted = || CompletionRequest { schema: Some(schema.clone()), ..request() };
    let openai = sent(ProviderKind::Openai, wanted()).await;
    assert_eq!(openai["response_format"]["json_schema"]["schema"], schema.schema);
    assert_eq!(openai["messages"].as_array().unwrap().len(), 1);
    let groq = sent(ProviderKind::Groq, wanted()).await;
    assert_eq!(groq["response_format"], json!({"type": "json_object"}));
    let anthropic = sent(ProviderKind::Anthropic, wanted()).await;
    assert_eq!((&anthropic["response_format"], &anthropic["temperature"]), (&Value::Null, &json!(1.0)));
    for body in [groq, anthropic] {
        assert!(body["messages"][1]["content"].as_str().unwrap().contains(r#""required":["a"]"#), "{body}");
    }
}

#[tokio::test]
async fn reasoning_before_the_text_is_left_out_and_tools_are_no_answer() {
    let cases = [
        ("<think>They want tea.</think>\n\nÇay?", Ok("Çay?")),
        ("<think>no end", Ok("<think>no end")),
        ("<think>all of it</think>", Err("answer without text")),
    ];
    for (content, expected) in cases {
        let body =
            json!({"choices": [{"message": {"content": content, "reasoning_content": "hm"}, "finish_reason": "stop"}]});
        let server = Scripted::start([answer(200, body.to_string())]).await;
        let provider = HttpProvider::new("p", &settings(ProviderKind::Ollama, server.url()), &Origin::Trusted).unwrap();
        let outcome = provider.complete(KeyIndex(0), request()).await.map(|completion| completion.text);
        let expected = expected.map(str::to_owned).map_err(|words| LlmError::Garbage(words.to_owned()));
        assert_eq!(outcome, expected, "{content}");
    }
    let body = json!({"choices": [{"message": {"content": null, "tool_calls": [{"id": "1"}]}, "finish_reason": "tool_calls"}]});
    let server = Scripted::start([answer(200, body.to_string())]).await;
    let provider = HttpProvider::new("p", &settings(ProviderKind::Openai, server.url()), &Origin::Trusted).unwrap();
    let outcome = provider.complete(KeyIndex(0), request()).await;
    assert_eq!(outcome, Err(LlmError::Garbage("answer calls tools that nobody offered".to_owned())));
}

#[tokio::test]
async fn embeddings_come_in_the_order_of_their_texts() {
    let row = |index, vector: [f32; 2]| json!({"index": index, "embedding": vector});
    let good = json!({"data": [row(1, [3.0, 4.0]), row(0, [1.0, 2.0])], "usage": {"prompt_tokens": 7}});
    let few = json!({"data": [row(0, [1.0, 2.0])]});
    let twice = json!({"data": [row(0, [1.0, 2.0]), row(0, [1.0, 2.0])]});
    let uneven = json!({"data": [row(0, [1.0, 2.0]), {"index": 1, "embedding": [1.0]}]});
    let script = [good, few, twice, uneven].map(|body| answer(200, body.to_string()));
    let server = Scripted::start(script).await;
    // Embeddings are never streamed.
    let settings = LlmProviderSettings { stream: true, ..settings(ProviderKind::Openai, server.url()) };
    let provider = HttpProvider::new("p", &settings, &Origin::Trusted).unwrap();
    let wish = || EmbeddingRequest { model: "e".to_owned(), texts: vec!["a".to_owned(), "b".to_owned()] };
    let embeddings = provider.embed(KeyIndex(1), wish()).await.unwrap();
    assert_eq!((embeddings.vectors, embeddings.tokens), (vec![vec![1.0, 2.0], vec![3.0, 4.0]], Some(7)));
    for _ in 0..3 {
        let outcome = provider.embed(KeyIndex(0), wish()).await;
        assert!(matches!(outcome, Err(LlmError::Garbage(_))), "{outcome:?}");
    }
    let seen = server.seen().remove(0);
    assert!(seen.head.starts_with("POST /embeddings ") && seen.head.contains("Bearer key-two"), "{}", seen.head);
    assert_eq!(seen.body, json!({"model": "e", "input": ["a", "b"], "encoding_format": "float"}));
}

#[tokio::test]
async fn thinking_is_counted_among_the_tokens_of_the_answer() {
    let usage = [
        (json!({"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81}), (Some(21), Some(60))),
        (json!({"prompt_tokens": 21, "total_tokens": 81}), (Some(21), Some(60))),
        (json!({"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}), (Some(21), Some(9))),
        (json!({"prompt_tokens": 21, "completion_tokens": 9}), (Some(21), Some(9))),
        (json!({"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 5}), (Some(21), Some(9))),
        (json!({"prompt_tokens": 21}), (Some(21), None)),
    ];
    for (usage, expected) in usage {
        let body = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": usage});
        let server = Scripted::start([answer(200, body.to_string())]).await;
        let provider = HttpProvider::new("p", &settings(ProviderKind::Gemini, server.url()), &Origin::Trusted).unwrap();
        let completion = provider.complete(KeyIndex(0), request()).await.unwrap();
        assert_eq!((completion.prompt_tokens, completion.completion_tokens), expected, "{usage}");
    }
}

#[tokio::test]
async fn no_provider_can_ask_for_more_than_a_day_of_silence() {
    for head in ["retry-after: 1e18\r\n", "retry-after-ms: 18446744073709551615\r\n"] {
        let server = Scripted::start([Line::Answer(429, head, "{}".to_owned())]).await;
        let provider =
            HttpProvider::new("p", &settings(ProviderKind::Compatible, server.url()), &Origin::Trusted).unwrap();
        let outcome = provider.complete(KeyIndex(0), request()).await;
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(outcome, Err(LlmError::RateLimited { retry_after: day }), "{head}");
    }
}
