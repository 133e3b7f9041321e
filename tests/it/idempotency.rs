//! Tests `Idempotency-Key` at the real program: a request is carried out once, however often it is sent (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use botfleet::api::account::{self, ListKeys};
use botfleet::api::users;
use botfleet::client::Client;
use botfleet::operate::context::Context;
use botfleet::operate::principal::{Identity, Principal, Role};
use botfleet::operate::requests::keyed;
use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::idempotency::Claim;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::requests::Requests as _;
use botfleet_actors::ports::store::Store as _;
use futures::future::join_all;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::fleet_stage::{DEADLINE, FleetStage};
use crate::sign_in::{PASSWORD, add, key_body, plain, proof, remote};

/// An answer, as far as a repeat must be like it.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    code: String,
    body: Value,
    etag: Option<String>,
    replayed: bool,
}

async fn answer(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let of = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (etag, replayed) = (of("etag"), of("idempotent-replayed").as_deref() == Some("true"));
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    Answer { status, code: body["code"].as_str().unwrap_or("done").to_owned(), body, etag, replayed }
}

/// Posts through the local socket.
fn locally(stage: &FleetStage, path: &str, key: &str, body: &Value) -> RequestBuilder {
    stage.request(Method::POST, path).header("idempotency-key", key).json(body)
}

/// Somebody who is signed in at the port.
struct Caller<'s> {
    stage: &'s FleetStage,
    token: String,
}

impl<'s> Caller<'s> {
    async fn sign_in(stage: &'s FleetStage, name: &str) -> Self {
        let signed_in = remote(stage).call(proof(name, PASSWORD, None)).await.unwrap();
        Self { stage, token: signed_in.token.unwrap().0.expose_secret().to_owned() }
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.stage.http.post(self.stage.url(path)).bearer_auth(&self.token).json(body)
    }

    fn with_key(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.post(path, body).header("idempotency-key", key)
    }

    fn client(&self) -> Client {
        remote(self.stage).with_token(self.token.as_str().into())
    }
}

#[tokio::test]
async fn i12_a_request_with_a_key_is_carried_out_once_over_a_restart_too() {
    let mut stage = FleetStage::small().await;
    let (stop, start) = ("/api/v1/control/stop", "/api/v1/control/start");
    let fleet = json!({ "scope": "fleet" });
    let stops = async |stage: &FleetStage| stage.json("/api/v1/fleet").await["stops"].clone();
    let first = answer(locally(&stage, start, "night-1", &fleet)).await;
    assert_eq!((first.status, first.replayed), (200, false));
    for _ in 0..2 {
        let stopped = answer(locally(&stage, stop, "night-1", &fleet)).await;
        assert_eq!((stopped.status, stopped.replayed), (200, false), "a stop keeps nothing, and is repeated");
    }
    for round in ["at once", "after a restart"] {
        let again = answer(locally(&stage, start, "night-1", &fleet)).await;
        assert_eq!((again.status, &again.body, again.replayed), (200, &first.body, true), "{round}");
        assert_eq!(stops(&stage).await, json!(["fleet"]), "{round}: the repeat started nothing");
        let bot = json!({ "scope": "bot", "name": "nobody" });
        let other = answer(locally(&stage, start, "night-1", &bot)).await;
        assert_eq!((other.status, other.code.as_str()), (422, "idempotency_mismatch"), "{round}");
        let unknown = answer(locally(&stage, start, "night-2", &bot)).await;
        assert_eq!((unknown.status, unknown.code.as_str()), (404, "unknown_name"), "{round}");
        assert_eq!(unknown.replayed, round != "at once", "a refusal of the act is kept too");
        stage.product.kill_9().await.unwrap();
        stage.product.restart().await.unwrap();
        stage.until_polling().await;
    }
    for wrong in ["two words", &"k".repeat(129)] {
        assert_eq!(answer(locally(&stage, start, wrong, &fleet)).await.code, "bad_request", "{wrong}");
    }
    let malformed = answer(locally(&stage, start, "night-3", &json!({ "scope": "galaxy" }))).await;
    assert_eq!(malformed.code, "bad_request");
    assert_eq!(answer(locally(&stage, start, "night-3", &fleet)).await.code, "done", "what was not read takes no key");
    assert_eq!(stops(&stage).await, json!([]));
}

#[tokio::test]
async fn i12_what_makes_something_needs_a_key_and_makes_it_once() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    let ada = Caller::sign_in(&stage, "ada").await;
    let bela = json!({ "name": "bela", "role": "viewer", "password": PASSWORD });
    let none = answer(ada.post("/api/v1/users", &bela)).await;
    assert_eq!((none.status, none.code.as_str()), (428, "idempotency_key_needed"));
    let many = join_all((0..6).map(|_| answer(ada.with_key("/api/v1/users", "make-bela", &bela)))).await;
    let (made, others): (Vec<_>, Vec<_>) = many.into_iter().partition(|one| one.status == 200 && !one.replayed);
    assert_eq!(made.len(), 1, "{others:?}");
    for other in others {
        assert!(other.replayed || other.code == "idempotency_under_way", "{other:?}");
    }
    let again = answer(ada.with_key("/api/v1/users", "make-bela", &bela)).await;
    assert_eq!((&again.body, &again.etag, again.replayed), (&made[0].body, &made[0].etag, true));
    assert!(again.etag.is_some());
    let twin = answer(ada.with_key("/api/v1/users", "make-a-twin", &bela)).await;
    assert_eq!(twin.code, "name_taken");
    assert_eq!(ada.client().call(plain::<users::List>()).await.unwrap().users.len(), 2);
    for path in ["/api/v1/users/bela/keys", "/api/v1/account/keys", "/api/v1/dead-letters/turn-1/redeliver"] {
        let body =
            if path.ends_with("keys") { serde_json::to_value(key_body(Role::Viewer, &[])).unwrap() } else { json!({}) };
        assert_eq!(answer(ada.post(path, &body)).await.code, "idempotency_key_needed", "{path}");
    }
}

