//! Everything at once, by seed: nodes are killed, cut off, drained and join while people write. I1, I2, I3, I4, I5 and
//! I8 hold throughout. To replay a failing seed: `STORM_SEEDS=7-7 cargo test -p botfleet-actors --test it storm`.

use std::collections::BTreeSet;
use std::time::Duration;

use botfleet_actors::actors::node::ended::Ended;
use botfleet_actors::domain::ids::Number;
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::ports::outcomes::OutcomeCursor;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::cluster_stage::ClusterStage;
use botfleet_actors::testkit::node_telegram::Deed;
use botfleet_actors::testkit::stage::Scenery;

const BOTS: usize = 8;
const CHATS: usize = 2;
const STEPS: usize = 40;

/// Ends nodes that others have declared dead, as their processes would.
async fn end_the_superseded(stage: &mut ClusterStage) {
    let names: Vec<String> = stage.nodes.keys().cloned().collect();
    for name in names {
        let node = std::sync::Arc::clone(&stage.node(&name).node);
        if let Ok(ended) = tokio::time::timeout(Duration::ZERO, node.ended()).await {
            assert_ne!(ended, Ended::Failed, "{name} failed");
            stage.kill(&name).await;
        }
    }
}

async fn storm(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stage = ClusterStage::raise(Scenery::new(BOTS as i64, CHATS as i64), 3).await;
    let (mut next, mut said) = (4, 0);
    for _ in 0..STEPS {
        let names: Vec<String> = stage.nodes.keys().cloned().collect();
        let some = random.choice(&names).cloned();
        match (random.u8(0..12), some) {
            (0, Some(name)) if names.len() > 1 => drop(stage.kill(&name).await),
            (1, Some(name)) => stage.cut_off(&name, true),
            (2, _) => names.iter().for_each(|name| stage.cut_off(name, false)),
            (3, Some(name)) if names.len() > 1 => stage.drain(&name).await,
            (4 | 5, _) if names.len() < 5 => {
                stage.join(&format!("n{next}")).await;
                next += 1;
            }
            (6, _) => stage.bus.lose_all(random.bool()),
            (7, Some(name)) => stage.node(&name).link.hold_answers(random.bool()),
            (8, Some(name)) => stage.node(&name).link.cut(random.bool()),
            (9, _) => stage.scenery.llms[0].hold(random.bool()),
            _ => {
                let heard: Vec<usize> = (0..BOTS).filter(|_| random.bool()).collect();
                if !heard.is_empty() {
                    stage.person_says(random.usize(0..CHATS), &format!("word {said}"), &heard);
                    said += heard.len();
                }
            }
        }
        stage.pass(Duration::from_millis(random.u64(0..700))).await;
        end_the_superseded(&mut stage).await;
    }
    // All faults are healed.
    stage.bus.lose_all(false);
    stage.scenery.llms[0].hold(false);
    for node in stage.nodes.values() {
        node.link.cut(false);
        node.link.hold_answers(false);
        node.store.rows.set_reachable(true);
    }
    stage.join("last").await;
    for _ in 0..20 {
        stage.pass(Duration::from_secs(1)).await;
        end_the_superseded(&mut stage).await;
    }
    stage.until_settled().await;
    stage.until_at_rest().await;
    stage.pass(Duration::from_secs(2)).await;

    assert_eq!(stage.ledger.overlaps(), [], "seed {seed}: two nodes polled one bot");
    let sent: Vec<String> = stage
        .ledger
        .lines(|line| matches!(line.deed, Deed::Sent(_)))
        .into_iter()
        .filter_map(|line| if let Deed::Sent(text) = line.deed { Some(text) } else { None })
        .collect();
    let distinct: BTreeSet<&String> = sent.iter().collect();
    assert_eq!(distinct.len(), sent.len(), "seed {seed}: a message was sent twice");
    let outcomes = stage.rows.outcomes(OutcomeCursor::default(), 100_000).await.unwrap().0;
    let updates: Vec<_> = outcomes.iter().filter(|outcome| outcome.source == "update").collect();
    assert_eq!(updates.len(), said, "seed {seed}: an update was lost or stored twice");
    assert!(outcomes.iter().all(|outcome| outcome.outcome != "pending"), "seed {seed}");
    let turns: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.turns).collect();
    let ids: BTreeSet<_> = turns.iter().map(|turn| &turn.id).collect();
    assert_eq!(ids.len(), said, "seed {seed}: each bot that heard a word was asked once");
    let mut done = 0;
    for message in turns.iter().flat_map(|turn| &turn.messages) {
        assert!(matches!(message.state, OutboxState::Sent | OutboxState::Unknown), "seed {seed}: {message:?}");
        done += usize::from(message.state == OutboxState::Sent);
    }
    assert!(done <= sent.len(), "seed {seed}");
    for chat in 0..CHATS {
        let numbers: Vec<Number> = stage.transcript(chat).await.iter().map(|entry| entry.number).collect();
        let wanted: Vec<Number> = (1..=numbers.len() as i64).map(Number).collect();
        assert_eq!(numbers, wanted, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
#[allow(clippy::disallowed_methods, reason = "which seeds a person wants to see is no setting of the product")]
async fn whatever_happens_to_nodes_nothing_is_lost_doubled_or_polled_twice() {
    let asked = std::env::var("STORM_SEEDS").unwrap_or_else(|_| "1-12".to_owned());
    let (first, last) = asked.split_once('-').expect("first-last");
    for seed in first.parse().unwrap()..=last.parse().unwrap() {
        storm(seed).await;
    }
}
