//! Changes the configuration of running programs by the API and the command line: what the API made and changed survives
//! restarts, other manifests and other nodes (I8, I10).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions, chat_name};
use botfleet_loadtest::harness::product::Product;
use botfleet_world::api::Api;
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::people::http;
use botfleet_world::provider::spec::{Latency, ProviderSpec};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use toml::Table;

use crate::fleet_stage::{DEADLINE, FleetStage, PROVIDER_KEY, binary, options};

/// The keys of a chat in which every bot answers every person at once.
pub(crate) fn unhindered(telegram_id: i64, bots: &[&str]) -> Value {
    let physics = json!({
        "chain_depth_max": 0, "pair_per_ten_minutes": 0, "person_per_ten_minutes": 0, "chat_per_minute": 0,
        "fleet_per_minute": 0,
    });
    json!({
        "telegram_id": telegram_id, "bots": bots, "policy": "every", "disclosure": "", "physics": physics,
        "pacing": { "enabled": false, "stale_after": "1h", "quiet_tick": "0s" }, "novelty": { "enabled": false },
    })
}

/// Starts a world of four bots in two chats, and a program whose manifest has neither the last bot nor the last chat.
pub(crate) async fn partly_described() -> FleetStage {
    let simulation = simulation(4, 2).await;
    let directory = tempfile::tempdir().unwrap();
    let (world, url) = (simulation.world.spec(), simulation.base_url());
    let files = ProductFiles::write(&directory.path().join("fleet"), world, &url, &options()).unwrap();
    let last = world.bots.last().unwrap().username.clone();
    edit(&files.manifest(), |manifest| {
        manifest["bots"].as_array_mut().unwrap().pop();
        let chats = manifest["chats"].as_array_mut().unwrap();
        chats.pop();
        for chat in chats {
            chat["bots"].as_array_mut().unwrap().retain(|bot| bot.as_str() != Some(&last));
        }
    });
    let product = Product::start(binary(), files).await.unwrap();
    let stage = FleetStage { simulation, product, http: http::client().unwrap(), directory };
    assert!(stage.simulation.world.wait_until_polling(3, DEADLINE).await);
    stage
}

async fn simulation(bots: usize, chats: usize) -> Simulation {
    let mut spec = SimulationSpec::of(WorldSpec::fleet(7, bots, chats));
    let latency = Latency { median: Duration::from_millis(20), sigma: 0.0 };
    spec.provider = ProviderSpec { latency, api_key: Some(PROVIDER_KEY.to_owned()), ..ProviderSpec::default() };
    Simulation::start(spec).await.unwrap()
}

/// Changes a manifest in place.
fn edit(manifest: &Path, how: impl FnOnce(&mut Table)) {
    let mut table: Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    how(&mut table);
    std::fs::write(manifest, table.to_string()).unwrap();
}

/// Returns a name as it stands in a path.
fn in_path(name: &str) -> String {
    name.replace(' ', "%20")
}

impl FleetStage {
    /// Makes a thing, which must succeed.
    pub(crate) async fn made(&self, kind: &str, body: Value) -> Value {
        let key = format!("{kind} {body}").bytes().map(|byte| format!("{byte:02x}")).rev().take(40).collect::<String>();
        let request = self.request(Method::POST, &format!("/api/v1/{kind}")).header("idempotency-key", key);
        let answer = request.json(&body).send().await.unwrap();
        let (status, made) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{made}\n{}", self.product.log_tail());
        // What comes before the node knows the thing is not for it.
        let version = made["version"].as_i64();
        self.until_json("/api/v1/cluster", |cluster| cluster["config_seq"].as_i64() >= version).await;
        made
    }