#[tokio::test]
async fn i12_an_answer_with_a_secret_is_shown_once_and_not_kept() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    let ada = Caller::sign_in(&stage, "ada").await;
    let wish = serde_json::to_value(key_body(Role::Viewer, &[])).unwrap();
    let made = answer(ada.with_key("/api/v1/account/keys", "make-a-key", &wish)).await;
    assert_eq!(made.status, 200, "{made:?}");
    let (id, secret) = (made.body["id"].as_str().unwrap(), made.body["key"].as_str().unwrap());
    let again = answer(ada.with_key("/api/v1/account/keys", "make-a-key", &wish)).await;
    assert_eq!((again.status, again.code.as_str()), (409, "idempotency_secret"));
    let detail = again.body["detail"].as_str().unwrap();
    assert!(detail.contains(id) && !detail.contains(secret), "{detail}");
    assert_eq!(ada.client().call(plain::<ListKeys>()).await.unwrap().keys.len(), 1);
    let folder = stage.product.files().dir();
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let held = std::fs::read(&file).unwrap_or_default();
        let holds = |text: &str| held.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds(secret) && !holds("make-a-key") && !holds(&ada.token), "{}", file.display());
    }

    // A wrong password takes no key: the right one is another request.
    let credentials = |password: &str| json!({ "name": "ada", "password": password, "transport": "token" });
    let post = |body: &Value| {
        stage
            .http
            .post(stage.url("/api/v1/session"))
            .header("idempotency-key", "in")
            .header("origin", stage.url(""))
            .json(body)
    };
    assert_eq!(answer(post(&credentials("wrong horse battery"))).await.code, "wrong_credentials");
    assert_eq!(answer(post(&credentials(PASSWORD))).await.code, "done");
    let again = answer(post(&credentials(PASSWORD))).await;
    assert_eq!((again.status, again.code.as_str()), (409, "idempotency_secret"));
    let sessions = ada.client().call(plain::<account::ListSessions>()).await.unwrap().sessions;
    assert_eq!(sessions.len(), 2, "the repeat opened none");
}

/// Stores the claim of a request, as a node does that dies before it can store the answer.
#[expect(clippy::disallowed_methods, reason = "claims follow the wall clock")]
async fn claim(stage: &FleetStage, key: &str, route: &str, body: &Value) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap());
    let local = Principal::new(Arc::new(Identity::local()), Context { at, ..Context::default() });
    let body = serde_json::to_vec(body).unwrap();
    let request = keyed(&local, key, route, [b"", b"", &body]);
    let settings = StoreSettings { path: stage.product.files().database(), ..StoreSettings::default() };
    let store = SqliteStore::open(&settings).await.unwrap();
    assert_eq!(store.claim_request(&request, Timestamp::default()).await, Ok(Claim::Won));
    store.close().await.unwrap();
}

#[tokio::test]
async fn i12_a_request_that_a_crash_broke_off_is_not_carried_out_again() {
    let mut stage = FleetStage::small().await;
    let bela = json!({ "name": "bela", "role": "viewer", "password": PASSWORD });
    stage.product.stop(DEADLINE).await.unwrap();
    claim(&stage, "make-bela", "add_user", &bela).await;
    stage.product.restart().await.unwrap();
    let again = answer(locally(&stage, "/api/v1/users", "make-bela", &bela)).await;
    assert_eq!((again.status, again.code.as_str()), (409, "idempotency_under_way"));
    assert!(again.body["detail"].as_str().unwrap().contains("look at the present state"), "{again:?}");
    assert_eq!(stage.json("/api/v1/users").await["users"], json!([]));
    let anew = answer(locally(&stage, "/api/v1/users", "make-bela-now", &bela)).await;
    assert_eq!(anew.status, 200, "a new key is a new request: {anew:?}");
}

#[tokio::test]
async fn a_request_goes_on_when_its_client_goes_away() {
    let stage = FleetStage::small().await;
    let bela = json!({ "name": "bela", "role": "viewer", "password": PASSWORD });
    let send = || locally(&stage, "/api/v1/users", "make-bela", &bela);
    // The password is hashed meanwhile.
    assert!(send().timeout(Duration::from_millis(10)).send().await.is_err(), "it takes longer");
    let until = Instant::now() + DEADLINE;
    let again = loop {
        let again = answer(send()).await;
        if again.code != "idempotency_under_way" {
            break again;
        }
        assert!(Instant::now() < until, "the request broke off with its client");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((again.status, &again.body["name"]), (200, &json!("bela")), "{again:?}");
}

#[tokio::test]
async fn who_has_the_present_version_is_sent_no_body() {
    let stage = FleetStage::small().await;
    add(&stage, "bela", Role::Viewer).await;
    let get = |known: &str| stage.request(Method::GET, "/api/v1/users/bela").header("if-none-match", known);
    let shown = get("\"0\"").send().await.unwrap();
    assert_eq!(shown.status().as_u16(), 200);
    let etag = shown.headers()["etag"].to_str().unwrap().to_owned();
    for known in [etag.clone(), format!("\"0\", W/{etag}"), "*".to_owned()] {
        let unchanged = get(&known).send().await.unwrap();
        assert_eq!((unchanged.status().as_u16(), unchanged.headers()["etag"].to_str().unwrap()), (304, etag.as_str()));
        assert!(unchanged.bytes().await.unwrap().is_empty());
    }
}
