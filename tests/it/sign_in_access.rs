//! Tests what a change of accounts does to those who are signed in, here and on another node, and the limits (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use botfleet::api::control::{Scope, Start};
use botfleet::api::keys::KeyBody;
use botfleet::api::route::{Call, Nothing};
use botfleet::api::users::{self, UserNamed, UserPatch, Within};
use botfleet::api::{account, dead_letters, session, style};
use botfleet::operate::access::known::Sent;
use botfleet::operate::context::Context;
use botfleet::operate::operations::Operations;
use botfleet::operate::permission::SignIn;
use botfleet::operate::principal::{Identity, Principal, Reach, Role};
use botfleet::operate::sign_in::Credentials;
use botfleet::operate::users::{UserChange, Wanted};
use botfleet_actors::domain::operators::Profile;
use botfleet_loadtest::harness::files::{ProductOptions, chat_name};
use futures::StreamExt as _;
use secrecy::SecretString;

use crate::fleet_stage::{FleetStage, options};
use crate::operate::{Stage, somebody};
use crate::sign_in::{PASSWORD, add, key_body, local, new_user, plain, proof, refused, remote, sign_in, with};

/// Two nodes share a database and nothing else: no hint reaches the other one.
#[tokio::test]
async fn a_disabled_account_is_out_on_every_node_within_a_second() {
    let fleet = Stage::start().await;
    let (here, there) = (fleet.operations(), fleet.operations());
    let admin = somebody(Role::Admin, Reach::Everything);
    let context = || Context { here: true, at: here.now(), ..Context::default() };
    let wanted = Wanted { role: Role::Operator, within: None, reads_texts: false };
    let password = SecretString::from(PASSWORD);
    let by = || admin.grant().unwrap();
    here.add_user(&by(), "ada", &wanted, Profile::default(), Some(password.clone())).await.unwrap();
    let stranger = Arc::new(Principal::new(Arc::new(Identity::stranger()), context()));
    let by_stranger = stranger.grant::<SignIn>().unwrap();
    let credentials = Credentials { name: "ada".to_owned(), password, code: None };
    let sent = Sent::Session(here.sign_in(&by_stranger, credentials).await.unwrap().token);
    let asks = async |node: &Operations| node.principal(&sent, context(), true).await;
    for node in [&here, &there] {
        assert_eq!(asks(node).await.unwrap().role(), Role::Operator);
    }
    let less = Wanted { role: Role::Viewer, within: None, reads_texts: false };
    let change = UserChange { grants: Some(less), ..UserChange::default() };
    here.change_user(&by(), "ada", 1, change).await.unwrap();
    assert_eq!(asks(&here).await.unwrap().role(), Role::Viewer, "at once");
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(asks(&there).await.unwrap().role(), Role::Viewer, "within a second");
    let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
    here.change_user(&by(), "ada", 2, disabled).await.unwrap();
    assert!(asks(&here).await.is_err());
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(asks(&there).await.is_err());
    fleet.end().await;
}

#[tokio::test]
async fn an_open_stream_ends_with_its_session() {
    let stage = FleetStage::small().await;
    add(&stage, "vera", Role::Viewer).await;
    let vera = sign_in(&stage, "vera").await;
    let token = {
        let made = remote(&stage).call(proof("vera", PASSWORD, None)).await.unwrap();
        secrecy::ExposeSecret::expose_secret(&made.token.unwrap().0).to_owned()
    };
    let request = stage.http.get(stage.url("/api/v1/events")).bearer_auth(&token);
    let mut events = request.send().await.unwrap().bytes_stream();
    let sessions = vera.call(plain::<account::ListSessions>()).await.unwrap().sessions;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|open| open.asks).count(), 1, "one of them asks");
    let ended = Instant::now();
    for open in sessions {
        let part = account::OwnPart { id: open.id };
        let _ = vera.call(Call::<account::EndSession>::new(part, Nothing {}, Nothing {})).await;
    }
    let rest = async { while events.next().await.is_some_and(|part| part.is_ok()) {} };
    tokio::time::timeout(Duration::from_secs(2), rest).await.unwrap();
    assert!(ended.elapsed() < Duration::from_millis(1500), "{:?}", ended.elapsed());
}

