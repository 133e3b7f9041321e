//! Tests that health tells the truth, whatever hangs, and that operators are told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions};
use botfleet_loadtest::harness::product::Product;
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::people::http;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use ring::hmac;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::fleet_stage::{DEADLINE, FleetStage, binary, options};

/// Most time for an answer, with each part hung.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Returns the part of that name.
fn part<'a>(health: &'a Value, name: &str) -> &'a Value {
    health["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap_or(&Value::Null)
}

/// Waits until the part is not well; every answer meanwhile must come at once.
async fn until_not_well(url: &str, name: &str) -> Value {
    let client = http::client().unwrap();
    let until = Instant::now() + 2 * DEADLINE;
    let mut slowest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        let health: Value = client.get(format!("{url}/health")).send().await.unwrap().json().await.unwrap();
        slowest = slowest.max(asked.elapsed());
        if part(&health, name)["ok"] == false {
            // One look may meet a busy machine; none hangs.
            assert!(slowest < 5 * AT_ONCE, "an answer took {slowest:?}");
            return health;
        }
        assert!(Instant::now() < until, "{name} stays well: {health}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Writes a shell script that runs the program and lets it live when a file may not grow.
fn beyond_file_limits(folder: &Path) -> PathBuf {
    let path = folder.join("botfleet.sh");
    std::fs::write(&path, format!("#!/bin/sh\ntrap '' XFSZ\nexec {} \"$@\"\n", binary().display())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_store_that_cannot_grow_is_unhealthy_and_unready_until_it_can_and_says_so_once() {
    let simulation = Simulation::start(SimulationSpec::of(WorldSpec::fleet(7, 1, 1))).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (world, url) = (simulation.world.spec(), simulation.base_url());
    let folder = directory.path().join("fleet");
    let files = ProductFiles::write(&folder, world, &url, &options()).unwrap();
    let log = files.log();
    let product = Product::start(&beyond_file_limits(directory.path()), files).await.unwrap();
    assert!(simulation.world.wait_until_polling(1, DEADLINE).await);
    let address = product.base_url().unwrap().to_owned();
    let limit = |bytes: Option<u64>| {
        let pid = Pid::from_raw(i32::try_from(product.pid().unwrap()).unwrap());
        prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap()
    };
    let before = limit(Some(4096));
    let say = |text: &str| {
        let chat = &simulation.world.spec().chats[0];
        simulation.world.post(chat.id, chat.people[0], Post::text(text)).unwrap();
    };
    say("is anybody there?");
    let health = until_not_well(&address, "database").await;
    assert_eq!(health["status"], "unhealthy", "{health}");
    assert!(part(&health, "database")["detail"].as_str().unwrap().contains("takes no writes"), "{health}");
    let ready = http::client().unwrap().get(format!("{address}/health/ready")).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let lines = |what: &str| std::fs::read_to_string(&log).unwrap_or_default().matches(what).count();
    assert!(lines("does not take writes") <= 1, "{}", std::fs::read_to_string(&log).unwrap());
    limit(before.current);
    let sent = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { .. });
    assert!(simulation.world.ledger().wait_for(1, 3 * DEADLINE, sent).await, "it answers once it can write");
    let ready = http::client().unwrap().get(format!("{address}/health/ready")).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
}

/// Starts a server that takes connections and never answers.
async fn hung() -> (String, tokio::task::JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (address, server)
}

#[tokio::test]
async fn a_telegram_that_never_answers_is_named_and_holds_no_answer_up() {
    let (url, _server) = hung().await;
    let directory = tempfile::tempdir().unwrap();
    let mut settings = options();
    settings.settings = toml::from_str("[telegram]\nrequest_timeout = \"1s\"\npoll_margin = \"1s\"").unwrap();
    let files = ProductFiles::write(directory.path(), &WorldSpec::fleet(7, 1, 1), &url, &settings).unwrap();
    let product = Product::start(binary(), files).await.unwrap();
    let health = until_not_well(product.base_url().unwrap(), "telegram").await;
    assert!(part(&health, "telegram")["detail"].as_str().unwrap().starts_with("0 of 1 bots poll"), "{health}");
    // The model is at the same address.
    let health = until_not_well(product.base_url().unwrap(), "provider sim").await;
    assert!(part(&health, "provider sim")["detail"].as_str().unwrap().contains("does not answer"), "{health}");
}

/// Requests that a receiver of alerts heard.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

const SECRET: &str = "a-secret-of-the-receiver";

async fn receiver() -> (String, Heard, tokio::task::JoinSet<()>) {
    async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: Bytes) -> StatusCode {
        let mut heard = heard.0.lock().await;
        heard.push((headers, body));
        // The first try meets a receiver that is not ready.
        if heard.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
    }
    let heard = Heard::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    let router = Router::new().route("/alerts", post(hear)).with_state(heard.clone());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, heard, server)
}

#[tokio::test]
async fn what_is_wrong_is_told_signed_and_in_the_operators_chat_once() {
    let (url, heard, _server) = receiver().await;
    let mut spec = SimulationSpec::of(WorldSpec::fleet(7, 2, 2));
    spec.provider.api_key = Some("another key".to_owned());
    let simulation = Simulation::start(spec).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let world = simulation.world.spec();
    let operators = world.chats[1].id;
    let mut settings = ProductOptions { log_level: "info".to_owned(), ..options() };
    let bot = world.bots[1].username.as_str();
    settings.settings = toml::from_str(&format!(
        "[alerts]\nwebhook_url = \"{url}\"\nwebhook_secret = \"file:{}\"\nprivate_hosts = [\"127.0.0.1\"]\n\
         chat = {operators}\nbot = \"{bot}\"",
        secret.display()
    ))
    .unwrap();
    let files = ProductFiles::write(&directory.path().join("fleet"), world, &simulation.base_url(), &settings).unwrap();
    let _product = Product::start(binary(), files).await.unwrap();
    let told = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { .. });
    assert!(simulation.world.ledger().wait_for(1, 4 * DEADLINE, told).await, "nobody was told in the chat");
    let until = Instant::now() + DEADLINE;
    while heard.0.lock().await.len() < 2 {
        assert!(Instant::now() < until, "nobody was told by the webhook");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let heard = heard.0.lock().await;
    assert_eq!(heard[0].1, heard[1].1, "the same again, since the first try was not taken");
    for (headers, body) in heard.iter() {
        let timestamp = headers["x-botfleet-timestamp"].to_str().unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = hmac::sign(&key, format!("{timestamp}.{}", std::str::from_utf8(body).unwrap()).as_bytes());
        let digits = tag.as_ref().iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
        assert_eq!(headers["x-botfleet-signature"], format!("sha256={digits}"));
        let alert: Value = serde_json::from_slice(body).unwrap();
        assert_eq!((&alert["cause"], &alert["over"]), (&json!("provider sim"), &json!(false)), "{alert}");
    }
    let texts: Vec<String> = simulation
        .world
        .ledger()
        .snapshot()
        .into_iter()
        .filter_map(|record| match record.event {
            LedgerEvent::SendAccepted { chat, text, .. } => Some((chat, text)),
            _ => None,
        })
        .map(|(chat, text)| {
            assert_eq!(chat, operators);
            text
        })
        .collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("provider sim"), "{texts:?}");
}

