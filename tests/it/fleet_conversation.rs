//! Lets a whole fleet converse, and compares the ledger of the simulated Telegram with the program's account.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use botfleet_world::checker::{Policy, check, check_with};
use serde_json::json;

use crate::fleet_stage::{DEADLINE, FleetStage, natural, options};

#[tokio::test]
async fn every_message_is_answered_once_by_every_bot_that_hears_it() {
    let stage = FleetStage::start(6, 2, options()).await;
    for line in 0..10 {
        stage.say(line % 2, &format!("line {line}"));
    }
    stage.until_sent(30).await;
    let outcomes = stage.settle().await;
    let (ledger, calls) = (stage.simulation.world.ledger().snapshot(), stage.simulation.provider.ledger());
    let report = check_with(Policy::Every, &ledger, &calls, &outcomes);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.totals.people_messages, report.totals.sends_accepted, report.breaches.unknown), (10, 30, 0));
}

#[tokio::test]
async fn a_fleet_converses_among_itself_and_nothing_is_lost_or_doubled() {
    let stage = FleetStage::start(6, 2, natural()).await;
    for line in 0..6 {
        let (chat, one, other) = (line % 2, line % 2 + 1, line % 2 + 3);
        stage.say(chat, &format!("@fleet_{one}_bot @fleet_{other}_bot, what do you make of the weather?"));
    }
    stage.until_sent(8).await;
    let stopped = stage.post("/api/v1/control/stop", &json!({ "scope": "fleet" })).await;
    assert!(stopped.status().is_success());
    let outcomes = stage.settle().await;
    let report = check(&stage.simulation.world.ledger().snapshot(), &stage.simulation.provider.ledger(), &outcomes);
    assert!(report.is_clean(), "{report}");
    assert!(report.totals.sends_accepted >= 8);
}

#[tokio::test]
async fn a_stopped_process_goes_on_where_it_was() {
    let mut stage = FleetStage::start(3, 1, options()).await;
    stage.say(0, "before the stop");
    stage.until_sent(3).await;
    let status = stage.product.stop(DEADLINE).await.unwrap();
    assert_eq!(status.code(), Some(0));
    stage.say(0, "while nobody is there");
    stage.product.restart().await.unwrap();
    stage.until_sent(6).await;
    let outcomes = stage.settle().await;
    let (ledger, calls) = (stage.simulation.world.ledger().snapshot(), stage.simulation.provider.ledger());
    let report = check_with(Policy::Every, &ledger, &calls, &outcomes);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.totals.sends_accepted, report.breaches.unknown), (6, 0), "a stop leaves nothing unknown");
}

#[tokio::test]
async fn i8_a_killed_process_loses_and_doubles_nothing() {
    let mut stage = FleetStage::start(6, 2, options()).await;
    for kill in 1..=3 {
        for line in 0..8 {
            stage.say(line % 2, &format!("line {line} before kill {kill}"));
        }
        stage.until_sent(24 * (kill - 1) + 2).await;
        stage.product.kill_9().await.unwrap();
        stage.product.restart().await.unwrap();
        stage.until_polling().await;
    }
    let outcomes = stage.settle().await;
    let report = check(&stage.simulation.world.ledger().snapshot(), &stage.simulation.provider.ledger(), &outcomes);
    assert!(report.is_clean(), "{report}");
    let known = report.totals.sends_accepted + report.breaches.unknown;
    assert!(known >= 3 * 24, "each message is answered, or its answer's fate is unknown: {report}");
}