#[tokio::test]
async fn who_has_one_chat_steers_that_one() {
    let stage = FleetStage::start(2, 2, crate::fleet_stage::options()).await;
    let spec = stage.simulation.world.spec();
    let chats: Vec<String> = spec.chats.iter().map(chat_name).collect();
    let within = Within { bots: vec![spec.bots[0].username.clone()], chats: vec![chats[0].clone()] };
    local(&stage).call(with::<users::Add>(new_user("ada", Role::Operator, Some(within.clone())))).await.unwrap();
    let ada = sign_in(&stage, "ada").await;
    assert_eq!(ada.call(plain::<session::Get>()).await.unwrap().within, Some(within.clone()));
    let key = ada.call(with::<account::AddKey>(key_body(Role::Viewer, &[]))).await.unwrap();
    assert_eq!(key.view.within, Some(within), "a key reaches what its owner reaches, unless it names less");
    let less = Within { bots: Vec::new(), chats: vec![chats[0].clone()] };
    let key =
        ada.call(with::<account::AddKey>(KeyBody { within: Some(less.clone()), ..key_body(Role::Viewer, &[]) })).await;
    assert_eq!(key.unwrap().view.within, Some(less));
    let more = Within { bots: Vec::new(), chats: vec![chats[1].clone()] };
    let wider = KeyBody { within: Some(more), ..key_body(Role::Viewer, &[]) };
    assert_eq!(refused(&ada, with::<account::AddKey>(wider)).await, "forbidden");
    let chat = |at: usize| with::<Start>(Scope::Chat { name: chats[at].clone() });
    assert_eq!(refused(&ada, chat(0)).await, "done");
    assert_eq!(refused(&ada, chat(1)).await, "out_of_reach");
    assert_eq!(refused(&ada, with::<Start>(Scope::Fleet {})).await, "out_of_reach");
    assert_eq!(refused(&ada, plain::<style::Get>()).await, "out_of_reach", "no count sums over what is hidden");
    let letter = dead_letters::LetterOf { id: "turn-1".to_owned() };
    let again = Call::<dead_letters::Redeliver>::new(letter, Nothing {}, dead_letters::Redelivery::default());
    assert_eq!(refused(&ada, again).await, "out_of_reach", "it does not tell which letters exist");
}

#[tokio::test]
async fn a_changed_password_and_a_removed_account_end_sessions_and_keys() {
    let stage = FleetStage::small().await;
    add(&stage, "ada", Role::Admin).await;
    add(&stage, "bela", Role::Operator).await;
    let (ada, bela) = (sign_in(&stage, "ada").await, sign_in(&stage, "bela").await);
    let key = bela.call(with::<account::AddKey>(key_body(Role::Viewer, &[]))).await.unwrap();
    let key = remote(&stage).with_token(key.key.0);
    assert_eq!(refused(&key, plain::<style::Get>()).await, "done");
    let password = |text: &str| with::<account::ChangePassword>(account::NewPassword { password: text.into() });
    assert_eq!(refused(&bela, password("short")).await, "bad_request");
    assert_eq!(refused(&bela, password("battery horse correct")).await, "done");
    assert_eq!(refused(&bela, plain::<style::Get>()).await, "unauthenticated");
    assert_eq!(refused(&key, plain::<style::Get>()).await, "done", "a key is no session");
    let named = || UserNamed { name: "bela".to_owned() };
    let user = ada.call(Call::<users::Get>::new(named(), Nothing {}, Nothing {})).await.unwrap();
    let gone = Call::<users::Remove>::new(named(), Nothing {}, Nothing {}).of_version(user.version);
    assert_eq!(refused(&ada, gone).await, "done");
    assert_eq!(refused(&key, plain::<style::Get>()).await, "unauthenticated", "a key ends with its owner");
    let odd = Call::<users::Change>::new(UserNamed { name: "nobody".to_owned() }, Nothing {}, UserPatch::default());
    assert_eq!(refused(&ada, odd.of_version(1)).await, "unknown_user");
}

#[tokio::test]
async fn a_flood_of_strangers_is_refused_and_who_runs_the_fleet_stops_it_meanwhile() {
    let settings = toml::toml! {
        [server.limits]
        strangers = 3
    };
    let stage = FleetStage::start(1, 1, ProductOptions { settings, ..options() }).await;
    let ask = async || stage.http.get(stage.url("/api/v1/fleet")).send().await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask().await.status().as_u16(), 401);
    }
    let late = ask().await;
    assert_eq!(late.status().as_u16(), 429);
    assert!(late.headers().contains_key("retry-after"));
    assert_eq!(
        stage.http.get(stage.url("/health/ready")).send().await.unwrap().status().as_u16(),
        200,
        "probes are not counted"
    );
    assert_eq!(refused(&local(&stage), plain::<style::Get>()).await, "done");
}

#[tokio::test]
async fn a_flood_of_wrong_proofs_is_refused_and_who_is_known_goes_on_from_the_same_address() {
    let settings = toml::toml! {
        [server.limits]
        strangers = 4
    };
    let stage = FleetStage::start(1, 1, ProductOptions { settings, ..options() }).await;
    add(&stage, "ada", Role::Viewer).await;
    let ada = sign_in(&stage, "ada").await;
    assert_eq!(refused(&ada, plain::<session::Get>()).await, "done");
    let wrong = async |at: usize| {
        let guess = remote(&stage).with_token(format!("{at:064x}").into());
        refused(&guess, plain::<style::Get>()).await
    };
    let mut told = Vec::new();
    for at in 0..8 {
        told.push(wrong(at).await);
    }
    assert_eq!(told.last().unwrap(), "too_many_requests", "{told:?}");
    assert_eq!(told[0], "unauthenticated", "{told:?}");
    assert_eq!(refused(&ada, plain::<session::Get>()).await, "done");
}