#[tokio::test]
async fn a_fleet_that_no_provider_answers_says_so_where_it_says_that_it_polls() {
    let mut spec = SimulationSpec::of(WorldSpec::fleet(7, 1, 1));
    spec.provider.api_key = Some("another key".to_owned());
    let simulation = Simulation::start(spec).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let world = simulation.world.spec();
    let files = ProductFiles::write(directory.path(), world, &simulation.base_url(), &options()).unwrap();
    let mut command = tokio::process::Command::new(binary());
    command.args(["run", "--no-launcher", "--config"]).arg(files.config()).arg("--manifest").arg(files.manifest());
    command.current_dir(files.dir()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let said = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the fleet goes on");
            if line.starts_with("polling") {
                return line;
            }
        }
    };
    let line = tokio::time::timeout(DEADLINE, said).await.unwrap();
    assert!(line.contains("nobody can speak: no provider answers (sim: "), "{line}");
}

#[tokio::test]
async fn a_demo_whose_provider_does_not_answer_says_why_nobody_speaks() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new(binary());
    let refusing = crate::scripted_http::refusing().await;
    command.args(["demo", "--seconds", "5", "--llm-model", "none", "--llm-base-url"]).arg(format!("{refusing}/v1"));
    command.env("TMPDIR", scratch.path()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let (began, mut child) = (Instant::now(), command.spawn().unwrap());
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let (mut told, mut summed_up) = (None, false);
    while let Some(line) = tokio::time::timeout(3 * DEADLINE, lines.next_line()).await.unwrap().unwrap() {
        if line.contains("nobody can speak: no provider answers (") {
            told = told.or(Some(began.elapsed()));
        }
        summed_up |= line.starts_with("nobody could speak: no provider answers (");
    }
    assert!(told.is_some_and(|told| told < Duration::from_secs(10)), "{told:?}");
    assert!(summed_up);
    assert_eq!(child.wait().await.unwrap().code(), Some(1));
}

#[tokio::test]
async fn health_names_sends_that_telegram_does_not_take() {
    let stage = FleetStage::small().await;
    let broken = json!({ "rules": [{ "what": "malformed_json", "methods": ["sendMessage"] }] });
    stage.simulation.world.set_faults(serde_json::from_value(broken).unwrap());
    for text in ["one", "two", "three", "four"] {
        stage.say(0, text);
    }
    let health = until_not_well(stage.product.base_url().unwrap(), "sends").await;
    assert_eq!(health["status"], "degraded", "{health}");
}
