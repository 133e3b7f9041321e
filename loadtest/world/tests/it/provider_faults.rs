//! Tests the simulated provider's faults and limits over real HTTP.

use std::time::{Duration, Instant};

use botfleet_world::people::http;
use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::faults::{ProviderFault, ProviderFaults, ProviderRule};
use botfleet_world::provider::spec::{Latency, Mode};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use serde_json::{Value, json};

struct Served {
    simulation: Simulation,
    client: reqwest::Client,
}

fn quick() -> ProviderSpec {
    ProviderSpec { latency: Latency::NONE, mode: Mode::EchoMarker, ..ProviderSpec::default() }
}

async fn serve(provider: ProviderSpec) -> Served {
    serve_with(provider, &[]).await
}

async fn serve_with(provider: ProviderSpec, further: &[&str]) -> Served {
    let providers = further.iter().map(|name| ((*name).to_owned(), quick())).collect();
    let spec = SimulationSpec { provider, providers, ..SimulationSpec::of(WorldSpec::demo(1)) };
    Served { simulation: Simulation::start(spec).await.unwrap(), client: http::client().unwrap() }
}

impl Served {
    fn always(&self, rule: ProviderRule) {
        self.simulation.provider.set_faults(ProviderFaults { seed: 1, rules: vec![rule] });
    }

    fn ask(&self, path: &str, key: &str, stream: bool) -> reqwest::RequestBuilder {
        let body = json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi there #m1"}]});
        let url = format!("{}{path}/v1/chat/completions", self.simulation.base_url());
        self.client.post(url).bearer_auth(key).json(&body)
    }

    async fn answer(&self, what: ProviderFault) -> reqwest::Result<reqwest::Response> {
        self.always(ProviderRule { retry_after: Some(7), for_ms: Some(300), ..ProviderRule::always(what) });
        self.ask("", "k", false).send().await
    }

