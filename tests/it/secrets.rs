//! Gives tokens and keys to the real program: they are stored sealed, used at once, and never shown again (I10, I12, I14).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use botfleet::api::bots::BotNamed;
use botfleet::api::list::{Visitor, each};
use botfleet::api::route::{Call, Nothing, Route};
use botfleet::api::secrets::{
    List, ProviderKeyBody, ProviderNamed, RemoveProviderKey, RemoveToken, Reset, ResetBody, Retire, Rotate,
    SealingKeyOf, SetProviderKey, SetToken, TokenBody,
};
use botfleet::operate::principal::Role;
use botfleet::runtime::secrets::view::{GivenView, SecretsView};
use botfleet_world::provider::faults::{ProviderFault, ProviderFaults, ProviderRule};
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::fleet_stage::{DEADLINE, FleetStage, PROVIDER_KEY, options};
use crate::sign_in::{PASSWORD, add, code, local, plain, proof, refused, remote, seed_of, sign_in, step, with};

/// Time within which a live bot or provider takes what was given.
const TAKEN_WITHIN: Duration = Duration::from_secs(1);

fn set_token(bot: &str, token: &str) -> Call<SetToken> {
    Call::new(BotNamed { name: bot.to_owned() }, Nothing {}, TokenBody { token: token.into() })
}

fn set_key(key: &str) -> Call<SetProviderKey> {
    Call::new(ProviderNamed { name: "sim".to_owned() }, Nothing {}, ProviderKeyBody { key: key.into() })
}

async fn secrets(stage: &FleetStage) -> SecretsView {
    local(stage).call(plain::<List>()).await.unwrap()
}

/// Returns the states of the stored secrets, by kind and name.
async fn states(stage: &FleetStage) -> Vec<(String, String)> {
    secrets(stage).await.secrets.into_iter().map(|secret| (secret.name, secret.state)).collect()
}

fn key_file(stage: &FleetStage) -> PathBuf {
    stage.product.files().dir().join("secrets.key")
}

async fn database(stage: &FleetStage) -> SqliteConnection {
    SqliteConnectOptions::new().filename(stage.product.files().database()).connect().await.unwrap()
}

async fn stop(stage: &mut FleetStage) {
    stage.product.stop(DEADLINE).await.unwrap();
}

/// Gives a bot of the world a new token, which its Telegram takes from now on alone.
fn renew(stage: &FleetStage, bot: usize) -> (String, String) {
    let spec = stage.simulation.world.spec().bots[bot].clone();
    let token = stage.simulation.world.make_token(spec.id);
    stage.simulation.world.replace_token(spec.id, &token).unwrap();
    (spec.username, token)
}

