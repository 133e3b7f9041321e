//! Tests signing in at the real program: without it nothing is shown, and with it what the role allows (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use botfleet::api::account::{AddKey, BeginFactor, FactorProof, FactorSeed, OwnPart, TakeFactor};
use botfleet::api::answer::Answer;
use botfleet::api::keys::KeyBody;
use botfleet::api::list::{Visitor, each};
use botfleet::api::route::{Call, Nothing, Route};
use botfleet::api::session::{self, SignInBody, SignedIn, Transport};
use botfleet::api::users::{self, NewUser, UserNamed, UserPatch, Within};
use botfleet::api::{account, style};
use botfleet::client::{CallError, Client};
use botfleet::operate::principal::Role;
use botfleet_loadtest::harness::files::ProductOptions;
use data_encoding::BASE32_NOPAD;
use reqwest::Method;
use ring::hmac;
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fleet_stage::{FleetStage, options};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn plain<R: Route<Path = Nothing, Query = Nothing, Body = Nothing>>() -> Call<R> {
    Call::new(Nothing {}, Nothing {}, Nothing {})
}

pub(crate) fn with<R: Route<Path = Nothing, Query = Nothing>>(body: R::Body) -> Call<R> {
    Call::new(Nothing {}, Nothing {}, body)
}

pub(crate) fn local(stage: &FleetStage) -> Client {
    Client::new(&format!("unix:{}", stage.product.files().dir().join("botfleet.sock").display())).unwrap()
}

pub(crate) fn remote(stage: &FleetStage) -> Client {
    Client::new(stage.product.base_url().unwrap()).unwrap()
}

pub(crate) fn new_user(name: &str, role: Role, within: Option<Within>) -> NewUser {
    NewUser {
        name: name.to_owned(),
        role,
        within,
        reads_texts: false,
        email: None,
        language: None,
        time_zone: None,
        password: Some(PASSWORD.into()),
    }
}

pub(crate) async fn add(stage: &FleetStage, name: &str, role: Role) {
    local(stage).call(with::<users::Add>(new_user(name, role, None))).await.unwrap();
}

pub(crate) fn proof(name: &str, password: &str, code: Option<String>) -> Call<session::Open> {
    let (name, password) = (name.to_owned(), password.into());
    with(SignInBody { name, password, code, transport: Transport::Token })
}

pub(crate) async fn sign_in(stage: &FleetStage, name: &str) -> Client {
    let SignedIn { token, .. } = remote(stage).call(proof(name, PASSWORD, None)).await.unwrap();
    remote(stage).with_token(token.unwrap().0)
}

/// Returns the code of a refusal.
pub(crate) async fn refused<R: Route>(client: &Client, call: Call<R>) -> String
where
    <R::Answer as Answer>::Item: DeserializeOwned,
{
    match client.call(call).await {
        Err(CallError::Refused { code, .. }) => code,
        Err(other) => panic!("{other}"),
        Ok(_) => "done".to_owned(),
    }
}

pub(crate) fn key_body(role: Role, networks: &[&str]) -> KeyBody {
    KeyBody {
        name: "backup".to_owned(),
        role,
        within: None,
        reads_texts: false,
        networks: networks.iter().map(|net| (*net).to_owned()).collect(),
        days: 1,
    }
}

/// Returns the seed of a second factor.
pub(crate) fn seed_of(begun: &FactorSeed) -> Vec<u8> {
    BASE32_NOPAD.decode(begun.secret.0.expose_secret().as_bytes()).unwrap()
}

/// Computes a code as an authenticator app does (RFC 6238).
pub(crate) fn code(seed: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[expect(clippy::disallowed_methods, reason = "codes follow the wall clock")]
pub(crate) fn step() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 30
}