    async fn control(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.simulation.base_url())).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn refusing_faults_have_their_status_and_shape_and_bill_nothing() {
    let served = serve(quick()).await;
    for (what, status, told) in [
        (ProviderFault::TooManyRequests, 429, "rate_limit_exceeded"),
        (ProviderFault::QuotaExhausted, 429, "insufficient_quota"),
        (ProviderFault::RevokedKey, 401, "invalid_api_key"),
        (ProviderFault::InternalError, 500, "server_error"),
        (ProviderFault::Unavailable, 503, "overloaded"),
        (ProviderFault::ErrorHtml, 502, "<center>nginx</center>"),
        (ProviderFault::ErrorText, 500, "Internal Server Error"),
        (ProviderFault::ErrorDetail, 400, r#"{"detail":"#),
    ] {
        let answer = served.answer(what).await.unwrap();
        assert_eq!(answer.status(), status, "{what:?}");
        let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(retry_after.is_some(), told.contains('_') || status == 503, "{what:?}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(told), "{what:?}: {body}");
    }
    served.always(ProviderRule::always(ProviderFault::TooManyRequests));
    let answer = served.ask("", "k", false).send().await.unwrap();
    assert!(answer.headers().get("retry-after").is_none());
    let used = served.simulation.provider.used();
    assert_eq!((used.requests, used.tokens(), used.failed), (0, 0, 9));
    assert_eq!(served.simulation.provider.injected()["too_many_requests"], 2);
}

#[tokio::test]
async fn spoiled_answers_are_billed_and_show_their_fault() {
    let served = serve(quick()).await;
    let empty = served.answer(ProviderFault::EmptyText).await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(empty["choices"][0]["message"]["content"], "");
    assert_eq!(served.answer(ProviderFault::EmptyBody).await.unwrap().text().await.unwrap(), "");
    let malformed = served.answer(ProviderFault::MalformedJson).await.unwrap().text().await.unwrap();
    assert!(malformed.starts_with('{') && serde_json::from_str::<Value>(&malformed).is_err(), "{malformed}");
    for _ in 0..2 {
        let leaked = served.answer(ProviderFault::LeakedReasoning).await.unwrap().json::<Value>().await.unwrap();
        assert!(leaked["choices"][0]["message"]["content"].as_str().unwrap().starts_with("<think>"));
    }
    let tool = served.answer(ProviderFault::ToolJson).await.unwrap().json::<Value>().await.unwrap();
    let tool = tool["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&tool).unwrap()["name"], "send_message");
    let began = Instant::now();
    assert_eq!(served.answer(ProviderFault::SlowFirstByte).await.unwrap().status(), 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    let calls = served.simulation.provider.ledger();
    let billed: u64 = calls.iter().map(|call| u64::from(call.prompt_tokens + call.completion_tokens)).sum();
    assert_eq!((served.simulation.provider.used().tokens(), calls.len()), (billed, 7));
    assert_eq!(calls[0].fault.as_deref(), Some("empty_text"));
}

#[tokio::test]
async fn families_of_odd_answers_are_billed_and_their_record_says_whether_all_was_said() {
    let served = serve(quick()).await;
    for (what, whole) in [
        (ProviderFault::OddFields, true),
        (ProviderFault::OddFraming, true),
        (ProviderFault::OddUsage, true),
        (ProviderFault::CutByLength, true),
        (ProviderFault::UnreadablePart, false),
        (ProviderFault::Filtered, false),
    ] {
        for stream in [true, false] {
            served.always(ProviderRule::always(what));
            let answer = served.ask("", "k", stream).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{what:?}");
            assert!(!answer.bytes().await.unwrap().is_empty());
            let call = served.simulation.provider.ledger().pop().unwrap();
            assert_eq!((call.answered, call.fault.as_deref()), (whole, Some(what.as_str())), "{what:?}");
            assert!(call.completion_tokens > 0);
        }
    }
    served.always(ProviderRule::always(ProviderFault::NoSystemRole));
    assert_eq!(served.ask("", "k", false).send().await.unwrap().status(), 200, "one message of a user fits");
}

#[tokio::test]
async fn a_reset_closes_the_connection_and_a_cut_leaves_the_stream_unfinished() {
    let served = serve(quick()).await;
    let reset = served.answer(ProviderFault::Reset).await.unwrap_err();
    assert!(reset.is_request() && reset.status().is_none(), "{reset:?}");
    served.always(ProviderRule::always(ProviderFault::Cut));
    let cut = served.ask("", "k", true).send().await.unwrap().text().await.unwrap();
    assert!(cut.contains("data: {") && !cut.contains("[DONE]") && !cut.contains("\"finish_reason\":\"stop\""), "{cut}");
    served.always(ProviderRule::always(ProviderFault::CutReset));
    let broken = served.ask("", "k", true).send().await.unwrap();
    assert_eq!(broken.status(), 200);
    assert!(broken.text().await.is_err());
    let calls = served.simulation.provider.ledger();
    assert_eq!(calls.iter().map(|call| call.answered).collect::<Vec<_>>(), [false, false, false]);
    assert!(calls.iter().all(|call| call.ended_us.is_some()));
}

#[tokio::test]
async fn limits_refuse_with_retry_after_and_count_each_key() {
    let keys = vec!["a".to_owned(), "b".to_owned()];
    let served = serve(ProviderSpec { keys, requests_per_minute: Some(2), ..quick() }).await;
    let first = served.ask("", "a", false).send().await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["x-ratelimit-remaining-requests"]),
        (200, &"1".parse().unwrap())
    );
    served.ask("", "a", false).send().await.unwrap();
    let refused = served.ask("", "a", false).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((58..=60).contains(&seconds), "{seconds}");
    assert_eq!(served.ask("", "b", false).send().await.unwrap().status(), 200);
    assert_eq!(served.ask("", "c", false).send().await.unwrap().status(), 401);
    let told = served.control("/sim/provider").await;
    assert_eq!(told[0]["keys"]["a"]["refused"], 1);
    assert_eq!(told[0]["keys"]["b"]["requests"], 1);
    assert_eq!(told[0]["used"]["requests"], 3);
}

#[tokio::test]
async fn further_providers_have_paths_calls_and_faults_of_their_own() {
    let served = serve_with(quick(), &["b"]).await;
    let slow = ProviderRule { providers: vec!["b".into()], ..ProviderRule::always(ProviderFault::Unavailable) };
    let body = json!({"provider": {"seed": 1, "rules": [slow]}});
    let url = format!("{}/sim/faults", served.simulation.base_url());
    assert_eq!(served.client.put(&url).json(&body).send().await.unwrap().status(), 204);
    assert_eq!(served.ask("", "k", false).send().await.unwrap().status(), 200);
    assert_eq!(served.ask("/p/b", "k", false).send().await.unwrap().status(), 503);
    assert_eq!(served.client.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(served.ask("/p/b", "k", false).send().await.unwrap().status(), 200);
    assert_eq!(served.ask("/p/c", "k", false).send().await.unwrap().status(), 404);
    let calls = |name: &str| served.simulation.providers[name].ledger();
    assert_ne!(calls("b")[0].call, served.simulation.provider.ledger()[0].call);
    let told = served.control("/sim/faults").await;
    assert_eq!(told["injected"]["provider"], json!({"unavailable": 1}));
}

#[tokio::test]
async fn faults_of_the_wrong_shape_are_refused_by_field() {
    let served = serve(quick()).await;
    let url = format!("{}/sim/faults", served.simulation.base_url());
    for (body, told) in [
        (json!({"provider": {"rules": [{"what": "cut", "often": 1}]}}), "often"),
        (json!({"provider": {"rules": [{"what": "cut", "probability": 3}]}}), "provider.rules[0].probability"),
    ] {
        let refused = served.client.put(&url).json(&body).send().await.unwrap();
        let text = refused.text().await.unwrap();
        assert!(text.contains("error") && text.contains(told), "{text}");
    }
}
