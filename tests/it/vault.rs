//! Runs the real program on a small server that speaks the API of a vault over HTTP: its secrets are read at the start, followed,
//! and kept while it is away.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Json;
use axum::routing::{get, post};
use botfleet::vault::client::{Login, VaultClient, VaultError};
use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions};
use botfleet_loadtest::harness::product::Product;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::fleet_stage::{DEADLINE, binary, options};

/// The state of the server.
#[derive(Default)]
struct Kept {
    secrets: BTreeMap<String, (u64, Value)>,
    tokens: Vec<String>,
    away: bool,
    ttl: u64,
    logins: usize,
    renewals: usize,
}

type Shared = Arc<Mutex<Kept>>;

struct Vault {
    kept: Shared,
    address: String,
    _server: JoinSet<()>,
}

fn entered(kept: &Shared, headers: &HeaderMap) -> Result<(), StatusCode> {
    let kept = kept.lock().unwrap();
    if kept.away {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let token = headers.get("x-vault-token").and_then(|token| token.to_str().ok()).unwrap_or("");
    kept.tokens.iter().any(|known| known == token).then_some(()).ok_or(StatusCode::FORBIDDEN)
}

async fn secret(
    State(kept): State<Shared>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    entered(&kept, &headers)?;
    let kept = kept.lock().unwrap();
    let (version, data) = kept.secrets.get(&path).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "data": { "data": data, "metadata": { "version": version } } })))
}

