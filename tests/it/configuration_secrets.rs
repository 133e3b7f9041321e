//! Makes providers and bots in a running program, and gives them their secrets: what is given goes to what is there now, and to its
//! own address alone (I10, I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use botfleet::api::bots::BotNamed;
use botfleet::api::providers::{Change, Create};
use botfleet::api::resource::{Named, NewResource, ResourcePatch};
use botfleet::api::route::{Call, Nothing};
use botfleet::api::secrets::{List, ProviderKeyBody, ProviderNamed, SetProviderKey, SetToken, TokenBody};
use botfleet::operate::principal::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::configuration::{partly_described, unhindered};
use crate::fleet_stage::{DEADLINE, FleetStage, PROVIDER_KEY};
use crate::sign_in::{add, local, plain, refused, sign_in};

fn key_of(provider: &str, key: &str) -> Call<SetProviderKey> {
    Call::new(ProviderNamed { name: provider.to_owned() }, Nothing {}, ProviderKeyBody { key: key.into() })
}

fn new(name: &str, keys: &Value) -> Call<Create> {
    let keys = keys.as_object().unwrap().clone();
    Call::new(Nothing {}, Nothing {}, NewResource { name: Some(name.to_owned()), keys })
}

fn change(name: &str, version: i64, keys: &Value) -> Call<Change> {
    let patch = ResourcePatch { keys: keys.as_object().unwrap().clone(), enabled: None };
    Call::<Change>::new(Named { name: name.to_owned() }, Nothing {}, patch).of_version(version)
}

async fn states(stage: &FleetStage) -> Vec<(String, String)> {
    let secrets = local(stage).call(plain::<List>()).await.unwrap().secrets;
    secrets.into_iter().map(|secret| (secret.name, secret.state)).collect()
}

/// Waits until the first key of a provider is in a state.
async fn until_key(stage: &FleetStage, provider: &str, wanted: &str) {
    let is_it = |fleet: &Value| {
        let all = fleet["providers"].as_array();
        all.is_some_and(|all| all.iter().any(|one| one["name"] == provider && one["keys"][0]["state"] == wanted))
    };
    stage.until_json("/api/v1/fleet", is_it).await;
}

