//! Tests the launcher: a worker that dies is started again, one that is asked to end ends, and none is left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use botfleet_loadtest::harness::files::ProductOptions;

use crate::fleet_stage::{DEADLINE, binary, options};
use crate::fleet_stop::signal;
use crate::launcher_stage::{LauncherStage, command, runs, until_gone};

const QUICK: Duration = Duration::from_millis(20);
const MINUTE: Duration = Duration::from_secs(60);

fn logging() -> ProductOptions {
    ProductOptions { log_level: "info".to_owned(), ..options() }
}

#[tokio::test]
async fn i8_a_killed_worker_is_followed_by_one_that_goes_on() {
    let mut stage = LauncherStage::start(2, logging(), QUICK).await;
    let first = stage.worker().await;
    stage.until_polling().await;
    stage.say("hello");
    stage.until_sent(2).await;
    signal(first, "KILL").await;
    let second = stage.worker().await;
    assert_ne!(first, second);
    stage.say("are you still there?");
    stage.until_sent(4).await;
    stage.until_logged("signal 9").await;
    assert!(runs(stage.launcher_pid()) && !runs(first));
}

#[tokio::test]
async fn a_worker_whose_launcher_is_killed_ends_in_good_order() {
    let mut stage = LauncherStage::start(1, logging(), Duration::from_secs(1)).await;
    let worker = stage.worker().await;
    stage.until_polling().await;
    stage.say("one moment, please");
    stage.until_asked(1).await;
    signal(stage.launcher_pid(), "KILL").await;
    stage.ended().await;
    until_gone(worker).await;
    stage.until_sent(1).await;
    let log = stage.log();
    assert!(log.contains("the launcher is gone") && log.contains("stopping 5/5"), "{log}");
}

#[tokio::test]
async fn a_signal_ends_both_in_good_order() {
    for name in ["TERM", "INT"] {
        let mut stage = LauncherStage::start(1, logging(), QUICK).await;
        let worker = stage.worker().await;
        stage.until_polling().await;
        signal(stage.launcher_pid(), name).await;
        assert_eq!(stage.ended().await.code(), Some(0), "{}", stage.log());
        assert!(!runs(worker), "the launcher waited for it");
        assert!(stage.log().contains("stopping 5/5"), "{}", stage.log());
    }
}

#[tokio::test]
async fn a_worker_asked_to_end_takes_the_launcher_with_it() {
    let mut stage = LauncherStage::start(1, logging(), QUICK).await;
    let worker = stage.worker().await;
    stage.until_polling().await;
    signal(worker, "TERM").await;
    assert_eq!(stage.ended().await.code(), Some(0));
    assert!(stage.log().contains("stopping 5/5"), "{}", stage.log());
}

#[tokio::test]
async fn a_second_signal_ends_a_worker_that_waits_for_its_model() {
    let mut stage = LauncherStage::start(1, logging(), MINUTE).await;
    let worker = stage.worker().await;
    stage.until_polling().await;
    stage.say("this takes a minute");
    stage.until_asked(1).await;
    signal(stage.launcher_pid(), "TERM").await;
    stage.until_logged("stopping 1/5").await;
    signal(stage.launcher_pid(), "TERM").await;
    assert_eq!(stage.ended().await.code(), Some(1));
    assert!(!runs(worker) && !stage.log().contains("stopping 5/5"), "{}", stage.log());
}

#[tokio::test]
async fn a_second_signal_kills_a_worker_that_hangs() {
    let mut stage = LauncherStage::start(1, logging(), QUICK).await;
    let worker = stage.worker().await;
    stage.until_polling().await;
    signal(worker, "STOP").await;
    signal(stage.launcher_pid(), "TERM").await;
    signal(stage.launcher_pid(), "INT").await;
    assert_eq!(stage.ended().await.code(), Some(128 + 9));
    assert!(!runs(worker));
}

#[tokio::test]
async fn a_loop_of_crashes_waits_between_starts_and_is_shown() {
    let mut stage = LauncherStage::start(1, logging(), QUICK).await;
    for _ in 0..5 {
        let worker = stage.worker().await;
        signal(worker, "KILL").await;
    }
    let sixth = stage.worker().await;
    let log = stage.log();
    let waits: Vec<u64> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["wait_ms"].as_u64())
        .collect();
    assert_eq!((waits.len(), waits[0]), (5, 0), "{log}");
    assert!(waits.is_sorted() && waits[1] >= 100 && waits[4] >= 800, "{waits:?}");
    assert!(log.contains("again and again"), "{log}");
    signal(sixth, "KILL").await;
    stage.until_logged("\"in_a_row\":6").await;
    signal(stage.launcher_pid(), "TERM").await;
    assert_eq!(stage.ended().await.code(), Some(128 + 9), "asked while nothing runs, it ends with the last end");
}

#[tokio::test]
async fn what_a_person_must_mend_is_told_once_and_ends_it() {
    let mut stage = LauncherStage::start(1, logging(), QUICK).await;
    stage.worker().await;
    stage.until_polling().await;

    let second = command(&stage.files).stderr(Stdio::piped()).output();
    let second = tokio::time::timeout(DEADLINE, second).await.expect("it ends by itself").unwrap();
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "the first one has the database: {told}");
    assert_eq!(told.matches("error: ").count(), 1, "{told}");

    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    let busy = command(&stage.files).args(["--listen", &address]).stderr(Stdio::piped()).output().await.unwrap();
    assert_eq!(busy.status.code(), Some(1));

    let manifest = stage.folder().join("broken.toml");
    fs::write(&manifest, "[[bots]]\nname = 7\n").unwrap();
    let broken = tokio::process::Command::new(binary())
        .args(["run", "--manifest"])
        .arg(&manifest)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert_eq!(broken.status.code(), Some(2), "{}", String::from_utf8_lossy(&broken.stderr));
    let unknown = command(&stage.files).env("BOTFLEET__SERVER__COLOUR", "red").stderr(Stdio::piped()).output();
    let unknown = unknown.await.unwrap();
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!((unknown.status.code(), told.matches("error: ").count()), (Some(2), 1), "{told}");
    assert!(unknown.stdout.is_empty(), "no worker was started");
}

#[tokio::test]
async fn the_launchers_flag_is_refused_to_others() {
    let alone = tokio::process::Command::new(binary()).args(["run", "--launch", "7"]).stdin(Stdio::null()).output();
    let alone = tokio::time::timeout(DEADLINE, alone).await.expect("it ends by itself").unwrap();
    let told = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert_eq!(alone.status.code(), Some(1), "{told}");
    assert!(told.contains("for the launcher only"), "{told}");
}