async fn login(State(kept): State<Shared>, Json(body): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let mut kept = kept.lock().unwrap();
    if kept.away {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    if body != json!({ "role_id": "fleet", "secret_id": "open-sesame" }) {
        return Err(StatusCode::BAD_REQUEST);
    }
    kept.logins += 1;
    let token = format!("login {}", kept.logins);
    kept.tokens.push(token.clone());
    Ok(Json(json!({ "auth": { "client_token": token, "lease_duration": kept.ttl, "renewable": true } })))
}

async fn renew(State(kept): State<Shared>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    entered(&kept, &headers)?;
    let mut kept = kept.lock().unwrap();
    kept.renewals += 1;
    Ok(Json(json!({ "auth": { "lease_duration": kept.ttl, "renewable": true } })))
}

async fn own(State(kept): State<Shared>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    entered(&kept, &headers)?;
    Ok(Json(json!({ "data": { "ttl": kept.lock().unwrap().ttl } })))
}

impl Vault {
    async fn start() -> Self {
        let kept = Shared::default();
        let routes = Router::new()
            .route("/v1/kv/data/{*path}", get(secret))
            .route("/v1/auth/approle/login", post(login))
            .route("/v1/auth/token/renew-self", post(renew))
            .route("/v1/auth/token/lookup-self", get(own))
            .with_state(Arc::clone(&kept));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { kept, address, _server: server }
    }

    fn put(&self, path: &str, data: Value) {
        let mut kept = self.kept.lock().unwrap();
        let version = kept.secrets.get(path).map_or(1, |(version, _)| version + 1);
        kept.secrets.insert(path.to_owned(), (version, data));
    }

    fn set_away(&self, away: bool) {
        self.kept.lock().unwrap().away = away;
    }

    fn client(&self, login: Login) -> VaultClient {
        VaultClient::new(&self.address, None, login).unwrap()
    }
}

fn role() -> Login {
    Login::AppRole { role_id: "fleet".into(), secret_id: "open-sesame".into() }
}

#[tokio::test]
async fn a_secret_is_read_by_its_field_and_a_refusal_says_what_is_missing() {
    let vault = Vault::start().await;
    vault.put("bots/ada", json!({ "token": "1:a", "number": 7 }));
    vault.kept.lock().unwrap().tokens.push("root".to_owned());
    let client = vault.client(Login::Token("root".into()));
    let read = client.read("kv/bots/ada", "token").await.unwrap();
    assert_eq!((read.value.as_str(), read.version), ("1:a", 1));
    for (path, field) in [("kv/bots/ada", "other"), ("kv/bots/eve", "token"), ("kv/bots/ada", "number")] {
        let missing = client.read(path, field).await.err();
        assert_eq!(missing, Some(VaultError::Missing(format!("{path}#{field}"))));
    }
    let stranger = vault.client(Login::Token("other".into()));
    assert_eq!(stranger.read("kv/bots/ada", "token").await.err(), Some(VaultError::Refused(403)));
    vault.set_away(true);
    assert!(matches!(client.read("kv/bots/ada", "token").await.err(), Some(VaultError::Unavailable(_))));
}

#[tokio::test]
async fn a_role_signs_in_renews_and_signs_in_again_when_its_token_was_ended() {
    let vault = Vault::start().await;
    vault.put("bots/ada", json!({ "token": "1:a" }));
    vault.kept.lock().unwrap().ttl = 1;
    let client = vault.client(role());
    client.read("kv/bots/ada", "token").await.unwrap();
    client.keep().await.unwrap();
    assert_eq!(vault.kept.lock().unwrap().renewals, 0, "not yet");
    tokio::time::sleep(Duration::from_millis(600)).await;
    client.keep().await.unwrap();
    let counted = || {
        let kept = vault.kept.lock().unwrap();
        (kept.logins, kept.renewals)
    };
    assert_eq!(counted(), (1, 1));
    vault.kept.lock().unwrap().tokens.clear();
    client.read("kv/bots/ada", "token").await.unwrap();
    assert_eq!(counted().0, 2);
}

#[tokio::test]
async fn tokens_of_a_vault_are_followed_and_kept_while_it_is_away() {
    let vault = Vault::start().await;
    let simulation = Simulation::start(SimulationSpec::of(WorldSpec::fleet(7, 1, 1))).await.unwrap();
    let bot = simulation.world.spec().bots[0].clone();
    let folder = tempfile::tempdir().unwrap();
    let address = vault.address.clone();
    let mut settings = toml::toml! {
        [secrets.vault]
        role_id = "file:role"
        secret_id = "file:secret"
        every = "1s"
    };
    settings["secrets"]["vault"].as_table_mut().unwrap().insert("address".to_owned(), address.into());
    let files_options = ProductOptions { settings, ..options() };
    let place = folder.path().join("fleet");
    let files = ProductFiles::write(&place, simulation.world.spec(), &simulation.base_url(), &files_options).unwrap();
    for (name, text) in [("role", "fleet"), ("secret", "open-sesame")] {
        std::fs::write(files.dir().join(name), text).unwrap();
    }
    let config = std::fs::read_to_string(files.config()).unwrap();
    let dir = files.dir().display().to_string();
    let config =
        config.replace("file:role", &format!("file:{dir}/role")).replace("file:secret", &format!("file:{dir}/secret"));
    std::fs::write(files.config(), config).unwrap();
    let manifest = std::fs::read_to_string(files.manifest()).unwrap();
    let reference = format!("file:secrets/{}", bot.username);
    std::fs::write(files.manifest(), manifest.replace(&reference, "vault:kv/bots/one#token")).unwrap();

    vault.set_away(true);
    let refused = Product::start(binary(), files.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("the vault does not answer"), "{refused}");
    vault.set_away(false);
    let refused = Product::start(binary(), files.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("the vault holds no kv/bots/one#token"), "{refused}");

    vault.put("bots/one", json!({ "token": bot.token }));
    let product = Product::start(binary(), files).await.unwrap();
    let world = &simulation.world;
    assert!(world.wait_until_polling(1, DEADLINE).await, "{}", product.log_tail());
    let chat = world.spec().chats[0].clone();
    let say = |text: &str| world.post(chat.id, chat.people[0], Post::text(text)).unwrap();
    let sent = async |messages: usize| {
        let accepted = |event: &botfleet_world::ledger::LedgerEvent| {
            matches!(event, botfleet_world::ledger::LedgerEvent::SendAccepted { .. })
        };
        assert!(world.ledger().wait_for(messages, DEADLINE, accepted).await, "{}", product.log_tail());
    };
    vault.set_away(true);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    say("while the vault is away");
    sent(1).await;
    vault.set_away(false);
    let token = world.make_token(bot.id);
    world.replace_token(bot.id, &token).unwrap();
    vault.put("bots/one", json!({ "token": token }));
    assert!(world.wait_until_polling(1, Duration::from_secs(4)).await, "a new version: {}", product.log_tail());
    say("with another token");
    sent(2).await;
}
