//! Bots and chats that change hands between nodes: I1, I4, I5, I6, I8.

use std::time::Duration;

use botfleet_actors::actors::node::arrivals::receive;
use botfleet_actors::actors::node::ended::Ended;
use botfleet_actors::domain::ids::{MessageId, UpdateId};
use botfleet_actors::domain::incoming::{Entity, EntityKind, Event};
use botfleet_actors::domain::ownership::{LeaseKey, NodeRole};
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::{ReceivedUpdate, TelegramError};
use botfleet_actors::testkit::cluster_stage::ClusterStage;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::node_telegram::Deed;
use botfleet_actors::testkit::rows::{self, person};
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::Scenery;

/// Returns the name of the node that owns the bot at that place.
async fn home(stage: &ClusterStage, bot: usize) -> String {
    stage.owner(LeaseKey::Bot(stage.bots[bot])).await.expect("it has an owner")
}

#[tokio::test(start_paused = true)]
async fn nodes_share_bots_and_chats_and_answer_across_one_another() {
    let mut stage = ClusterStage::raise(Scenery::new(8, 2), 2).await;
    assert_eq!(stage.shares().await, [("n1".to_owned(), 4, 1), ("n2".to_owned(), 4, 1)]);
    assert!(stage.nodes.values().all(|node| node.node.may_act()));
    stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5, 6, 7]);
    stage.until_sent(8).await;
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.len(), 9);
    assert_eq!(stage.ledger.overlaps(), []);
}

#[tokio::test(start_paused = true)]
async fn i5_i8_a_planned_hand_off_loses_nothing_and_polls_never_overlap() {
    let mut stage = ClusterStage::raise(Scenery::new(8, 2), 2).await;
    stage.scenery.llms[0].hold(true);
    stage.person_says(0, "first", &[0, 1, 2, 3, 4, 5, 6, 7]);
    stage.until("all turns are claimed", async |stage| stage.scenery.llms[0].asked() == 8).await;
    stage.drain("n1").await;
    // People go on writing during the move.
    for round in 0..10 {
        stage.person_says(round % 2, &format!("meanwhile {round}"), &[0, 1, 2, 3, 4, 5, 6, 7]);
        stage.pass(Duration::from_millis(50)).await;
    }
    let held = async |stage: &ClusterStage| {
        stage.picture().await.leases.iter().filter(|l| l.owner == Some(stage.node("n1").me)).count()
    };
    stage.until("n1 has given everything up", async |stage| held(stage).await == 0).await;
    stage.scenery.llms[0].hold(false);
    stage.until_sent(88).await;
    stage.until_at_rest().await;
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(stage.scenery.journal.sent_texts().len(), 88, "each of eleven messages is answered once by each bot");
    assert_eq!(stage.transcript(0).await.len() + stage.transcript(1).await.len(), 11 + 88);
    assert_eq!(stage.ledger.overlaps(), []);
    for telegram in &stage.scenery.telegram {
        let silence = stage.ledger.longest_silence(telegram.id());
        assert!(silence < Duration::from_millis(250), "bot {} was silent for {silence:?}", telegram.id());
    }
}