    /// Changes a thing, or gives a field back, as the version that it has.
    pub(crate) async fn changed(
        &self,
        method: Method,
        path: &str,
        of: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let version = self.json(of).await["version"].as_i64().unwrap();
        let mut request = self.request(method, path).header("if-match", format!("\"{version}\""));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub(crate) async fn patched(&self, path: &str, keys: Value) -> Value {
        let (status, changed) = self.changed(Method::PATCH, path, path, Some(json!({ "keys": keys }))).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        changed
    }

    /// Runs a command of the program against its API.
    async fn ordered(&self, words: &[&str]) -> (bool, String) {
        ordered(self.product.files().dir(), &self.product.api().address(), words).await
    }

    async fn restarted(&mut self, bots: usize) {
        self.product.kill_9().await.unwrap();
        self.product.restart().await.unwrap();
        assert!(self.simulation.world.wait_until_polling(bots, DEADLINE).await, "{}", self.product.log_tail());
    }
}

async fn ordered(folder: &Path, address: &str, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(binary());
    command.args(words).args(["--api", address]).current_dir(folder).kill_on_drop(true);
    let done = command.output().await.unwrap();
    let told = [done.stdout, done.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
    (done.status.success(), told)
}

#[tokio::test]
async fn i10_what_the_api_made_and_changed_survives_restarts_and_other_manifests() {
    let mut stage = partly_described().await;
    let world = stage.simulation.world.spec().clone();
    let (own, ours) = (world.bots[3].username.clone(), world.bots[0].username.clone());
    let (chat, first) = (&world.chats[1], chat_name(&world.chats[0]));
    stage.made("personas", json!({ "name": "made", "keys": { "voice": "You are made by the API." } })).await;
    let token = format!("file:secrets/{own}");
    let keys = json!({ "token": token, "persona": "made", "models": ["sim"], "hourly_cap": 0 });
    let made = stage.made("bots", json!({ "name": own, "keys": keys })).await;
    assert_eq!((&made["origin"], &made["keys"]["token"]), (&json!("api"), &json!("***")), "{made}");
    stage.made("chats", json!({ "name": "made", "keys": unhindered(chat.id, &[&own]) })).await;
    assert!(stage.simulation.world.wait_until_polling(4, DEADLINE).await, "{}", stage.product.log_tail());
    stage.say(1, "who is here?");
    stage.until_sent(1).await;

    let (bot_path, chat_path) = (format!("/api/v1/bots/{ours}"), format!("/api/v1/chats/{}", in_path(&first)));
    let changed = stage.patched(&bot_path, json!({ "temperature": 0.3 })).await;
    assert_eq!(changed["overrides"][0]["field"], "temperature", "{changed}");
    stage.patched(&chat_path, json!({ "pacing": { "burst": "2s" } })).await;
    let all = |stage: &FleetStage| {
        let paths = [&bot_path, &chat_path].map(ToString::to_string);
        let made = [format!("/api/v1/bots/{own}"), "/api/v1/chats/made".into(), "/api/v1/personas/made".into()];
        let requests = paths.into_iter().chain(made).map(|path| stage.request(Method::GET, &path));
        futures::future::join_all(
            requests.map(async |request| request.send().await.unwrap().json::<Value>().await.unwrap()),
        )
    };
    let before = all(&stage).await;
    assert!(before.iter().all(|thing| thing["version"].is_i64()), "{before:?}");
    stage.restarted(4).await;
    assert_eq!(all(&stage).await, before);

    // Another manifest, which knows nothing of that: a start lays it over what there is.
    edit(&stage.product.files().manifest(), |manifest| {
        manifest["bots"][1].as_table_mut().unwrap().insert("hourly_cap".into(), 7.into());
    });
    stage.restarted(4).await;
    assert_eq!(all(&stage).await, before);
    let other = stage.json(&format!("/api/v1/bots/{}", world.bots[1].username)).await;
    assert_eq!(other["keys"]["hourly_cap"], 7);
    let sent = stage.sends();
    stage.say(1, "and now?");
    stage.until_sent(sent + 1).await;

    // The manifest changes the very field: a start goes on, and `apply` stops and names it.
    let manifest = stage.product.files().manifest();
    edit(&manifest, |manifest| {
        manifest["bots"][0].as_table_mut().unwrap().insert("temperature".into(), toml::Value::Float(1.5));
    });
    stage.restarted(4).await;
    assert_eq!(stage.json(&bot_path).await["keys"]["temperature"], 0.3);
    let words = ["apply", "--manifest", manifest.to_str().unwrap()];
    let (ok, told) = stage.ordered(&words).await;
    let named = told.contains(&format!("bot {ours}: temperature was changed to 0.3")) && told.contains("to 1.5");
    assert!(!ok && named, "{told}");
    let field = format!("{bot_path}/overrides/temperature");
    let (status, given) = stage.changed(Method::DELETE, &field, &bot_path, None).await;
    assert_eq!((status, &given["overrides"]), (StatusCode::OK, &json!([])), "{given}");
    let (ok, told) = stage.ordered(&words).await;
    assert!(ok && told.contains(&format!("~ bot {ours}: temperature")), "{told}");
    assert_eq!(stage.json(&bot_path).await["keys"]["temperature"], 1.5);

    // A name in both is refused, with both places.
    edit(&manifest, |manifest| {
        let persona = toml::toml! { voice = "You stand in the manifest." };
        manifest["personas"].as_table_mut().unwrap().insert("made".into(), persona.into());
    });
    let (ok, told) = stage.ordered(&words).await;
    assert!(!ok && told.contains("persona made stands in") && told.contains("made by the API (local)"), "{told}");
}

#[tokio::test]
async fn a_change_asks_for_the_version_and_back_to_a_number_and_forth() {
    let stage = partly_described().await;
    let name = stage.simulation.world.spec().bots[0].username.clone();
    let path = format!("/api/v1/bots/{name}");
    let start = stage.json("/api/v1/config").await["number"].as_i64().unwrap();
    let answer = stage.request(Method::PATCH, &path).json(&json!({ "keys": { "temperature": 0.1 } })).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::PRECONDITION_REQUIRED);
    let mut numbers = vec![start];
    for temperature in [0.1, 0.2, 0.4] {
        stage.patched(&path, json!({ "temperature": temperature })).await;
        numbers.push(stage.json("/api/v1/config").await["number"].as_i64().unwrap());
    }
    let late = stage.request(Method::PATCH, &path).header("if-match", format!("\"{start}\""));
    let late = late.json(&json!({ "keys": { "temperature": 0.9 } })).send().await.unwrap();
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
    let faulty = json!({ "keys": { "temperature": 9, "colour": "red" } });
    let (status, told) = stage.changed(Method::PATCH, &path, &path, Some(faulty)).await;
    let detail = told["detail"].as_str().unwrap();
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(detail.contains(&format!("bot {name}: temperature")) && detail.contains("unknown key"), "{detail}");
    let odd = json!({ "keys": { "token": "env:PATH" } });
    let (status, told) = stage.changed(Method::PATCH, &path, &path, Some(odd)).await;
    assert_eq!((status, &told["code"]), (StatusCode::BAD_REQUEST, &json!("bad_request")), "{told}");

    let temperature = async || stage.json(&path).await["keys"]["temperature"].as_f64().unwrap();
    let back = async |number: i64| {
        let (ok, told) = stage.ordered(&["apply", "--to", &number.to_string()]).await;
        assert!(ok && told.contains("temperature"), "{told}");
        stage.json("/api/v1/config").await["number"].as_i64().unwrap()
    };
    back(numbers[0]).await;
    assert!((temperature().await - 0.8).abs() < 1e-9, "as three numbers ago");
    back(numbers[3]).await;
    assert!((temperature().await - 0.4).abs() < 1e-9, "and forth");
    let (ok, told) = stage.ordered(&["config", "show", &numbers[2].to_string()]).await;
    assert!(ok && told.contains("- 0.1") && told.contains("+ 0.2"), "{told}");
    let (ok, told) = stage.ordered(&["apply", "--to", "100000"]).await;
    assert!(!ok && told.contains("unknown_number"), "{told}");

    // Two at once: the second is shown what the first did.
    let manifest = stage.product.files().manifest();
    edit(&manifest, |manifest| {
        manifest["bots"][1].as_table_mut().unwrap().insert("hourly_cap".into(), 5.into());
    });
    let words = ["apply", "--manifest", manifest.to_str().unwrap(), "--on", &numbers[3].to_string()];
    let (ok, told) = stage.ordered(&words).await;
    assert!(!ok && told.contains("by local") && told.contains(&format!("~ bot {name}: temperature")), "{told}");
}

#[tokio::test]
async fn a_bot_that_is_switched_off_is_silent_and_a_persona_goes_back_to_a_revision() {
    let stage = partly_described().await;
    let world = stage.simulation.world.spec().clone();
    let names = [&world.bots[0].username, &world.bots[2].username];
    let (ok, told) = stage.ordered(&["bot", "disable", names[0]]).await;
    assert!(ok && told.contains("switched off"), "{told}");
    stage.until_json("/api/v1/fleet", |fleet| fleet["bots"].as_array().unwrap().len() == 2).await;
    stage.say(0, "who is left?");
    stage.until_sent(1).await;
    // The world never comes to rest: what the other bot shall hear waits at Telegram.
    stage.say(0, "and still?");
    stage.until_sent(2).await;
    assert_eq!(stage.sends(), 2, "one answer to each");
    let (ok, told) = stage.ordered(&["bot", "enable", names[0]]).await;
    assert!(ok, "{told}");
    assert!(stage.simulation.world.wait_until_polling(3, DEADLINE).await);
    let (ok, told) = stage.ordered(&["bot", "list"]).await;
    assert!(ok && names.iter().all(|name| told.contains(*name)), "{told}");

    for voice in ["You are the first.", "You are the second."] {
        let (ok, told) = stage.ordered(&["persona", "set", "made", "--set", &format!("voice={voice}")]).await;
        assert!(ok && told.contains(voice), "{told}");
    }
    let (ok, told) = stage.ordered(&["stance", "set", "made", "cats", "--set", "position=Cats are best."]).await;
    assert!(ok && told.contains("Cats are best."), "{told}");
    let (ok, told) = stage.ordered(&["persona", "diff", "made", "1"]).await;
    assert!(ok && told.contains("- \"You are the first.\"") && told.contains("+ \"You are the second.\""), "{told}");
    let (ok, told) = stage.ordered(&["persona", "restore", "made", "1"]).await;
    assert!(ok && told.contains("You are the first.") && !told.contains("Cats"), "{told}");
    let (ok, told) = stage.ordered(&["persona", "delete", "made"]).await;
    assert!(ok, "{told}");
    let (ok, told) = stage.ordered(&["bot", "delete", names[0]]).await;
    assert!(!ok && told.contains("take it out there"), "{told}");
}

#[tokio::test]
async fn a_fleet_from_an_empty_folder_answers_by_the_command_line_alone() {
    let simulation = simulation(1, 1).await;
    let directory = tempfile::tempdir().unwrap();
    let (world, url) = (simulation.world.spec().clone(), simulation.base_url());
    let files = ProductFiles::write(&directory.path().join("fleet"), &world, &url, &options()).unwrap();
    // Without a manifest, secrets lie in the folder of the usual one.
    std::fs::remove_file(files.manifest()).unwrap();
    std::fs::create_dir(files.dir().join("config")).unwrap();
    std::fs::rename(files.dir().join("secrets"), files.dir().join("config/secrets")).unwrap();
    let run = || {
        let mut command = Command::new(binary());
        command.args(["run", "--no-launcher", "--config"]).arg(files.config()).current_dir(files.dir());
        command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    };
    let mut child = run();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = String::new();
    while !told.contains("botfleet chat create") {
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap();
        told.push_str(&line.expect("it says what to do next"));
        told.push('\n');
    }
    let address = format!("unix:{}", files.socket().display());
    let order = async |words: &[&str]| {
        let (ok, told) = ordered(files.dir(), &address, words).await;
        assert!(ok, "{words:?}: {told}");
    };
    let (bot, chat) = (&world.bots[0].username, &world.chats[0]);
    let provider = format!("base_url={url}/v1");
    let key = "api_key=file:secrets/provider-sim-0";
    order(&[
        "provider",
        "create",
        "sim",
        "--set",
        "kind=compatible",
        "--set",
        &provider,
        "--set",
        key,
        "--set",
        "model=m",
    ])
    .await;
    order(&["persona", "create", "ada", "--set", "voice=You are Ada."]).await;
    let token = format!("token=file:secrets/{bot}");
    order(&["bot", "create", bot, "--set", &token, "--set", "persona=ada", "--set", "models=[\"sim\"]"]).await;
    let keys = unhindered(chat.id, &[bot]);
    let set: Vec<String> = keys.as_object().unwrap().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut words = vec!["chat", "create", "lounge"];
    words.extend(set.iter().flat_map(|set| ["--set", set.as_str()]));
    order(&words).await;
    assert!(simulation.world.wait_until_polling(1, DEADLINE).await);
    let api = Api::new(&files.socket()).unwrap();
    let asked = async |path: &str| -> Value { api.json(path).await.unwrap() };
    let made = asked("/api/v1/config").await["number"].as_i64();
    let until = Instant::now() + DEADLINE;
    while asked("/api/v1/cluster").await["config_seq"].as_i64() < made {
        assert!(Instant::now() < until, "the chat does not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    simulation.world.post(chat.id, chat.people[0], Post::text("hello")).unwrap();
    let accepted = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { .. });
    assert!(simulation.world.ledger().wait_for(1, DEADLINE, accepted).await, "the bot answers");

    child.kill().await.unwrap();
    let _again = run();
    assert!(simulation.world.wait_until_polling(1, DEADLINE).await, "all there after a restart");
    simulation.world.post(chat.id, chat.people[0], Post::text("still there?")).unwrap();
    assert!(simulation.world.ledger().wait_for(2, DEADLINE, accepted).await, "the bot answers again");
}

#[tokio::test]
async fn i10_providers_and_budgets_follow_while_the_fleet_runs() {
    let mut stage = partly_described().await;
    stage.say(0, "hello");
    stage.until_sent(2).await;
    let budget = stage
        .made("budgets", json!({ "keys": { "scope": "fleet", "unit": "tokens", "per": "day", "limit": 0 } }))
        .await;
    assert_eq!(budget["name"], "fleet-tokens-day");
    stage.until_json("/api/v1/fleet", |fleet| fleet["budgets"].as_array().is_some_and(|all| !all.is_empty())).await;
    let path = "/api/v1/budgets/fleet-tokens-day";
    stage.say(0, "no tokens are left for this");
    stage.settle().await;
    assert_eq!(stage.sends(), 2);
    stage.patched(path, json!({ "limit": 1_000_000_000 })).await;
    stage.until_json("/api/v1/fleet", |fleet| fleet["budgets"][0]["limit"] != 0).await;

    // Another model of the provider: the calls name it soon.
    let provider = "/api/v1/providers/sim";
    let shown = stage.json(provider).await;
    assert_eq!(shown["origin"], "manifest");
    assert!(!shown.to_string().contains("file:"), "{shown}");
    let (status, told) = stage
        .changed(Method::PATCH, provider, provider, Some(json!({ "keys": { "base_url": "http://192.0.2.1/v1" } })))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a new address wants the key anew: {told}");
    stage.patched(provider, json!({ "concurrency": 3, "model": "gen-9" })).await;
    stage.restarted(3).await;
    assert_eq!(stage.json(provider).await["keys"]["model"], "gen-9");
    stage.say(0, "and now?");
    stage.until_sent(4).await;
    assert!(stage.simulation.provider.ledger().iter().any(|call| call.model == "gen-9"));
}

#[tokio::test]
async fn two_hundred_bots_are_applied_at_once() {
    let simulation = simulation(200, 20).await;
    let directory = tempfile::tempdir().unwrap();
    let (world, url) = (simulation.world.spec(), simulation.base_url());
    let options = ProductOptions { poll_timeout_s: 50, ..options() };
    let files = ProductFiles::write(&directory.path().join("fleet"), world, &url, &options).unwrap();
    let full = std::fs::read_to_string(files.manifest()).unwrap();
    edit(&files.manifest(), |manifest| {
        manifest.remove("bots");
        manifest.remove("chats");
    });
    let product = Product::start(binary(), files).await.unwrap();
    std::fs::write(product.files().manifest(), full).unwrap();
    let since = Instant::now();
    let manifest = product.files().manifest();
    let words = ["apply", "--manifest", manifest.to_str().unwrap()];
    let (ok, told) = ordered(product.files().dir(), &product.api().address(), &words).await;
    assert!(ok && told.contains("220 changes"), "{told}");
    // Far above what it takes: 125 ms of a debug build, measured by hand.
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    assert!(simulation.world.wait_until_polling(200, DEADLINE).await, "{}", product.log_tail());
}