/// Returns what a fleet wrote: its log, and the files of its database.
fn written(stage: &FleetStage) -> Vec<(String, Vec<u8>)> {
    let folder = stage.product.files().dir().to_owned();
    let files = ["product.log", "botfleet.db", "botfleet.db-wal", "botfleet.db-shm"];
    files.iter().filter_map(|file| Some(((*file).to_owned(), std::fs::read(folder.join(file)).ok()?))).collect()
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn i10_a_live_bot_takes_its_new_token_within_a_second_and_after_a_restart() {
    let mut stage = FleetStage::small().await;
    let spec = stage.simulation.world.spec().bots[0].clone();
    let (name, token) = (spec.username, stage.simulation.world.make_token(spec.id));
    stage.simulation.world.revoke_token(spec.id).unwrap();
    let refused_bot = |fleet: &serde_json::Value| fleet["silent"] == json!([{ "bot": name, "why": "refused" }]);
    stage.until_json("/api/v1/fleet", refused_bot).await;
    stage.simulation.world.replace_token(spec.id, &token).unwrap();
    let GivenView { ends, version, .. } = local(&stage).call(set_token(&name, &token)).await.unwrap();
    assert_eq!((ends, version), (format!("…{}", &token[token.len() - 4..]), 1));
    assert!(stage.simulation.world.wait_until_polling(1, TAKEN_WITHIN).await, "{}", stage.product.log_tail());
    stage.say(0, "hello");
    stage.until_sent(1).await;
    // The file that the manifest names still holds the old token.
    stage.product.kill_9().await.unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    stage.say(0, "are you there?");
    stage.until_sent(2).await;
    assert_eq!(states(&stage).await, [(name.clone(), "open".to_owned())]);
    let other = format!("{}0{}", &token[..1], &token[1..]);
    for odd in ["nonsense", &other, ""] {
        assert_eq!(refused(&local(&stage), set_token(&name, odd)).await, "bad_request", "{odd:?}");
    }
    let remove = || Call::<RemoveToken>::new(BotNamed { name: name.clone() }, Nothing {}, Nothing {});
    assert_eq!(refused(&local(&stage), remove()).await, "done");
    stage.until_json("/api/v1/fleet", refused_bot).await;
    assert_eq!(refused(&local(&stage), remove()).await, "unknown_secret");
}

#[tokio::test]
async fn i14_without_the_key_the_bots_that_it_sealed_are_silent_and_the_rest_serves() {
    let mut stage = FleetStage::start(2, 2, options()).await;
    let (name, token) = renew(&stage, 0);
    local(&stage).call(set_token(&name, &token)).await.unwrap();
    stage.until_polling().await;
    stop(&mut stage).await;
    let (key, away) = (key_file(&stage), stage.directory.path().join("away.key"));
    std::fs::rename(&key, &away).unwrap();
    stage.product.restart().await.unwrap();
    let sealed = json!([{ "bot": name, "why": "sealed" }]);
    stage.until_json("/api/v1/fleet", |fleet| fleet["silent"] == sealed).await;
    let world = stage.simulation.world.spec().clone();
    let chat_of = |bot: usize| world.chats.iter().position(|chat| chat.bots.contains(&world.bots[bot].id)).unwrap();
    stage.say(chat_of(0), "hello");
    stage.say(chat_of(1), "hello");
    stage.until_sent(1).await;
    // The message for the silent bot's own ears waits at Telegram.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(stage.simulation.provider.call_count(), 1, "no model is paid for a bot that cannot speak");
    assert_eq!(states(&stage).await, [(name.clone(), "sealed".to_owned())]);
    assert_eq!(refused(&local(&stage), set_token(&name, &token)).await, "cannot_seal");
    assert!(!key.exists(), "no other key is made in its place");
    let health = stage.http.get(stage.url("/health")).send().await.unwrap().text().await.unwrap();
    assert!(health.contains("lacks the key"), "{health}");

    // The key comes back while the fleet runs.
    std::fs::rename(&away, &key).unwrap();
    stage.until_polling().await;
    stage.until_json("/api/v1/fleet", |fleet| fleet["silent"] == json!([])).await;
    stage.say(chat_of(0), "and now?");
    stage.until_sent(2).await;
}

/// The drill of docs/OPERATIONS.md.
#[tokio::test]
async fn a_lost_key_is_given_up_and_what_it_sealed_is_entered_again() {
    let mut stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    let ada = sign_in(&stage, "ada").await;
    let begun = ada.call(plain::<botfleet::api::account::BeginFactor>()).await.unwrap();
    let first = code(&seed_of(&begun), step() - 1);
    let enrol = botfleet::api::account::FactorProof { sealed: begun.sealed.clone(), code: first };
    ada.call(with::<botfleet::api::account::TakeFactor>(enrol)).await.unwrap();
    let (name, token) = renew(&stage, 0);
    local(&stage).call(set_token(&name, &token)).await.unwrap();
    local(&stage).call(set_key(PROVIDER_KEY)).await.unwrap();
    stop(&mut stage).await;
    std::fs::remove_file(key_file(&stage)).unwrap();
    stage.product.restart().await.unwrap();
    let command = |words: &[&str]| {
        let mut command = std::process::Command::new(crate::fleet_stage::binary());
        let socket = format!("unix:{}", stage.product.files().socket().display());
        let done = command.args(words).args(["--api", &socket]).output().unwrap();
        let told = [done.stdout, done.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        assert!(done.status.success(), "{words:?}: {told}");
        told
    };
    assert!(command(&["secrets", "list"]).contains("MISSING"));
    let told = command(&["secrets", "reset", "--lost"]);
    let expected = format!(
        "botfleet secrets token {name:?}\nbotfleet secrets provider-key \"sim\"\nada enrols a second factor: botfleet second-factor \
         enrol\n"
    );
    assert_eq!(told, expected);
    assert_eq!(command(&["secrets", "reset", "--lost"]), "nothing is lost\n");
    let lost = [(name.clone(), "lost".to_owned()), ("sim".to_owned(), "lost".to_owned())];
    assert_eq!(states(&stage).await, lost);
    local(&stage).call(set_token(&name, &token)).await.unwrap();
    local(&stage).call(set_key(PROVIDER_KEY)).await.unwrap();
    stage.until_polling().await;
    stage.say(0, "hello again");
    stage.until_sent(1).await;
    assert_eq!(refused(&local(&stage), proof("ada", PASSWORD, None)).await, "done", "without a second factor");
    let not_lost = with::<Reset>(ResetBody { lost: false });
    assert_eq!(refused(&local(&stage), not_lost).await, "bad_request");
}

#[tokio::test]
async fn a_rotation_under_load_fails_no_send_and_retires_what_nothing_needs() {
    let mut stage = FleetStage::start(4, 2, options()).await;
    for bot in 0..4 {
        let (name, token) = renew(&stage, bot);
        local(&stage).call(set_token(&name, &token)).await.unwrap();
    }
    local(&stage).call(set_key(PROVIDER_KEY)).await.unwrap();
    stage.until_polling().await;
    let first = secrets(&stage).await.keys[0].id.clone();
    let retire = |id: &str| Call::<Retire>::new(SealingKeyOf { id: id.to_owned() }, Nothing {}, Nothing {});
    assert_eq!(refused(&local(&stage), retire(&first)).await, "key_in_use", "it seals");
    let sends = stage.sends();
    let mut said = 0;
    for round in 0..5 {
        for chat in 0..2 {
            stage.say(chat, &format!("round {round}"));
            said += 2;
        }
        let rotated = local(&stage).call(plain::<Rotate>()).await.unwrap();
        assert_eq!((rotated.sealed, rotated.left), (5, 0));
    }
    stage.until_sent(said).await;
    stage.settle().await;
    assert_eq!(stage.sends() - sends, said, "each answer was sent once");
    let SecretsView { keys, secrets: stored } = secrets(&stage).await;
    assert!(stored.iter().all(|secret| secret.version == 1 && secret.key.as_ref() == Some(&keys[5].id)), "{stored:?}");
    assert_eq!(keys.len(), 6);
    for old in &keys[..5] {
        assert_eq!(refused(&local(&stage), retire(&old.id)).await, "done");
    }
    assert_eq!(refused(&local(&stage), retire(&keys[5].id)).await, "key_in_use");
    assert_eq!(refused(&local(&stage), retire("0123")).await, "unknown_secret_key");
    let lines = std::fs::read_to_string(key_file(&stage)).unwrap();
    assert_eq!(lines.lines().count(), 1, "the own file holds what is needed");
    stop(&mut stage).await;
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    assert_eq!(states(&stage).await.len(), 5);
    stage.say(0, "still there?");
    stage.until_sent(said + 1).await;
}

#[tokio::test]
async fn i12_a_key_is_bound_to_the_address_that_it_was_given_for() {
    let mut stage = FleetStage::small().await;
    local(&stage).call(set_key("sk-wrong-0123456789")).await.unwrap();
    let sealed_to = Instant::now();
    while !stage.simulation.provider.used_by_key().contains_key("sk-wrong-0123456789") {
        stage.say(0, "with the wrong key");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let refusals = stage.json("/api/v1/fleet").await["providers"][0]["keys"][0]["state"].clone();
        if refusals == "refused" {
            break;
        }
        assert!(sealed_to.elapsed() < DEADLINE, "{}", stage.product.log_tail());
    }
    local(&stage).call(set_key(PROVIDER_KEY)).await.unwrap();
    stage.until_json("/api/v1/fleet", |fleet| fleet["providers"][0]["keys"][0]["state"] == "usable").await;
    let before = stage.sends();
    stage.say(0, "with the right key");
    stage.until_sent(before + 1).await;
    assert_eq!(refused(&local(&stage), set_key("a b")).await, "bad_request");

    // Whoever changes the address gives the key anew: the old one does not travel to another place.
    stop(&mut stage).await;
    let manifest = stage.product.files().manifest();
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("http://127.0.0.1:", "http://localhost:")).unwrap();
    let asked = stage.simulation.provider.call_count();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    assert_eq!(states(&stage).await, [("sim".to_owned(), "unfit".to_owned())]);
    stage.say(0, "to another address");
    stage.until_json("/api/v1/fleet", |fleet| fleet["providers"][0]["keys"][0]["state"] == "refused").await;
    assert_eq!(stage.simulation.provider.call_count(), asked, "the key went nowhere");
    let remove = Call::<RemoveProviderKey>::new(ProviderNamed { name: "sim".to_owned() }, Nothing {}, Nothing {});
    local(&stage).call(remove).await.unwrap();
    stage.until_json("/api/v1/fleet", |fleet| fleet["providers"][0]["keys"][0]["state"] == "usable").await;
    stage.say(0, "with the manifest's own key");
    stage.until_asked(asked + 1).await;
}

#[tokio::test]
async fn i12_ciphertexts_that_are_swapped_between_rows_open_nothing() {
    let mut stage = FleetStage::start(2, 1, options()).await;
    let mut names = Vec::new();
    for bot in 0..2 {
        let (name, token) = renew(&stage, bot);
        local(&stage).call(set_token(&name, &token)).await.unwrap();
        names.push(name);
    }
    stage.until_polling().await;
    stop(&mut stage).await;
    let mut connection = database(&stage).await;
    let swap = "UPDATE secret SET wrapped = o.wrapped, sealed = o.sealed, destination = o.destination \
                FROM (SELECT owner, wrapped, sealed, destination FROM secret) o WHERE o.owner <> secret.owner";
    assert_eq!(sqlx::query(swap).execute(&mut connection).await.unwrap().rows_affected(), 2);
    connection.close().await.unwrap();
    stage.product.restart().await.unwrap();
    let silent = json!(names.iter().map(|name| json!({ "bot": name, "why": "sealed" })).collect::<Vec<_>>());
    stage.until_json("/api/v1/fleet", |fleet| fleet["silent"] == silent).await;
    assert!(states(&stage).await.iter().all(|(_, state)| state == "unfit"));
}

#[tokio::test]
async fn a_second_factor_of_an_earlier_version_goes_on_and_moves_at_a_rotation() {
    let mut stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    stop(&mut stage).await;
    let mut connection = database(&stage).await;
    let id: i64 = sqlx::query_scalar("SELECT id FROM operator").fetch_one(&mut connection).await.unwrap();
    // As version 0.2 sealed it.
    let (seed, bytes) = ([5; 20], [7; 32]);
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &bytes).unwrap());
    let mut text = seed.to_vec();
    let nonce = [9; NONCE_LEN];
    let owner = format!("operator {id} seed");
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner.as_bytes()), &mut text).unwrap();
    let old = format!("s1.{}", BASE64URL_NOPAD.encode(&[&nonce[..], &text].concat()));
    sqlx::query("UPDATE operator SET seed = $1").bind(&old).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let file = stage.product.files().dir().join("botfleet.key");
    private(&file, &bytes);
    stage.product.restart().await.unwrap();
    let sign_in = |code: String| proof("ada", PASSWORD, Some(code));
    assert_eq!(refused(&remote(&stage), sign_in(code(&seed, step() - 1))).await, "done", "the old seal opens");
    let rotated = local(&stage).call(plain::<Rotate>()).await.unwrap();
    assert_eq!((rotated.sealed, rotated.left), (1, 0));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(refused(&remote(&stage), sign_in(code(&seed, step()))).await, "done", "and the new one");
    let mut connection = database(&stage).await;
    let sealed: String = sqlx::query_scalar("SELECT seed FROM operator").fetch_one(&mut connection).await.unwrap();
    assert!(sealed.starts_with(&format!("s2.{}.", rotated.key)), "{sealed}");
}