#[tokio::test(start_paused = true)]
async fn i6_a_send_in_flight_at_a_hand_off_is_settled_by_the_old_node() {
    let mut stage = ClusterStage::raise(Scenery::new(4, 1), 2).await;
    let from = home(&stage, 0).await;
    stage.node(&from).link.hold_answers(true);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.drain(&from).await;
    stage.until("the bot has moved", async |stage| home(stage, 0).await != from).await;
    let depths = stage.rows.depths().await.unwrap();
    assert_eq!((depths.outbox, depths.unknown), (1, 0), "a living node's send is left alone");
    stage.pass(Duration::from_secs(20)).await;
    assert_eq!(stage.rows.depths().await.unwrap().unknown, 0);
    stage.node(&from).link.hold_answers(false);
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.len(), 2, "the message has its entry");
    assert_eq!(stage.ledger.overlaps(), [], "and its poll was closed before the bot moved");
    assert_eq!(stage.scenery.journal.sent_texts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn i4_a_living_nodes_send_is_unknown_only_when_patience_ends() {
    let mut scenery = Scenery::new(4, 1);
    scenery.ownership.send_patience = Duration::from_secs(30);
    let mut stage = ClusterStage::raise(scenery, 2).await;
    let from = home(&stage, 0).await;
    stage.node(&from).link.hold_answers(true);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.drain(&from).await;
    stage.until("the bot has moved", async |stage| home(stage, 0).await != from).await;
    stage.pass(Duration::from_secs(25)).await;
    assert_eq!(stage.rows.depths().await.unwrap().unknown, 0, "not before its time");
    stage.until("patience ends", async |stage| stage.rows.depths().await.unwrap().unknown == 1).await;
    stage.node(&from).link.hold_answers(false);
    stage.until("the late result resolves it", async |stage| stage.rows.depths().await.unwrap().unknown == 0).await;
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_drained_node_tells_that_its_work_is_over() {
    let mut stage = ClusterStage::raise(Scenery::new(6, 3), 3).await;
    stage.node("n2").actor.cast(botfleet_actors::actors::fleet::messages::FleetMsg::Drain).unwrap();
    let node = std::sync::Arc::clone(&stage.node("n2").node);
    let ended = tokio::time::timeout(Duration::from_secs(20), node.ended()).await.unwrap();
    assert_eq!(ended, Ended::Drained);
    let me = stage.node("n2").me;
    assert!(stage.picture().await.leases.iter().all(|lease| lease.owner != Some(me)));
    stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5]);
    stage.until_sent(6).await;
    stage.until_at_rest().await;
    assert_eq!(stage.ledger.overlaps(), []);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_joins_gets_its_share_without_loss() {
    let mut stage = ClusterStage::raise(Scenery::new(9, 3), 2).await;
    stage.join("n3").await;
    for round in 0..10 {
        stage.person_says(round % 3, "hello", &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        stage.pass(Duration::from_millis(70)).await;
    }
    stage.until_settled().await;
    stage.until_sent(90).await;
    stage.until_at_rest().await;
    let shares = stage.shares().await;
    assert!(shares.len() == 3 && shares.iter().all(|(_, bots, chats)| (*bots, *chats) == (3, 1)), "{shares:?}");
    assert_eq!(stage.scenery.journal.sent_texts().len(), 90);
    assert_eq!(stage.ledger.overlaps(), []);
}

#[tokio::test(start_paused = true)]
async fn i8_a_killed_nodes_bots_are_taken_over_and_their_turns_answered() {
    let mut stage = ClusterStage::raise(Scenery::new(6, 2), 2).await;
    stage.scenery.llms[0].hold(true);
    stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5]);
    stage.until("all turns are claimed", async |stage| stage.scenery.llms[0].asked() == 6).await;
    stage.kill("n1").await;
    stage.scenery.llms[0].hold(false);
    let killed_at = tokio::time::Instant::now();
    stage.person_says(0, "are you there?", &[0, 1, 2, 3, 4, 5]);
    stage.until_sent(12).await;
    assert!(killed_at.elapsed() < Duration::from_millis(4_500), "{:?}", killed_at.elapsed());
    stage.until_at_rest().await;
    assert_eq!(stage.scenery.journal.sent_texts().len(), 12);
    assert_eq!(stage.ledger.overlaps(), []);
}

