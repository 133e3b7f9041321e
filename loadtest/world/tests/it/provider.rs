//! Tests the simulated LLM provider over real HTTP.

use std::sync::Arc;
use std::time::Duration;

use botfleet_world::people::http;
use botfleet_world::provider::spec::{Latency, Mode};
use botfleet_world::provider::{Provider, ProviderSpec, router};
use serde_json::{Value, json};

struct Served {
    provider: Arc<Provider>,
    base: String,
    client: reqwest::Client,
}

async fn serve(spec: ProviderSpec) -> Served {
    let provider = Provider::new(spec);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let app = router(Arc::clone(&provider));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Served { provider, base, client: http::client().unwrap() }
}

fn quick(mode: Mode) -> ProviderSpec {
    ProviderSpec { latency: Latency::NONE, mode, ..ProviderSpec::default() }
}

impl Served {
    async fn ask(&self, body: &Value) -> (u16, Value) {
        let url = format!("{}/chat/completions", self.base);
        let response = self.client.post(url).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

#[tokio::test]
async fn a_plain_completion_has_text_usage_and_finish_reason() {
    let served = serve(quick(Mode::SmallTalk)).await;
    let (status, body) = served
        .ask(&json!({"model": "m", "messages": [
            {"role": "system", "content": "Sen Deniz, Türkçe konuşursun."},
            {"role": "user", "content": "Ayşe: çay mı kahve mi?"},
        ]}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "m");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    let usage = &body["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
    );
    let ledger = served.provider.ledger();
    assert_eq!((ledger.len(), ledger[0].text.as_str(), ledger[0].answered), (1, text, true));
}

#[tokio::test]
async fn a_streamed_completion_carries_the_same_text_usage_and_done() {
    let served = serve(quick(Mode::EchoMarker)).await;
    let body = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "old #m1"}, {"role": "user", "content": "new #m2 #m3"}]});
    let url = format!("{}/chat/completions", served.base);
    let response = served.client.post(url).json(&body).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let raw = response.text().await.unwrap();
    let events: Vec<&str> = raw.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert!(text.starts_with("#c1 ") && text.ends_with(" #m3"), "{text}");
    let (usage, rest) = chunks.split_last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert!(usage["usage"]["completion_tokens"].as_u64().unwrap() > 0);
    assert_eq!(rest.last().unwrap()["choices"][0]["finish_reason"], "stop");
    let call = &served.provider.ledger()[0];
    assert!(call.answered && call.streamed);
    assert_eq!((call.text.as_str(), call.marker.as_deref()), (text.as_str(), Some("#m3")));
}

#[tokio::test]
async fn a_stream_without_options_has_no_usage() {
    let served = serve(quick(Mode::EchoMarker)).await;
    let url = format!("{}/chat/completions", served.base);
    let body = json!({"stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let raw = served.client.post(url).json(&body).send().await.unwrap().text().await.unwrap();
    assert!(!raw.contains("usage") && raw.ends_with("data: [DONE]\n\n"), "{raw}");
}

#[tokio::test]
async fn refusals_have_the_shape_of_openai() {
    let served = serve(quick(Mode::SmallTalk)).await;
    let (status, body) = served.ask(&json!({"messages": []})).await;
    assert_eq!((status, &body["error"]["type"]), (400, &json!("invalid_request_error")));
    assert_eq!(body["error"]["param"], "messages");
    let (status, _) = served.ask(&json!({"model": "m"})).await;
    assert_eq!(status, 400);
    let post = |path: &str| served.client.post(format!("{}{path}", served.base));
    let bad = post("/chat/completions").body("{nonsense").send().await.unwrap();
    assert_eq!(bad.status(), 400);
    assert!(bad.json::<Value>().await.unwrap()["error"]["message"].is_string());
    let unknown = post("/nothing").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.json::<Value>().await.unwrap()["error"]["code"], "unknown_url");
    let wrong = served.client.get(format!("{}/chat/completions", served.base)).send().await.unwrap();
    assert_eq!(wrong.status(), 405);
    assert!(wrong.json::<Value>().await.unwrap()["error"].is_object());
    assert_eq!(served.provider.call_count(), 0, "a refusal is no call");
}

#[tokio::test]
async fn a_key_is_asked_for_when_one_is_set() {
    let served = serve(ProviderSpec { api_key: Some("sk-sim".into()), ..quick(Mode::SmallTalk) }).await;
    let get = || served.client.get(format!("{}/models", served.base));
    let none = get().send().await.unwrap();
    assert_eq!(none.status(), 401);
    let wrong = get().bearer_auth("sk-other").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let body = wrong.text().await.unwrap();
    assert!(body.contains("invalid_api_key") && !body.contains("sk-"), "{body}");
    let right = get().bearer_auth("sk-sim").send().await.unwrap();
    assert_eq!(right.status(), 200);
    assert_eq!(right.json::<Value>().await.unwrap()["data"][0]["id"], "sim-chat");
}

#[tokio::test]
async fn embeddings_come_in_both_encodings_and_keep_their_order() {
    let served = serve(quick(Mode::SmallTalk)).await;
    let embed = async |body: Value| {
        let url = format!("{}/embeddings", served.base);
        let response = served.client.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, body) = embed(json!({"model": "e", "input": ["black tea", "black tea", "football"]})).await;
    assert_eq!(status, 200);
    let vectors: Vec<Vec<f64>> = body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| serde_json::from_value(one["embedding"].clone()).unwrap())
        .collect();
    assert_eq!((vectors.len(), vectors[0].len()), (3, 256));
    assert_eq!(vectors[0], vectors[1]);
    assert_ne!(vectors[0], vectors[2]);
    let (_, body) = embed(json!({"input": "tea", "encoding_format": "base64", "dimensions": 3})).await;
    assert_eq!(body["data"][0]["embedding"].as_str().unwrap().len(), 16);
    assert_eq!(embed(json!({"input": []})).await.0, 400);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_call_unanswered() {
    let served = serve(quick(Mode::EchoMarker)).await;
    served.provider.set_latency(Latency { median: Duration::from_secs(30), sigma: 0.0 });
    let url = format!("{}/chat/completions", served.base);
    let body = json!({"messages": [{"role": "user", "content": "hi #m1"}]});
    let request = served.client.post(url).timeout(Duration::from_millis(200)).json(&body).send();
    assert!(request.await.unwrap_err().is_timeout());
    served.provider.set_latency(Latency::NONE);
    let (status, _) = served.ask(&body).await;
    assert_eq!(status, 200);
    let answered: Vec<bool> = served.provider.ledger().iter().map(|call| call.answered).collect();
    assert_eq!(answered, [false, true]);
}
