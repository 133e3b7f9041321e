//! Tests the stream of events on the real program: whole over cuts and restarts, by scope, discreet, and as a WebSocket.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use botfleet::api::session::Transport;
use botfleet::api::users::{self, Within};
use botfleet::operate::control::Part;
use botfleet::operate::failure::Code;
use botfleet::operate::permission::{ReadFleet, Stop};
use botfleet::operate::principal::{Reach, Role};
use botfleet::operate::watch::StreamAsked;
use botfleet_loadtest::harness::files::chat_name;
use botfleet_world::world::event::Post;
use futures::{StreamExt as _, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::fleet_stage::{FleetStage, options};
use crate::follower::Follower;
use crate::operate::{Stage, somebody};
use crate::sign_in::{PASSWORD, add, local, new_user, remote, sign_in, with};

/// A word that stands nowhere else.
const MARKER: &str = "zebrafinkenschwarm";

fn chats(stage: &FleetStage) -> Vec<String> {
    stage.simulation.world.spec().chats.iter().map(chat_name).collect()
}

/// Returns the last entry of each chat, once nothing is under way.
async fn ends(stage: &FleetStage) -> BTreeMap<String, i64> {
    stage.settle().await;
    let mut ends = BTreeMap::new();
    for chat in chats(stage) {
        let page = stage.json(&format!("/api/v1/chats/{chat}/messages?limit=1")).await;
        ends.insert(chat, page["entries"][0]["number"].as_i64().unwrap());
    }
    ends
}

/// Lets people of both chats speak, so many times each.
async fn talk(stage: &FleetStage, times: usize) {
    for time in 0..times {
        (0..2).for_each(|chat| stage.say(chat, &format!("what about number {time}?")));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_and_comes_back_has_no_gap_and_no_double() {
    let mut stage = FleetStage::start(2, 2, options()).await;
    let mut follower = Follower::new(local(&stage), None, false);
    follower.open().await;
    assert_eq!(follower.last.as_deref().map(|id| id.split(',').count()), Some(3), "both chats, and the audit");
    talk(&stage, 5).await;
    follower.until("some came", |follower| follower.entries.len() == 2).await;
    follower.cut();
    talk(&stage, 5).await;
    let there = ends(&stage).await;
    follower.open().await;
    follower.until("what came meanwhile", |follower| follower.has(&there)).await;
    follower.cut();
    talk(&stage, 3).await;
    stage.product.kill_9().await.unwrap();
    talk(&stage, 3).await;
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    let there = ends(&stage).await;
    follower.client = local(&stage);
    follower.open().await;
    follower.until("what came over the restart", |follower| follower.has(&there)).await;
    let mut decided = BTreeMap::new();
    for chat in chats(&stage) {
        let page = stage.json(&format!("/api/v1/chats/{chat}/decisions?limit=1")).await;
        decided.insert(chat, page["decisions"][0]["number"].as_i64().unwrap());
    }
    follower.until("the last decisions", |follower| follower.has_decided(&decided)).await;
    follower.assert_whole();
    for chat in chats(&stage) {
        assert_eq!(follower.entries[&chat].first(), Some(&1), "{chat}");
        assert_eq!(follower.decisions[&chat].first(), Some(&1), "{chat}");
        let page = stage.json(&format!("/api/v1/chats/{chat}/messages?after=0&limit=200")).await;
        let stored: Vec<i64> =
            page["entries"].as_array().unwrap().iter().map(|entry| entry["number"].as_i64().unwrap()).collect();
        assert_eq!(follower.entries[&chat], stored, "{chat}");
    }
    for state in ["health", "alerts", "cluster", "queues"] {
        assert!(follower.count(state) > 0, "{state}: {:?}", follower.names);
    }
}

#[tokio::test]
async fn whoever_comes_later_is_told_who_is_at_work_and_hears_the_end_of_it() {
    let stage = FleetStage::raise(1, 1, options(), Duration::from_secs(3)).await;
    stage.until_polling().await;
    let mut early = Follower::new(local(&stage), None, false);
    early.open().await;
    stage.say(0, "take your time");
    early.until("a bot is at work", |follower| follower.told.contains(r#""step":"thinking""#)).await;
    let mut late = Follower::new(local(&stage), None, false);
    late.open().await;
    late.until("so it is", |follower| follower.told.contains(r#""step":"thinking""#)).await;
    for follower in [&mut early, &mut late] {
        follower.until("nobody is any more", |follower| follower.told.contains(r#""at_work":[]"#)).await;
    }
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_and_one_that_is_ahead_is_reset() {
    let stage = FleetStage::small().await;
    let answer = stage.get("/api/v1/events?after=yesterday").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let chat = &chats(&stage)[0];
    stage.say(0, "hello");
    let there = ends(&stage).await;
    let mut follower = Follower::new(local(&stage), None, false);
    follower.open().await;
    let id = follower.last.clone().unwrap();
    let (store_id, _) = id.split_once(':').unwrap();
    follower.cut();
    follower.last = Some(format!("{store_id}:9999.9999"));
    follower.open().await;
    follower.until("the newest", |follower| follower.has(&there)).await;
    assert_eq!((follower.count("reset"), follower.told.contains("ahead")), (1, true), "{}", follower.told);
    assert_eq!(follower.entries[chat].len() as i64, there[chat], "then the newest");
}

#[tokio::test]
async fn a_reader_gets_what_is_within_reach_and_words_only_with_the_permission() {
    let stage = FleetStage::start(2, 2, options()).await;
    let chats = chats(&stage);
    let within = Within { bots: Vec::new(), chats: vec![chats[0].clone()] };
    local(&stage).call(with::<users::Add>(new_user("ada", Role::Operator, Some(within)))).await.unwrap();
    add(&stage, "vera", Role::Viewer).await;
    let mut whole = Follower::new(local(&stage), None, true);
    let mut ada = Follower::new(sign_in(&stage, "ada").await, None, false);
    let mut vera = Follower::new(sign_in(&stage, "vera").await, Some(&chats[1]), false);
    for follower in [&mut whole, &mut ada, &mut vera] {
        follower.open().await;
    }
    (0..2).for_each(|chat| stage.say(chat, &format!("I keep a {MARKER}")));
    let there = ends(&stage).await;
    stage.post("/api/v1/control/stop", &json!({ "scope": "chat", "name": chats[1] })).await;
    let of = |chat: usize| BTreeMap::from([(chats[chat].clone(), there[&chats[chat]])]);
    whole.until("all chats", |follower| follower.has(&there) && follower.count("stop.set") > 0).await;
    whole.until("the audit", |follower| follower.told.contains(r#""act":"stop""#)).await;
    ada.until("her chat", |follower| follower.has(&of(0))).await;
    vera.until("the chat that she asked for", |follower| follower.has(&of(1)) && follower.count("stop.set") > 0).await;
    assert!(whole.told.contains(MARKER));
    for (follower, other) in [(&ada, &chats[1]), (&vera, &chats[0])] {
        assert!(!follower.told.contains(MARKER), "{}", follower.told);
        assert!(!follower.told.contains(&format!("\"chat\":\"{other}\"")), "{}", follower.told);
        assert_eq!(follower.count("audit"), 0);
    }
    for fleets in ["queues", "health", "alerts", "cluster", "stop.set"] {
        assert_eq!(ada.count(fleets), 0, "{fleets} tells of what is hidden from her");
    }
    for (query, code) in [
        (format!("?chats={}", chats[1]), "out_of_reach"),
        ("?text=true".to_owned(), "forbidden"),
        ("?chats=nowhere".to_owned(), "unknown_chat"),
    ] {
        let url = stage.url(&format!("/api/v1/events{query}"));
        let token = sign_in_token(&stage, "ada").await;
        let problem: Value = stage.http.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        assert_eq!(problem["code"], code, "{query}");
    }
    let read =
        stage.until_json("/api/v1/audit?act=read_messages", |page| page["entries"].as_array().unwrap().len() >= 2);
    read.await;
}

async fn sign_in_token(stage: &FleetStage, name: &str) -> String {
    let body = json!({ "name": name, "password": PASSWORD, "transport": Transport::Token });
    let answer = stage.http.post(stage.url("/api/v1/session")).json(&body).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_forgotten_persons_words_are_in_no_frame_after_the_forgetting() {
    let stage = FleetStage::start(2, 1, options()).await;
    let mut before = Follower::new(local(&stage), None, true);
    before.open().await;
    let first = before.last.clone();
    let chat = &stage.simulation.world.spec().chats[0];
    let person = chat.people[0];
    for time in 0..20 {
        stage.simulation.world.post(chat.id, person, Post::text(format!("{MARKER} {time}"))).unwrap();
    }
    let there = ends(&stage).await;
    before.until("her words", |follower| follower.has(&there)).await;
    assert!(before.told.contains(MARKER));
    // A reader that stays open, and has read nothing of it yet.
    let mut slow = Follower::new(local(&stage), None, true);
    slow.last.clone_from(&first);
    slow.open().await;
    let forgotten = stage.post(&format!("/api/v1/people/{person}/forget"), &json!({})).await;
    assert_eq!(forgotten.status(), StatusCode::OK);
    // From here on nobody is told, also while the removal is still under way.
    let mut after = Follower::new(local(&stage), None, true);
    after.last = first;
    after.open().await;
    after.until("her entries", |follower| follower.has(&there)).await;
    assert!(!after.told.contains(MARKER), "{}", after.told);
    after.assert_whole();
    slow.until("her entries", |follower| follower.has(&there)).await;
    slow.assert_whole();
    let page = stage.json(&format!("/api/v1/chats/{}/messages?text=true&limit=200", chat_name(chat))).await;
    assert!(!page.to_string().contains(MARKER), "{page}");
}

#[tokio::test]
async fn one_that_does_not_keep_up_is_dropped_with_notice() {
    let fleet = Stage::start().await;
    let operations = fleet.operations();
    let admin = somebody(Role::Admin, Reach::Everything);
    let reads = admin.grant::<ReadFleet>().unwrap();
    let mut events = operations.watch(&reads, None, StreamAsked::default()).await.unwrap();
    assert_eq!(events.next().await.unwrap().frame.name, "start");
    let stop = admin.grant::<Stop>().unwrap();
    let toggle =
        async |time: usize| operations.set_stop(&stop, Part::Chat("lounge"), time.is_multiple_of(2)).await.unwrap();
    stream::iter(0..5_000).map(toggle).buffer_unordered(100).for_each(async |()| {}).await;
    let mut last = String::new();
    while let Some(sent) = events.next().await {
        last = sent.frame.name.to_string();
    }
    assert_eq!(last, "dropped", "the stream is over after it");
    fleet.end().await;
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_the_end_of_the_fleet() {
    let mut stage = FleetStage::small().await;
    let mut follower = Follower::new(local(&stage), None, false);
    follower.open().await;
    let begun = Instant::now();
    let (stopped, ()) = tokio::join!(stage.product.stop(Duration::from_secs(20)), follower.until_over());
    assert_eq!(stopped.unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Opens a WebSocket at the program's port with these headers; returns the status of a refusal.
async fn socket(
    stage: &FleetStage,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>, u16> {
    let base = stage.product.base_url().unwrap();
    let address = base.trim_start_matches("http://");
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn i12_a_page_of_another_site_opens_no_socket_and_no_credential_stands_in_its_address() {
    let stage = FleetStage::small().await;
    add(&stage, "vera", Role::Viewer).await;
    let token = sign_in_token(&stage, "vera").await;
    let body = json!({ "name": "vera", "password": PASSWORD, "transport": Transport::Cookie });
    let answer = stage.http.post(stage.url("/api/v1/session")).json(&body).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let own = stage.product.base_url().unwrap().to_owned();
    let path = "/api/v1/ws/dashboard";
    for (headers, status) in [
        (vec![], 401),
        (vec![("cookie", cookie.as_str())], 403),
        (vec![("cookie", &cookie), ("origin", "http://evil.example")], 403),
        (vec![("cookie", &cookie), ("origin", "null")], 403),
        (vec![("cookie", &cookie), ("origin", &own.replace("http://", "https://"))], 403),
        (vec![("cookie", &cookie), ("sec-fetch-site", "same-origin")], 403),
        (vec![("authorization", "Bearer bf_nothing")], 401),
    ] {
        assert_eq!(socket(&stage, path, &headers).await.err(), Some(status), "{headers:?}");
    }
    assert_eq!(
        socket(&stage, &format!("{path}?token={token}"), &[]).await.err(),
        Some(401),
        "an address proves nothing"
    );
    let plain = stage.http.get(stage.url(path)).bearer_auth(&token).send().await.unwrap();
    assert_eq!(plain.status().as_u16(), Code::UpgradeNeeded.status());
    let bearer = format!("Bearer {token}");
    for headers in
        [vec![("cookie", cookie.as_str()), ("origin", own.as_str())], vec![("authorization", bearer.as_str())]]
    {
        let mut socket = socket(&stage, path, &headers).await.unwrap();
        let first = next(&mut socket).await;
        assert_eq!(first["event"], "start", "{first}");
        stage.say(0, "hello");
        let mut entry = next(&mut socket).await;
        while entry["event"] != "entry" {
            entry = next(&mut socket).await;
        }
        assert!(entry["id"].is_string() && entry["data"]["number"].is_number(), "{entry}");
    }
}

async fn next(socket: &mut tokio_tungstenite::WebSocketStream<TcpStream>) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap();
        if let Message::Text(text) = message.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test]
async fn a_socket_ends_with_its_session() {
    let stage = FleetStage::small().await;
    add(&stage, "vera", Role::Viewer).await;
    let token = sign_in_token(&stage, "vera").await;
    let bearer = format!("Bearer {token}");
    let mut socket = socket(&stage, "/api/v1/ws/dashboard", &[("authorization", &bearer)]).await.unwrap();
    next(&mut socket).await;
    let ended = Instant::now();
    let out = stage.http.delete(stage.url("/api/v1/session")).bearer_auth(&token).send().await.unwrap();
    assert!(out.status().is_success(), "{}", out.status());
    let over = async {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Close(_)) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), over).await.unwrap();
    assert!(ended.elapsed() < Duration::from_millis(1500), "{:?}", ended.elapsed());
}

#[tokio::test]
async fn the_command_line_follows_and_lists() {
    let stage = FleetStage::small().await;
    stage.say(0, &format!("I keep a {MARKER}"));
    let there = ends(&stage).await;
    let chat = &chats(&stage)[0];
    let run = async |words: &[&str]| {
        let address = format!("unix:{}", stage.product.files().dir().join("botfleet.sock").display());
        let mut command = tokio::process::Command::new(crate::fleet_stage::binary());
        command.args(words).args(["--api", &address]).current_dir(stage.product.files().dir()).kill_on_drop(true);
        let done = command.output().await.unwrap();
        let told = [done.stdout, done.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        (done.status.success(), told)
    };
    let (ok, listed) = run(&["messages", "--chat", chat]).await;
    assert!(ok && listed.lines().count() as i64 == there[chat] && !listed.contains(MARKER), "{listed}");
    let (ok, listed) = run(&["messages", "--chat", chat, "--text"]).await;
    assert!(ok && listed.contains(MARKER), "{listed}");
    let (ok, asked) = run(&["messages", "--chat", chat, "--entry", "1"]).await;
    let (_, why) = run(&["why", "--chat", chat, "--entry", "1"]).await;
    assert!(ok && asked.contains(why.trim()), "{asked}\n---\n{why}");
    let (ok, made) = run(&["messages", "--chat", chat, "--entry", "2", "--json"]).await;
    let made: Value = serde_json::from_str(&made).unwrap_or_else(|error| panic!("{error}: {made}"));
    let turn = made["made_by"]["decision"]["turns"]
        .as_array()
        .unwrap()
        .iter()
        .find(|turn| turn["id"] == made["made_by"]["turn"]);
    let turn = turn.unwrap();
    assert!(ok && turn["model"].is_string() && turn["tokens"].as_u64() > Some(0), "{turn}");
    assert_eq!(turn["messages"][0]["state"], "sent", "{turn}");
    let (ok, told) = run(&["messages", "--chat", chat, "--entry", "99"]).await;
    assert!(!ok && told.contains("unknown_message"), "{told}");
    let mut watch = tokio::process::Command::new(crate::fleet_stage::binary());
    let address = format!("unix:{}", stage.product.files().dir().join("botfleet.sock").display());
    watch.args(["watch", "--json", "--api", &address]).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let mut watch = watch.spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(watch.stdout.take().unwrap()));
    let mut seen = Vec::new();
    let follow = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == "start" {
                stage.say(0, "and now?");
            }
            let over = event["event"] == "entry";
            seen.push(event);
            if over {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), follow).await.unwrap();
    assert!(seen.last().is_some_and(|event| event["id"].is_string()), "{seen:?}");
    drop(remote(&stage));
}