#[tokio::test(start_paused = true)]
async fn a_death_that_the_launcher_tells_is_taken_over_within_a_second() {
    let mut stage = ClusterStage::raise(Scenery::new(6, 2), 2).await;
    let dead = stage.kill("n1").await;
    let killed_at = tokio::time::Instant::now();
    stage.tell_of_death(dead).await;
    stage.until_settled().await;
    stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5]);
    stage.until_sent(6).await;
    assert!(killed_at.elapsed() < Duration::from_secs(1), "{:?}", killed_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn i4_what_a_killed_node_was_sending_is_unknown_and_not_sent_again() {
    let mut stage = ClusterStage::raise(Scenery::new(4, 1), 2).await;
    let from = home(&stage, 0).await;
    stage.node(&from).link.hold_answers(true);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.kill(&from).await;
    stage.until("it is unknown", async |stage| stage.rows.depths().await.unwrap().unknown == 1).await;
    stage.until_settled().await;
    stage.pass(Duration::from_secs(30)).await;
    assert_eq!(stage.scenery.journal.sent_texts().len(), 1);
    assert_eq!(stage.scenery.journal.count(|h| *h == Happening::Committed("settle")), 0);
}

#[tokio::test(start_paused = true)]
async fn i5_a_node_past_its_bound_sends_and_polls_nothing() {
    let mut stage = ClusterStage::raise(Scenery::new(4, 1), 2).await;
    let from = home(&stage, 0).await;
    // Messages arrive after the node has lost the store, while its bound still lets it act.
    stage.cut_off(&from, true);
    let cut_at = tokio::time::Instant::now();
    stage.person_says(0, "hello", &[0, 1, 2, 3]);
    stage.pass(Duration::from_millis(2_500)).await;
    let bound = cut_at + Duration::from_millis(2_000);
    let late = stage.ledger.lines(|line| line.node == from && line.at > bound && line.deed != Deed::Closed);
    assert!(late.is_empty(), "{late:?}");
    let mut open = 0;
    for line in stage.ledger.lines(|line| line.node == from) {
        match line.deed {
            Deed::Opened => open += 1,
            Deed::Closed => open -= 1,
            Deed::Sent(_) => {}
        }
    }
    assert_eq!(open, 0, "no poll stays open");
    stage.until_sent(4).await;
    stage.until_at_rest().await;
    assert_eq!(stage.ledger.overlaps(), []);
    stage.cut_off(&from, false);
    let node = std::sync::Arc::clone(&stage.node(&from).node);
    let ended = tokio::time::timeout(Duration::from_secs(20), node.ended()).await.unwrap();
    assert_eq!(ended, Ended::Superseded, "others have buried it meanwhile");
    assert!(!node.may_act());
}

#[tokio::test(start_paused = true)]
async fn a_store_outage_kills_nobody_and_all_poll_again_soon_after() {
    let mut stage = ClusterStage::raise(Scenery::new(6, 2), 2).await;
    let before = stage.picture().await.leases;
    for name in ["n1", "n2"] {
        stage.cut_off(name, true);
    }
    stage.pass(Duration::from_secs(30)).await;
    let back_at = tokio::time::Instant::now();
    for name in ["n1", "n2"] {
        stage.cut_off(name, false);
    }
    stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5]);
    stage.until_sent(6).await;
    assert!(back_at.elapsed() < Duration::from_secs(5), "{:?}", back_at.elapsed());
    stage.until_at_rest().await;
    assert_eq!(stage.picture().await.leases, before, "nobody changes owner");
    assert_eq!(stage.ledger.overlaps(), []);
}

#[tokio::test(start_paused = true)]
async fn with_every_hint_lost_everything_is_still_answered() {
    let mut stage = ClusterStage::raise(Scenery::new(8, 2), 2).await;
    stage.bus.lose_all(true);
    for round in 0..5 {
        stage.person_says(round % 2, "hello", &[0, 1, 2, 3, 4, 5, 6, 7]);
        stage.pass(Duration::from_millis(300)).await;
    }
    let asked_at = tokio::time::Instant::now();
    stage.until_sent(40).await;
    stage.until_at_rest().await;
    assert!(asked_at.elapsed() < Duration::from_secs(5), "{:?}", asked_at.elapsed());
    assert_eq!(stage.transcript(0).await.len() + stage.transcript(1).await.len(), 45);
}

#[tokio::test(start_paused = true)]
async fn without_the_bus_an_answer_comes_less_than_six_tenths_of_a_second_later() {
    let mut stage = ClusterStage::raise(Scenery::new(8, 2), 2).await;
    stage.pass(Duration::from_secs(1)).await;
    stage.bus.go_down(true);
    stage.pass(Duration::from_secs(1)).await;
    let owners = stage.picture().await.leases;
    for round in 1..=5 {
        stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5, 6, 7]);
        let asked_at = tokio::time::Instant::now();
        stage.until_sent(8 * round).await;
        assert!(asked_at.elapsed() < Duration::from_millis(600), "{:?}", asked_at.elapsed());
        stage.pass(Duration::from_millis(370)).await;
    }
    stage.until_at_rest().await;
    assert_eq!(stage.picture().await.leases, owners, "nobody changes owner");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_alone_cannot_reach_telegram_gives_its_bots_up_and_gets_them_back() {
    let mut stage = ClusterStage::raise(Scenery::new(6, 2), 3).await;
    stage.node("n2").link.cut(true);
    let me = stage.node("n2").me;
    let bots = async |stage: &ClusterStage| {
        let picture = stage.picture().await;
        picture.leases.iter().filter(|lease| lease.owner == Some(me) && lease.key.kind() == "bot").count()
    };
    stage.until("n2 has no bots", async |stage| bots(stage).await == 0).await;
    stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5]);
    stage.until_sent(6).await;
    stage.node("n2").link.cut(false);
    stage.until("n2 has bots again", async |stage| bots(stage).await == 2).await;
    stage.until_at_rest().await;
    assert_eq!(stage.ledger.overlaps(), []);
}

