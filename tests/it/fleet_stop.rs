//! Tests the end of the program: readiness, sources, turns, outbox, in this order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use botfleet_loadtest::harness::files::ProductOptions;
use botfleet_world::checker::{Policy, check_with};
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::world::event::Post;
use reqwest::StatusCode;
use tokio::process::Command;

use crate::fleet_stage::{DEADLINE, FleetStage, options};
use crate::fleet_webhook::{free_port, switch, until_health, with_webhooks};

pub(crate) async fn signal(pid: u32, name: &str) {
    let pid = pid.to_string();
    let told = Command::new("sh").args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &pid]).status().await.unwrap();
    assert!(told.success());
}

/// Returns options with a deadline for the stop, and with its phases logged.
fn within(stop_deadline: &str) -> ProductOptions {
    let settings = format!("[fleet]\nstop_deadline = \"{stop_deadline}\"").parse().unwrap();
    ProductOptions { log_level: "info".to_owned(), settings, ..options() }
}

fn log(stage: &FleetStage) -> String {
    std::fs::read_to_string(stage.product.files().log()).unwrap()
}

pub(crate) async fn until_unready(http: &reqwest::Client, url: &str) {
    let until = Instant::now() + DEADLINE;
    while http.get(url).send().await.unwrap().status() != StatusCode::SERVICE_UNAVAILABLE {
        assert!(Instant::now() < until, "readiness stays");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_stop_waits_for_completions_and_sends_them() {
    let mut stage = FleetStage::raise(2, 1, within("20s"), Duration::from_secs(2)).await;
    stage.until_polling().await;
    stage.say(0, "one moment, please");
    stage.until_asked(2).await;
    let (http, ready) = (stage.http.clone(), stage.url("/health/ready"));
    let (status, ()) = tokio::join!(stage.product.stop(DEADLINE), until_unready(&http, &ready));
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!(stage.sends(), 2, "both completions were waited for");
    stage.say(0, "too late for this process");
    let log = log(&stage);
    let phases: Vec<usize> =
        (1..=5).map(|phase| log.find(&format!("stopping {phase}/5")).unwrap_or_else(|| panic!("{log}"))).collect();
    assert!(phases.is_sorted(), "{log}");
    let wal = stage.product.files().database().with_extension("db-wal");
    assert!(!wal.exists() || wal.metadata().unwrap().len() == 0, "the log is in the database");
    stage.product.restart().await.unwrap();
    stage.until_sent(4).await;
    let outcomes = stage.settle().await;
    let (ledger, calls) = (stage.simulation.world.ledger().snapshot(), stage.simulation.provider.ledger());
    let report = check_with(Policy::Every, &ledger, &calls, &outcomes);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.totals.sends_accepted, report.breaches.unknown), (4, 0));
}

#[tokio::test]
async fn i8_what_a_stop_cannot_wait_for_is_given_back() {
    let mut stage = FleetStage::raise(2, 1, within("1s"), Duration::from_secs(60)).await;
    stage.until_polling().await;
    stage.say(0, "this takes a minute");
    stage.until_asked(2).await;
    let status = stage.product.stop(DEADLINE).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(log(&stage).contains("bots_with_turns_given_back\":2"), "{}", log(&stage));
    stage.product.restart().await.unwrap();
    stage.until_asked(4).await;
    assert!(!log(&stage).contains("in the middle of work"), "nothing counts as failed: {}", log(&stage));
    stage.product.kill_9().await.unwrap();
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut stage = FleetStage::raise(1, 1, within("29s"), Duration::from_secs(60)).await;
    stage.until_polling().await;
    stage.say(0, "this takes a minute");
    stage.until_asked(1).await;
    let pid = stage.product.pid().unwrap();
    signal(pid, "TERM").await;
    until_unready(&stage.http, &stage.url("/health/ready")).await;
    let status = stage.product.stop(Duration::from_secs(10)).await.unwrap();
    assert_eq!(status.code(), Some(1), "it did not wait for the model");
    assert!(!log(&stage).contains("stopping 5/5"));
}

#[tokio::test]
async fn a_stop_without_work_takes_no_time() {
    let mut stage = FleetStage::start(3, 2, within("20s")).await;
    stage.say(0, "hello");
    stage.until_sent(2).await;
    stage.settle().await;
    let status = stage.product.stop(Duration::from_secs(5)).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(log(&stage).contains("stopping 5/5"));
}

#[tokio::test]
async fn i1_a_stop_answers_webhooks_503_and_what_they_brought_comes_again() {
    let mut options = with_webhooks(free_port(), "polling");
    options.settings.extend(within("20s").settings);
    // The model takes so long that the stop is still waiting for it when the next text comes, on a busy machine too.
    let mut stage = FleetStage::raise(1, 1, options, Duration::from_secs(8)).await;
    stage.until_polling().await;
    switch(&stage, "webhook").await;
    until_health(&stage, "receiving").await;
    stage.say(0, "one moment, please");
    stage.until_asked(1).await;
    let (http, ready) = (stage.http.clone(), stage.url("/health/ready"));
    let (world, ledger) = (&stage.simulation.world, stage.simulation.world.ledger());
    let meanwhile = async {
        until_unready(&http, &ready).await;
        let chat = &world.spec().chats[0];
        world.post(chat.id, chat.people[0], Post::text("while it stops")).unwrap();
        let refused = |event: &LedgerEvent| matches!(event, LedgerEvent::WebhookAttempt { status: 503, .. });
        assert!(ledger.wait_for(1, DEADLINE, refused).await, "the receiver still takes updates");
    };
    let (status, ()) = tokio::join!(stage.product.stop(DEADLINE), meanwhile);
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!(stage.sends(), 1);
    stage.product.restart().await.unwrap();
    stage.until_sent(2).await;
    let outcomes = stage.settle().await;
    let (ledger, calls) = (stage.simulation.world.ledger().snapshot(), stage.simulation.provider.ledger());
    let report = check_with(Policy::Every, &ledger, &calls, &outcomes);
    assert!(report.is_clean(), "{report}");
}