#[tokio::test]
async fn i12_a_provider_of_the_api_takes_the_key_that_is_given_and_to_its_address_alone() {
    let mut stage = FleetStage::small().await;
    let bot = format!("/api/v1/bots/{}", stage.simulation.world.spec().bots[0].username);
    let url = stage.simulation.base_url();
    // It names no key: this one needs it, and gets it afterwards.
    let keys = json!({ "kind": "openai", "base_url": format!("{url}/v1"), "model": "m" });
    let made = local(&stage).call(new("second", &keys)).await.unwrap();
    stage.until_json("/api/v1/cluster", |cluster| cluster["config_seq"].as_i64() >= Some(made.version)).await;
    stage.patched(&bot, json!({ "models": ["second"] })).await;
    stage.until_json("/api/v1/fleet", |fleet| fleet["providers"].as_array().is_some_and(|all| all.len() == 2)).await;
    stage.say(0, "nobody has a key for this");
    until_key(&stage, "second", "refused").await;
    assert_eq!(stage.simulation.provider.call_count(), 0, "no call goes out without a key");
    local(&stage).call(key_of("second", PROVIDER_KEY)).await.unwrap();
    until_key(&stage, "second", "usable").await;
    let sent = stage.sends();
    stage.say(0, "and now?");
    stage.until_sent(sent + 1).await;
    stage.settle().await;

    // At another address the key is none, until it is given anew.
    let other = url.replace("127.0.0.1", "localhost");
    let asked = stage.simulation.provider.call_count();
    stage.patched("/api/v1/providers/second", json!({ "base_url": format!("{other}/v1") })).await;
    let until = std::time::Instant::now() + DEADLINE;
    while states(&stage).await != [("second".to_owned(), "unfit".to_owned())] {
        assert!(std::time::Instant::now() < until, "{:?}", states(&stage).await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stage.say(0, "to another address");
    until_key(&stage, "second", "refused").await;
    assert_eq!(stage.simulation.provider.call_count(), asked, "the key went nowhere");
    local(&stage).call(key_of("second", PROVIDER_KEY)).await.unwrap();
    until_key(&stage, "second", "usable").await;
    let sent = stage.sends();
    stage.say(0, "there too?");
    stage.until_sent(sent + 1).await;
    stage.settle().await;

    stage.product.kill_9().await.unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    let sent = stage.sends();
    stage.say(0, "after a restart?");
    stage.until_sent(sent + 1).await;
}

#[tokio::test]
async fn i10_a_bot_that_the_api_made_takes_the_token_that_is_given() {
    let stage = partly_described().await;
    let spec = stage.simulation.world.spec().clone();
    let (bot, chat) = (&spec.bots[3], &spec.chats[1]);
    let voice = spec.bots[0].username.clone();
    let persona = stage.json(&format!("/api/v1/bots/{voice}")).await["keys"]["persona"].clone();
    let keys = json!({ "token": format!("file:secrets/{}", bot.username), "persona": persona, "models": ["sim"], "hourly_cap": 0 });
    stage.made("bots", json!({ "name": bot.username, "keys": keys })).await;
    stage.made("chats", json!({ "name": "made", "keys": unhindered(chat.id, &[&bot.username]) })).await;
    assert!(stage.simulation.world.wait_until_polling(4, DEADLINE).await, "{}", stage.product.log_tail());
    // The file holds the old token from now on.
    let token = stage.simulation.world.make_token(bot.id);
    stage.simulation.world.replace_token(bot.id, &token).unwrap();
    let give = TokenBody { token: token.as_str().into() };
    let named = BotNamed { name: bot.username.clone() };
    local(&stage).call(Call::<SetToken>::new(named, Nothing {}, give)).await.unwrap();
    assert!(stage.simulation.world.wait_until_polling(4, DEADLINE).await, "{}", stage.product.log_tail());
    stage.say(1, "who is here?");
    stage.until_sent(1).await;
    assert_eq!(states(&stage).await, [(bot.username.clone(), "open".to_owned())]);
}

#[tokio::test]
async fn i12_through_the_port_addresses_are_guarded_and_references_confined() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    let ada = sign_in(&stage, "ada").await;
    let provider = |address: &str| json!({ "kind": "compatible", "base_url": address, "model": "m" });
    let own = format!("{}/v1", stage.simulation.base_url());
    for address in [own.as_str(), "https://10.0.0.1/v1", "https://169.254.169.254/v1", "http://1.1.1.1/v1"] {
        assert_eq!(refused(&ada, new("p", &provider(address))).await, "refused", "{address}");
    }
    for place in ["file:secrets/provider-sim-0", "file:/etc/passwd", "env:HOME", "vault:kv/a#b"] {
        let keys = json!({ "kind": "openai", "model": "m", "api_key": place });
        assert_eq!(refused(&ada, new("p", &keys)).await, "bad_request", "{place}");
    }
    assert_eq!(refused(&ada, new("p", &provider("https://1.1.1.1/v1"))).await, "done", "a public address");
    let path = "/api/v1/providers/sim";
    let version = stage.json(path).await["version"].as_i64().unwrap();
    let keys = json!({ "base_url": "https://10.0.0.1/v1", "api_key": "env:BOTFLEET_SECRET_P" });
    assert_eq!(refused(&ada, change("sim", version, &keys)).await, "refused");
    // What the manifest says of the address stays the operator's own word when something else changes.
    let changed = ada.call(change("sim", version, &json!({ "concurrency": 2 }))).await.unwrap();
    assert_eq!(changed.overrides.len(), 1);
    stage.until_json("/api/v1/cluster", |cluster| cluster["config_seq"].as_i64() >= Some(changed.version)).await;
    stage.say(0, "hello");
    stage.until_sent(1).await;
    // At the local socket the address is the operator's own word, the reference is not.
    let odd = json!({ "keys": { "api_key": "env:HOME" } });
    let (status, told) = stage.changed(Method::PATCH, path, path, Some(odd)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{told}");
    assert_eq!(refused(&local(&stage), new("here", &provider(&own))).await, "done");
}