#[tokio::test(start_paused = true)]
async fn i6_a_fenced_bot_of_a_cluster_leaves_and_is_taken_by_its_owner() {
    let mut stage = ClusterStage::raise(Scenery::new(4, 1), 2).await;
    let from = home(&stage, 0).await;
    let me = stage.node(&from).me;
    // Another process declares a slow node dead before the node hears of it: its further writes are refused.
    stage.tell_of_death(me).await;
    stage.person_says(0, "hello", &[0, 1, 2, 3]);
    stage.until_sent(4).await;
    stage.until_at_rest().await;
    assert_eq!(stage.scenery.journal.sent_texts().len(), 4);
    assert_eq!(stage.transcript(0).await.len(), 5);
    let ended = tokio::time::timeout(Duration::from_secs(5), stage.node(&from).node.ended()).await.unwrap();
    assert_eq!(ended, Ended::Superseded);
}

#[tokio::test(start_paused = true)]
async fn i4_later_parts_wait_for_the_old_nodes_send_and_leave_once_from_the_new_one() {
    let mut stage = ClusterStage::raise(Scenery::new(4, 1), 2).await;
    let from = home(&stage, 0).await;
    stage.scenery.llms[0].next(Thought::Say(rows::distinct_words(1_500)));
    stage.node(&from).link.hold_answers(true);
    stage.person_says(0, "tell me all", &[0]);
    stage.until_sent(1).await;
    stage.drain(&from).await;
    stage.until("the bot has moved", async |stage| home(stage, 0).await != from).await;
    stage.pass(Duration::from_secs(10)).await;
    assert_eq!(stage.scenery.journal.sent_texts().len(), 1, "the second part waits for the fate of the first");
    stage.node(&from).link.hold_answers(false);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    stage.pass(Duration::from_secs(5)).await;
    let sent = stage.ledger.lines(|line| matches!(line.deed, Deed::Sent(_)));
    assert_eq!(sent.len(), 2);
    assert!(sent[0].node == from && sent[1].node != from, "{sent:?}");
    assert_eq!(stage.transcript(0).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_out_a_pause_is_sent_by_the_new_owner_after_it() {
    let mut stage = ClusterStage::raise(Scenery::new(4, 1), 2).await;
    let from = home(&stage, 0).await;
    let retry_after = Duration::from_secs(20);
    stage.scenery.telegram[0].next_send(Step::Fail(TelegramError::RateLimited { retry_after }));
    let asked_at = tokio::time::Instant::now();
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.drain(&from).await;
    stage.until("the bot has moved", async |stage| home(stage, 0).await != from).await;
    stage.person_says(0, "and again", &[0]);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    let sent = stage.ledger.lines(|line| matches!(line.deed, Deed::Sent(_)));
    assert!(sent[1].at - asked_at >= retry_after, "the pause holds for the new owner as well");
    assert!(sent[1..].iter().all(|line| line.node != from));
}

#[tokio::test(start_paused = true)]
async fn i9_a_stop_that_reaches_a_node_without_bots_is_verified_there() {
    let mut stage = ClusterStage::raise(Scenery::new(2, 1), 1).await;
    stage.scenery.telegram[0].ranks(Ok(std::iter::once((person().id, false)).collect()));
    stage.join_as("door", NodeRole::Api).await;
    let door = std::sync::Arc::clone(&stage.node("door").node);
    stage.until("it may act", async |_| door.may_act()).await;
    assert!(door.directory.live_bots().is_empty());
    let mut incoming = stage.scenery.spoken(0, MessageId(900), "/stop");
    let Event::Message(message) = &mut incoming.event else { unreachable!() };
    message.entities = vec![Entity { kind: EntityKind::BotCommand, offset: 0, length: 5 }];
    let raw = serde_json::to_string(&incoming).unwrap();
    receive(&door, stage.bots[0], ReceivedUpdate { update_id: UpdateId(900), raw, incoming }).await.unwrap();
    stage
        .until("the stop is lifted: who ordered it is no administrator", async |stage| {
            stage.rows.stops().await.unwrap().0.is_empty()
                && stage.scenery.journal.count(|h| *h == Happening::Committed("set_stop")) == 2
        })
        .await;
    stage.until_at_rest().await;
}
