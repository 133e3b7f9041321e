//! Tests how a model wants to be asked: the lessons of refusals, and the manifest's settings beforehand.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use botfleet::llm::provider::HttpProvider;
use botfleet::llm::settings::{LlmProviderSettings, Parameter, Roles};
use botfleet::outbound::origin::Origin;
use botfleet_actors::ports::llm::{CompletionRequest, KeyIndex, LlmError, LlmProvider as _, PromptMessage, Role};
use serde_json::{Value, json};

use crate::scripted_http::{Line, Scripted, answer};

fn settings(base_url: String) -> LlmProviderSettings {
    LlmProviderSettings { base_url: Some(base_url), timeout: Duration::from_secs(5), ..LlmProviderSettings::default() }
}

/// Makes a group's prompt: two people in a row, and the bot between others.
fn request(model: &str) -> CompletionRequest {
    let message = |role, content: &str| PromptMessage { role, content: content.to_owned() };
    CompletionRequest {
        model: model.to_owned(),
        messages: vec![
            message(Role::System, "You are Ada."),
            message(Role::User, "Tom: temperature and max_tokens, roles must alternate"),
            message(Role::User, "Ann: Tea?"),
            message(Role::Assistant, "Yes."),
            message(Role::User, "Tom: Now?"),
        ],
        temperature: 0.5,
        max_tokens: 64,
        schema: None,
    }
}

fn well() -> Line {
    answer(200, json!({"choices": [{"message": {"content": "Now."}, "finish_reason": "stop"}]}).to_string())
}

fn refusal(status: u16, message: &str, param: Option<&str>) -> Line {
    answer(status, json!({"error": {"message": message, "param": param}}).to_string())
}

fn roles(body: &Value) -> Vec<&str> {
    body["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_refused_parameter_is_left_out_at_once_and_from_then_on_for_that_model() {
    let script = [
        refusal(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", Some("max_tokens")),
        refusal(400, "'temperature' does not support 0.5 with this model.", Some("temperature")),
        well(),
        well(),
        well(),
    ];
    let server = Scripted::start(script).await;
    let provider = HttpProvider::new("p", &settings(server.url()), &Origin::Trusted).unwrap();
    for model in ["new", "new", "old"] {
        assert_eq!(provider.complete(KeyIndex(0), request(model)).await.unwrap().text, "Now.");
    }
    let seen = server.seen();
    let sent: Vec<_> = seen
        .iter()
        .map(|seen| ["temperature", "max_tokens", "max_completion_tokens"].map(|key| seen.body.get(key).is_some()))
        .collect();
    let learned = [false, false, true];
    assert_eq!(sent, [[true, true, false], [true, false, true], learned, learned, [true, true, false]]);
    assert_eq!(seen[2].body["max_completion_tokens"], 64);
}

#[tokio::test]
async fn roles_are_merged_for_a_server_that_refuses_them_and_from_then_on() {
    for (refused, status, expected) in [
        ("Conversation roles must alternate user/assistant/user/assistant/...", 400, ["system", "user", "assistant"]),
        ("System role not supported", 500, ["user", "assistant", "user"]),
    ] {
        let server = Scripted::start([refusal(status, refused, None), well(), well()]).await;
        let provider = HttpProvider::new("p", &settings(server.url()), &Origin::Trusted).unwrap();
        for _ in 0..2 {
            provider.complete(KeyIndex(0), request("m")).await.unwrap();
        }
        let seen = server.seen();
        assert_eq!(roles(&seen[0].body), ["system", "user", "user", "assistant", "user"]);
        for again in &seen[1..] {
            assert_eq!(roles(&again.body)[..3], expected, "{refused}");
            let all = again.body["messages"].to_string();
            assert!(["You are Ada.", "Ann: Tea?", "Yes.", "Tom: Now?"].iter().all(|said| all.contains(said)), "{all}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_quotes_people_teaches_nothing_that_lasts() {
    let quoted = || refusal(400, "cannot handle 'Tom: temperature and max_tokens, roles must alternate'", None);
    let server = Scripted::start((0..5).map(|_| quoted()).chain([well()])).await;
    let provider = HttpProvider::new("p", &settings(server.url()), &Origin::Trusted).unwrap();
    let outcome = provider.complete(KeyIndex(0), request("m")).await;
    assert!(matches!(&outcome, Err(LlmError::Rejected(words)) if !words.contains("Tom")), "{outcome:?}");
    provider.complete(KeyIndex(0), request("m")).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.last().unwrap().body, seen[0].body, "asked as before");
}

#[tokio::test]
async fn a_lesson_that_does_not_help_is_not_kept() {
    let refused = || refusal(400, "temperature is out of range", None);
    let server = Scripted::start([refused(), refusal(400, "no", None), well()]).await;
    let provider = HttpProvider::new("p", &settings(server.url()), &Origin::Trusted).unwrap();
    let outcome = provider.complete(KeyIndex(0), request("m")).await;
    assert!(matches!(outcome, Err(LlmError::Rejected(_))), "{outcome:?}");
    provider.complete(KeyIndex(0), request("m")).await.unwrap();
    assert_eq!(server.seen()[2].body["temperature"], 0.5);
}

#[tokio::test]
async fn the_manifest_says_beforehand_what_is_never_sent() {
    let server = Scripted::start([well()]).await;
    let settings = LlmProviderSettings {
        roles: Roles::AlternatingWithoutSystem,
        omit: vec![Parameter::Temperature, Parameter::MaxTokens],
        ..settings(server.url())
    };
    let provider = HttpProvider::new("p", &settings, &Origin::Trusted).unwrap();
    provider.complete(KeyIndex(0), request("m")).await.unwrap();
    let body = server.seen().remove(0).body;
    assert_eq!(roles(&body), ["user", "assistant", "user"]);
    assert!(body.get("temperature").is_none() && body.get("max_tokens").is_none(), "{body}");
}
