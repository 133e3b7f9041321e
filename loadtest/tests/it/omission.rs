//! Tests that a product which stops shows it in the latency, answered or not: no coordinated omission.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use botfleet_loadtest::harness::measure::Window;
use botfleet_loadtest::harness::run::answers::{Latencies, arrivals, latencies, of_all_bots};
use botfleet_loadtest::harness::run::scenario::{Phase, Spacing};
use botfleet_loadtest::harness::run::schedule;
use botfleet_loadtest::harness::traffic::Traffic;
use botfleet_world::ledger::marker_of;
use botfleet_world::people::http;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use serde_json::{Value, json};
use tokio::time::Instant;

/// People write a hundred messages a second for so long.
const SECONDS: f64 = 3.0;

/// A product of one bot, which answers each message at once, except while it stands still.
async fn product(bot: &str, still: Range<Duration>) {
    let client = http::client().unwrap();
    let began = Instant::now();
    let mut offset = 0;
    loop {
        let body = json!({"offset": offset, "timeout": 1});
        let answer = client.post(format!("{bot}/getUpdates")).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        for update in answer["result"].as_array().unwrap() {
            if still.contains(&began.elapsed()) {
                tokio::time::sleep_until(began + still.end).await;
            }
            offset = update["update_id"].as_i64().unwrap() + 1;
            let Some(marker) = update["message"]["text"].as_str().and_then(marker_of) else { continue };
            let body = json!({"chat_id": update["message"]["chat"]["id"], "text": format!("yes {marker}")});
            client.post(format!("{bot}/sendMessage")).json(&body).send().await.unwrap();
        }
    }
}

/// Runs three seconds of an open loop against a product that stands still for a while; waits a second for answers.
async fn measured(still: Range<Duration>) -> Latencies {
    let simulation = Simulation::start(SimulationSpec::of(WorldSpec::fleet(1, 1, 1))).await.unwrap();
    let world = std::sync::Arc::clone(&simulation.world);
    let bot = format!("{}/bot{}", simulation.base_url(), world.spec().bots[0].token);
    let mut traffic = Traffic::new(&world);
    let schedule = schedule::instants(&[Phase { rate: 100.0, seconds: SECONDS }], Spacing::Even, 1);
    let people = async {
        traffic.follow(schedule.into_iter()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        () = people => {}
        () = product(&bot, still) => {}
    }
    let end_us = world.ledger().now_us();
    let ledger = world.ledger().snapshot();
    let arrivals = arrivals(&ledger, traffic.due_us());
    let bots: BTreeMap<i64, Vec<i64>> = world.spec().chats.iter().map(|chat| (chat.id, chat.bots.clone())).collect();
    let found =
        latencies(&arrivals, &of_all_bots(&ledger, &arrivals, &bots), Window { from_us: 0, to_us: end_us }, end_us);
    simulation.stop().await;
    found
}

#[tokio::test]
async fn a_second_of_standstill_is_seen_in_the_tail() {
    let found = measured(Duration::from_secs(1)..Duration::from_secs(2)).await;
    assert_eq!((found.messages, found.latency.count(), found.unanswered), (300, 300, 0));
    assert!(found.latency.within_ms(0.5) < 300.0, "{}", found.latency);
    assert!(found.latency.within_ms(0.99) > 900.0, "{}", found.latency);
}

#[tokio::test]
async fn messages_that_a_dead_product_never_answers_are_seen_in_the_tail() {
    let found = measured(Duration::from_millis(2700)..Duration::from_secs(60)).await;
    assert_eq!((found.messages, found.latency.count()), (300, 300));
    assert!(found.unanswered >= 29, "{}", found.unanswered);
    assert!(found.latency.within_ms(0.99) > 1000.0, "{}", found.latency);
    assert!(found.last_answer.within_ms(0.99) > 1000.0, "{}", found.last_answer);
}

#[tokio::test]
async fn a_message_that_is_posted_late_stays_due_at_its_instant() {
    let world = botfleet_world::world::World::new(WorldSpec::fleet(1, 1, 1)).unwrap();
    let mut traffic = Traffic::new(&world);
    let schedule = schedule::instants(&[Phase { rate: 100.0, seconds: 0.5 }], Spacing::Even, 1);
    let people = traffic.follow(schedule.into_iter());
    let machine_is_busy = async {
        tokio::time::sleep(Duration::from_millis(105)).await;
        std::thread::sleep(Duration::from_millis(300));
    };
    tokio::join!(people, machine_is_busy).0.unwrap();
    let due = traffic.due_us();
    assert_eq!(due.len(), 50);
    assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 10_000), "{due:?}");
}