#[derive(Default)]
struct Addresses(Vec<(&'static str, Method, &'static str, &'static str)>);

impl Visitor for Addresses {
    fn visit<R: Route>(&mut self) {
        let method = Method::from_bytes(R::METHOD.as_str().as_bytes()).unwrap();
        self.0.push((R::NAME, method, R::EXAMPLE.address, R::EXAMPLE.body));
    }
}

#[tokio::test]
async fn i12_a_stranger_is_shown_nothing_at_the_port() {
    // There are more routes than a stranger may ask for within a minute.
    let settings: toml::Table = "[server.limits]\nstrangers = 1000".parse().unwrap();
    let stage = FleetStage::start(1, 1, ProductOptions { settings, ..options() }).await;
    let mut routes = Addresses::default();
    each(&mut routes);
    for (name, method, address, body) in &routes.0 {
        if *name == "sign_in" {
            continue;
        }
        let request = stage.http.request(method.clone(), stage.url(address)).body(*body);
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{name}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "unauthenticated", "{name}");
    }
    for open in ["/health", "/health/live", "/health/ready", "/metrics", "/docs", "/api/v1/openapi.json"] {
        assert_eq!(stage.http.get(stage.url(open)).send().await.unwrap().status().as_u16(), 200, "{open}");
    }
    for url in ["/api/v1/fleet?token=bf_1", "/api/v1/fleet?api_key=bf_1", "/api/v1/fleet?access_token=bf_1"] {
        assert_ne!(
            stage.http.get(stage.url(url)).send().await.unwrap().status().as_u16(),
            200,
            "no proof is read from an address"
        );
    }
    assert_eq!(refused(&local(&stage), plain::<style::Get>()).await, "done", "who runs the fleet sees it");
}

#[tokio::test]
async fn who_signs_in_does_what_the_role_allows_until_the_session_ends() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    add(&stage, "Vera", Role::Viewer).await;
    let wrong = refused(&remote(&stage), proof("ada", "wrong horse battery", None)).await;
    let unknown = refused(&remote(&stage), proof("nobody", PASSWORD, None)).await;
    assert_eq!((wrong.as_str(), unknown.as_str()), ("wrong_credentials", "wrong_credentials"));
    let vera = sign_in(&stage, "vera").await;
    let who = vera.call(plain::<session::Get>()).await.unwrap();
    assert_eq!((who.name.as_str(), who.role, who.proof.as_str()), ("vera", Role::Viewer, "session"));
    assert_eq!(refused(&vera, plain::<style::Get>()).await, "done");
    assert_eq!(refused(&vera, plain::<users::List>()).await, "forbidden");
    assert_eq!(refused(&vera, with::<users::Add>(new_user("eve", Role::Admin, None))).await, "forbidden");
    vera.call(plain::<session::End>()).await.unwrap();
    assert_eq!(refused(&vera, plain::<style::Get>()).await, "unauthenticated");

    let (ada, vera) = (sign_in(&stage, "ada").await, sign_in(&stage, "vera").await);
    let named = |name: &str| UserNamed { name: name.to_owned() };
    let change = |version, patch| Call::<users::Change>::new(named("vera"), Nothing {}, patch).of_version(version);
    assert_eq!(
        refused(&ada, Call::<users::Change>::new(named("vera"), Nothing {}, UserPatch::default())).await,
        "if_match_needed"
    );
    assert_eq!(refused(&ada, change(7, UserPatch::default())).await, "changed");
    let key = vera.call(with::<AddKey>(key_body(Role::Viewer, &[]))).await.unwrap();
    let key = remote(&stage).with_token(key.key.0);
    assert_eq!(refused(&key, plain::<style::Get>()).await, "done");
    let disabled = UserPatch { disabled: Some(true), ..UserPatch::default() };
    let user = ada.call(change(1, disabled)).await.unwrap();
    assert!(user.disabled_at.is_some() && user.version == 2);
    assert_eq!(refused(&vera, plain::<style::Get>()).await, "unauthenticated", "at once, on this node");
    assert_eq!(refused(&key, plain::<style::Get>()).await, "unauthenticated", "keys rest with their owner");
    assert_eq!(refused(&remote(&stage), proof("vera", PASSWORD, None)).await, "wrong_credentials");
    let own = Call::<users::Change>::new(
        named("ada"),
        Nothing {},
        UserPatch {
            grants: Some(users::GrantsBody { role: Role::Viewer, within: None, reads_texts: false }),
            ..UserPatch::default()
        },
    );
    assert_eq!(refused(&ada, own.of_version(1)).await, "forbidden", "nobody changes their own role");
    let gone = Call::<users::Remove>::new(named("ada"), Nothing {}, Nothing {}).of_version(1);
    assert_eq!(refused(&local(&stage), gone).await, "last_admin");
    let log = std::fs::read_to_string(stage.product.files().log()).unwrap();
    assert!(!log.contains(PASSWORD), "no password is logged");
}

