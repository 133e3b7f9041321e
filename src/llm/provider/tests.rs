//! Tests that another wire format passes adapter and gateway as the first one does.

#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "the test's server ends with the test")]

use std::sync::Mutex;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use botfleet_actors::actors::node::Node;
use botfleet_actors::actors::provider::actor::{ProviderActor, ProviderArgs};
use botfleet_actors::actors::provider::call::{Answer as Caller, Ask, Call, CallError, Reply, Wanted};
use botfleet_actors::actors::provider::messages::ProviderMsg;
use botfleet_actors::actors::provider::settings::ProviderSettings;
use botfleet_actors::actors::provider::snapshot::KeyState;
use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::policy::breaker::BreakerState;
use botfleet_actors::ports::llm::Role;
use botfleet_actors::testkit::stage::Scenery;
use ractor::{Actor as _, ActorRef, call};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::llm::chat::Chat;
use crate::llm::fault::malformed;
use crate::llm::usage::Usage;
use crate::llm::wire::{Answer, Reader};

/// A made-up format.
#[derive(Debug)]
struct Words;

impl Wire for Words {
    fn path(&self) -> &'static str {
        "/say"
    }

    fn headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![("x-key", key.to_owned())]
    }

    fn body(&self, request: &CompletionRequest, _: &Vendor, dialect: Dialect) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&json!({"ask": request.messages[0].content, "in_parts": dialect.stream}))
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<Heard>::default()
    }
}

/// An answer of the made-up format: its words, end and usage.
#[derive(Debug, Default)]
struct Heard(String, Option<End>, Usage);

impl Reader for Heard {
    fn take(&mut self, data: &str) -> Result<(), Fault> {
        let part: Value = serde_json::from_str(data).map_err(|_| malformed("no JSON"))?;
        self.0 += part["words"].as_str().ok_or_else(|| malformed("no words"))?;
        self.1 = End::read(&part["over"]);
        self.2 = Usage::read(&to_raw_value(&part["count"]).unwrap()).unwrap_or(self.2);
        Ok(())
    }

    fn has_begun(&self) -> bool {
        !self.0.is_empty()
    }

    fn into_answer(self: Box<Self>) -> Result<Answer, Fault> {
        Ok(Answer { text: self.0, end: self.1, refused: false, calls_tools: false, usage: self.2 })
    }
}

fn of_words(words: &str, over: bool) -> Value {
    json!({"words": words, "over": over.then_some("stop"), "count": {"input_tokens": 3, "output_tokens": 2}})
}

fn of_chat(words: &str, over: bool) -> Value {
    let choice = json!({"delta": {"content": words}, "finish_reason": over.then_some("stop")});
    json!({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
}

/// Serves the answers of a script in order; returns the base URL and the answers that are left.
async fn serve(path: &str, script: Vec<(u16, String)>) -> (String, Arc<Mutex<Vec<(u16, String)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(script));
    let left = Arc::clone(&script);
    let next = || async move {
        let (status, body) = script.lock().unwrap().remove(0);
        (StatusCode::from_u16(status).unwrap(), body)
    };
    let app = Router::new().route(path, post(next));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (base, left)
}

async fn said(provider: &ActorRef<ProviderMsg>) -> Result<String, CallError> {
    let messages = vec![PromptMessage { role: Role::User, content: "hi".to_owned() }];
    let ask = CompletionRequest { model: "m".to_owned(), messages, temperature: 1.0, max_tokens: 9, schema: None };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let (bot, chat, wanted) = (BotId(1), ChatId(1), Wanted::default());
    let (sender, receiver) = oneshot::channel();
    let call = Call { ask: Ask::Completion(ask), bot, chat, priority: 0, deadline, wanted };
    let answer = Caller::new(move |result| drop(sender.send(result)));
    provider.cast(ProviderMsg::Make(call, answer)).unwrap();
    let answered = receiver.await.unwrap()?;
    answered.worth.succeeded();
    let Reply::Completion(completion) = answered.reply else { panic!("no completion") };
    Ok(completion.text)
}

/// Asks twice, the second time past a key that is limited, and then until the breaker opens.
async fn passes(node: &Arc<Node>, wire: &'static dyn Wire, part: fn(&str, bool) -> Value, stream: bool) {
    let parts = [part("mer", false), part("haba", true)].map(|part| format!("data: {part}\n\n"));
    let good = if stream { parts.concat() } else { part("merhaba", true).to_string() };
    let mut script = vec![(200, good.clone()), (429, String::new()), (200, good)];
    script.extend(vec![(500, "down".to_owned()); 6]);
    let (base, left) = serve(wire.path(), script).await;
    let (base_url, api_keys) = (Some(base), vec!["one".into(), "two".into()]);
    let settings = LlmProviderSettings { base_url, api_keys, stream, ..LlmProviderSettings::default() };
    let llm =
        Arc::new(HttpProvider::speaking("p", &settings, &crate::outbound::origin::Origin::Trusted, wire).unwrap());
    let (name, settings, node) = ("p".to_owned(), ProviderSettings::default(), Arc::clone(node));
    let args = ProviderArgs { name, llm, settings, node };
    let (provider, _) = ProviderActor::spawn(None, ProviderActor, args).await.unwrap();
    for _ in 0..2 {
        assert_eq!(said(&provider).await.unwrap(), "merhaba");
    }
    let told = call!(provider, ProviderMsg::GetSnapshot).unwrap();
    assert_eq!((told.models[0].prompt_tokens, told.models[0].completion_tokens), (6, 4));
    assert_eq!(told.keys.iter().filter(|key| key.state == KeyState::Paused).count(), 1);
    for _ in 0..6 {
        said(&provider).await.unwrap_err();
    }
    assert_eq!(call!(provider, ProviderMsg::GetSnapshot).unwrap().breaker, BreakerState::Open);
    assert_eq!(left.lock().unwrap().len(), 1, "an open breaker makes no call");
}

#[tokio::test]
async fn another_wire_format_passes_streams_keys_breaker_and_counts_like_the_first() {
    let node = Scenery::new(1, 1).raise().await.node.clone();
    for stream in [false, true] {
        passes(&node, &Chat, of_chat, stream).await;
        passes(&node, &Words, of_words, stream).await;
    }
}
