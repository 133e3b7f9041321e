//! Tests the program as a process among others: its database, its port, its secrets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use botfleet_loadtest::harness::files::ProductOptions;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::fleet_stage::{DEADLINE, FleetStage, PROVIDER_KEY, binary, options};

/// Starts the program again on the files of a stage; returns its exit code and output.
async fn another(stage: &FleetStage, flags: &[&str]) -> (Option<i32>, String) {
    let files = stage.product.files();
    // A shell may ignore the signal of a closed terminal (nohup), and a child does not hear a signal that its parent
    // ignores.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=HUP")
        .arg(binary())
        .arg("run")
        .arg("--config")
        .arg(files.config())
        .arg("--manifest")
        .arg(files.manifest())
        .args(flags);
    command.current_dir(files.dir()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await.expect("it ends by itself").unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_second_process_on_the_same_database_is_told_so() {
    let mut stage = FleetStage::small().await;
    let (code, told) = another(&stage, &[]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("error: ") && told.contains("botfleet.db"), "{told}");
    assert!(told.contains(&stage.product.pid().unwrap().to_string()), "who has it: {told}");
    stage.product.ensure_running().unwrap();
    stage.say(0, "the first one goes on");
    stage.until_sent(1).await;
}

/// Starts the program on the files of a stage, without a reader of its output.
fn unread(stage: &FleetStage, flags: &[&str]) -> tokio::process::Child {
    let files = stage.product.files();
    let mut command = Command::new(binary());
    command.arg("run").arg("--config").arg(files.config()).arg("--manifest").arg(files.manifest()).args(flags);
    command.current_dir(files.dir()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    drop(child.stdout.take());
    child
}

#[tokio::test]
async fn a_fleet_whose_stdout_nobody_reads_works_and_a_closed_terminal_ends_it_in_good_order() {
    for flags in [&["--no-launcher"][..], &[]] {
        let mut stage = FleetStage::small().await;
        stage.product.stop(DEADLINE).await.unwrap();
        stage.say(0, "is anybody there?");
        let mut child = unread(&stage, flags);
        stage.until_sent(1).await;
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
        let ended = tokio::time::timeout(DEADLINE, child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(0), "in good order, with {flags:?}");
    }
}

#[tokio::test]
async fn a_demo_whose_reader_has_seen_enough_ends_cleanly_and_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary());
    command.args(["demo", "--seconds", "60"]).env("TMPDIR", scratch.path()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(reader.next_line().await.unwrap().unwrap().contains("demo"));
    drop(reader);
    let ended = tokio::time::timeout(3 * DEADLINE, child.wait()).await.expect("it ends long before its time").unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "its folder is gone");
}

#[tokio::test]
async fn a_port_in_use_is_told_before_anything_starts() {
    let mut stage = FleetStage::small().await;
    stage.product.stop(DEADLINE).await.unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, told) = another(&stage, &["--listen", &address]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(&address) && told.contains("--listen"), "{told}");
}

#[tokio::test]
async fn i12_secrets_appear_nowhere() {
    let stage = FleetStage::start(2, 1, ProductOptions { log_level: "trace".to_owned(), ..options() }).await;
    let bots = stage.simulation.world.spec().bots.clone();
    stage.say(0, "hello");
    stage.until_sent(2).await;
    stage.settle().await;
    let mut shown = Vec::new();
    let paths = ["/metrics", "/health", "/api/v1/fleet", "/api/v1/outcomes"];
    for path in paths {
        shown.push((path.to_owned(), stage.get(path).await.bytes().await.unwrap().to_vec()));
    }
    stage.simulation.world.revoke_token(bots[1].id).unwrap();
    stage.until_json("/api/v1/fleet", |fleet| fleet.to_string().contains("refused")).await;
    let FleetStage { simulation, mut product, directory, .. } = stage;
    simulation.stop().await;
    let api = product.api().clone();
    let until = std::time::Instant::now() + DEADLINE;
    loop {
        let fleet = api.get("/api/v1/fleet").send().await.unwrap().text().await.unwrap();
        if fleet.contains("unreachable") {
            break;
        }
        assert!(std::time::Instant::now() < until, "{fleet}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for path in paths {
        let body = api.get(path).send().await.unwrap().bytes().await.unwrap().to_vec();
        shown.push((format!("{path} without Telegram"), body));
    }
    product.stop(DEADLINE).await.unwrap();
    for entry in fs::read_dir(product.files().dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            shown.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    let log = shown.iter().find(|(name, _)| name.ends_with("product.log")).unwrap();
    assert!(String::from_utf8_lossy(&log.1).contains("polling failed"), "the failures were logged");
    let database = shown.iter().filter(|(name, _)| name.contains("botfleet.db"));
    assert!(database.map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000, "database and log were looked through");
    let secrets = bots.iter().map(|bot| bot.token.split_once(':').unwrap().1).chain([PROVIDER_KEY]);
    for secret in secrets {
        for (name, bytes) in &shown {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{name} holds a secret");
        }
    }
    drop(directory);
}