#[tokio::test]
async fn a_browser_has_a_cookie_and_pages_of_others_change_nothing() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    let base = stage.product.base_url().unwrap().to_owned();
    let body = json!({ "name": "ada", "password": PASSWORD });
    let send = async |origin: &str| {
        stage.http.post(stage.url("/api/v1/session")).header("origin", origin).json(&body).send().await.unwrap()
    };
    assert_eq!(send("http://evil.example").await.status().as_u16(), 403);
    assert_eq!(send("null").await.status().as_u16(), 403);
    let answer = send(&base).await;
    assert_eq!(answer.status().as_u16(), 200);
    let line = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(line.starts_with("botfleet-") && line.contains("; HttpOnly; SameSite=Lax;"), "{line}");
    assert!(answer.json::<Value>().await.unwrap().get("token").is_none());
    let cookie = line.split(';').next().unwrap().to_owned();
    let stop = async |headers: &[(&str, &str)]| {
        let mut request = stage.http.post(stage.url("/api/v1/control/stop")).json(&json!({ "scope": "fleet" }));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("cookie", &cookie).send().await.unwrap().status().as_u16()
    };
    assert_eq!(stop(&[]).await, 403, "without a word of where it comes from");
    assert_eq!(stop(&[("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(stop(&[("origin", "null")]).await, 403);
    assert_eq!(stop(&[("host", "evil.example"), ("sec-fetch-site", "same-origin")]).await, 403, "a rebound name");
    assert_eq!(stop(&[("authorization", "Bearer bf_1"), ("origin", &base)]).await, 400, "two proofs");
    assert_eq!(stop(&[("origin", &base)]).await, 200);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_counts_once() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    let ada = sign_in(&stage, "ada").await;
    let begun = ada.call(plain::<BeginFactor>()).await.unwrap();
    let seed = seed_of(&begun);
    let take = |code: String| with::<TakeFactor>(FactorProof { sealed: begun.sealed.clone(), code });
    assert_eq!(refused(&ada, take("000000".to_owned())).await, "wrong_credentials");
    let used = code(&seed, step() - 1);
    let codes = ada.call(take(used.clone())).await.unwrap().recovery_codes;
    assert_eq!(codes.len(), 10);
    let by_password = session::Proving { password: Some(PASSWORD.into()), code: None };
    assert_eq!(refused(&ada, with::<session::Confirm>(by_password)).await, "code_needed");
    assert_eq!(refused(&remote(&stage), proof("ada", PASSWORD, None)).await, "code_needed");
    assert_eq!(refused(&remote(&stage), proof("ada", PASSWORD, Some(used))).await, "wrong_credentials", "used");
    let (one, two) = tokio::join!(
        async { refused(&remote(&stage), proof("ada", PASSWORD, Some(code(&seed, step())))).await },
        async { refused(&local(&stage), proof("ada", PASSWORD, Some(code(&seed, step())))).await },
    );
    let mut both = [one, two];
    both.sort();
    assert_eq!(both, ["done", "wrong_credentials"], "one of two at once");
    let recovery = codes[0].0.expose_secret().to_uppercase();
    assert_eq!(refused(&remote(&stage), proof("ada", PASSWORD, Some(recovery.clone()))).await, "done");
    assert_eq!(refused(&remote(&stage), proof("ada", PASSWORD, Some(recovery))).await, "wrong_credentials");
    let database = std::fs::read(stage.product.files().dir().join("botfleet.db")).unwrap_or_default();
    let plain = begun.secret.0.expose_secret().as_bytes();
    assert!(!database.windows(seed.len()).any(|bytes| bytes == seed), "the seed is sealed");
    assert!(!database.windows(plain.len()).any(|bytes| bytes == plain));
}

#[tokio::test]
async fn a_key_does_what_its_owner_allows_and_ends_at_once() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Operator).await;
    let ada = sign_in(&stage, "ada").await;
    assert_eq!(refused(&ada, with::<AddKey>(key_body(Role::Admin, &[]))).await, "forbidden");
    let made = ada.call(with::<AddKey>(key_body(Role::Viewer, &[]))).await.unwrap();
    let key = remote(&stage).with_token(made.key.0.clone());
    assert_eq!(key.call(plain::<session::Get>()).await.unwrap().name, "ada/backup");
    assert_eq!(refused(&key, plain::<style::Get>()).await, "done");
    assert_eq!(refused(&key, with::<AddKey>(key_body(Role::Viewer, &[]))).await, "forbidden", "no key makes keys");
    assert_eq!(refused(&key, plain::<account::ListSessions>()).await, "forbidden", "nor ends its owner's sessions");
    let secret = made.key.0.expose_secret().split('_').nth(2).unwrap().to_owned();
    let disguised = remote(&stage).with_token(secret.into());
    assert_eq!(refused(&disguised, plain::<style::Get>()).await, "unauthenticated", "a key's secret is no session");
    let elsewhere = ada.call(with::<AddKey>(key_body(Role::Viewer, &["203.0.113.0/24"]))).await.unwrap();
    assert_eq!(refused(&remote(&stage).with_token(elsewhere.key.0), plain::<style::Get>()).await, "unauthenticated");

    let part = || OwnPart { id: made.view.id.clone() };
    let rotate = |overlap_s| Call::<account::RotateKey>::new(part(), Nothing {}, account::Overlap { overlap_s });
    let next = ada.call(rotate(60)).await.unwrap();
    let new = remote(&stage).with_token(next.key.0);
    assert_eq!(refused(&key, plain::<style::Get>()).await, "done", "both are taken meanwhile");
    assert_eq!(refused(&new, plain::<style::Get>()).await, "done");
    ada.call(rotate(0)).await.unwrap();
    assert_eq!(refused(&key, plain::<style::Get>()).await, "unauthenticated");
    assert_eq!(refused(&new, plain::<style::Get>()).await, "unauthenticated");
    let last = remote(&stage).with_token(ada.call(rotate(0)).await.unwrap().key.0);
    assert_eq!(refused(&last, plain::<style::Get>()).await, "done");
    ada.call(Call::<account::EndKey>::new(part(), Nothing {}, Nothing {})).await.unwrap();
    assert_eq!(refused(&last, plain::<style::Get>()).await, "unauthenticated");
}