fn private(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Gathers the addresses that answer one value and change nothing.
#[derive(Default)]
struct Readable(Vec<&'static str>);

impl Visitor for Readable {
    fn visit<R: Route>(&mut self) {
        if R::METHOD.as_str() == "GET" && R::NAME != "watch_events" {
            self.0.push(R::EXAMPLE.address);
        }
    }
}

#[tokio::test]
async fn i12_no_secret_is_in_logs_metrics_events_answers_or_the_database() {
    let mut options = options();
    "debug".clone_into(&mut options.log_level);
    let mut stage = FleetStage::start(2, 2, options).await;
    add(&stage, "ada", Role::Admin).await;
    let ada = sign_in(&stage, "ada").await;
    let begun = ada.call(plain::<botfleet::api::account::BeginFactor>()).await.unwrap();
    let used = code(&seed_of(&begun), step() - 1);
    let enrol = botfleet::api::account::FactorProof { sealed: begun.sealed.clone(), code: used };
    let codes = ada.call(with::<botfleet::api::account::TakeFactor>(enrol)).await.unwrap().recovery_codes;
    let mut canaries = vec![PASSWORD.to_owned()];
    let exposed = |secret: &botfleet::api::secret::Secret| secrecy::ExposeSecret::expose_secret(&secret.0).to_owned();
    canaries.push(exposed(&begun.secret));
    canaries.extend(codes.iter().map(exposed));
    let mut events = stage.request(Method::GET, "/api/v1/events").send().await.unwrap();
    for key in ["sk-canary-refused-0123456789", PROVIDER_KEY] {
        local(&stage).call(set_key(key)).await.unwrap();
        canaries.push(key.to_owned());
        for chat in 0..2 {
            stage.say(chat, "hello");
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    for bot in 0..2 {
        let (name, token) = renew(&stage, bot);
        local(&stage).call(set_token(&name, &token)).await.unwrap();
        assert_eq!(refused(&local(&stage), set_token(&name, &format!("{token} "))).await, "bad_request");
        // The id of a bot is public; the rest is the secret.
        canaries.push(token.split_once(':').unwrap().1.to_owned());
    }
    stage.until_polling().await;
    // Faults make errors, which quote what they can.
    stage
        .simulation
        .provider
        .set_faults(ProviderFaults { seed: 1, rules: vec![ProviderRule::always(ProviderFault::InternalError)] });
    for bot in 0..2 {
        let id = stage.simulation.world.spec().bots[bot].id;
        let chat = stage.simulation.world.spec().chats[bot % 2].id;
        stage.simulation.world.penalise(id, Some(chat), Duration::from_secs(1));
        stage.say(bot % 2, "in trouble");
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    stage.simulation.provider.clear_faults();
    stage.simulation.world.revoke_token(stage.simulation.world.spec().bots[0].id).unwrap();
    stage.until_json("/api/v1/fleet", |fleet| fleet["silent"][0]["why"] == "refused").await;
    local(&stage).call(plain::<Rotate>()).await.unwrap();

    let mut found = Vec::new();
    let mut look = |place: &str, bytes: &[u8]| {
        found
            .extend(canaries.iter().filter(|canary| holds(bytes, canary)).map(|canary| format!("{canary} in {place}")));
    };
    let mut readable = Readable::default();
    each(&mut readable);
    for address in readable.0.into_iter().chain(["/metrics", "/health"]) {
        look(address, &stage.get(address).await.bytes().await.unwrap());
    }
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout(Duration::from_millis(300), events.chunk()).await {
        look("events", &chunk);
    }
    stop(&mut stage).await;
    for (place, bytes) in written(&stage) {
        look(&place, &bytes);
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(holds(&written(&stage)[0].1, "botfleet"), "the log was read");
}
