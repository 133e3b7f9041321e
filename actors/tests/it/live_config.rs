//! A change of configuration reaches running actors: I10.

use std::time::Duration;

use botfleet_actors::domain::ids::ChatId;
use botfleet_actors::domain::ownership::LeaseKey;
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::cluster_stage::ClusterStage;
use botfleet_actors::testkit::rows::{bot_spec, chat_spec};
use botfleet_actors::testkit::stage::Scenery;

#[tokio::test(start_paused = true)]
async fn i10_a_change_reaches_live_actors_within_a_second_with_every_hint_lost() {
    let mut stage = ClusterStage::raise(Scenery::new(4, 1), 2).await;
    stage.bus.lose_all(true);
    let mut plan = stage.scenery.plan.clone();
    for bot in &mut plan.bots {
        bot.persona.voice = "You are somebody else now.".to_owned();
    }
    stage.rows.apply_roster(&plan, stage.node("n1").node.clock.now()).await.unwrap();
    stage.pass(Duration::from_millis(990)).await;
    stage.person_says(0, "who are you?", &[0, 1, 2, 3]);
    stage.until_sent(4).await;
    let calls = stage.scenery.llms[0].calls();
    assert_eq!(calls.len(), 4);
    for (_, request) in calls {
        assert!(format!("{request:?}").contains("You are somebody else now."), "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn i10_a_reply_in_flight_is_not_dropped_by_a_change() {
    let mut stage = ClusterStage::raise(Scenery::new(2, 1), 2).await;
    stage.scenery.llms[0].hold(true);
    stage.person_says(0, "hello", &[0, 1]);
    stage.until("both are asked", async |stage| stage.scenery.llms[0].asked() == 2).await;
    let mut plan = stage.scenery.plan.clone();
    plan.bots[0].persona.voice = "You are somebody else now.".to_owned();
    stage.rows.apply_roster(&plan, stage.node("n1").node.clock.now()).await.unwrap();
    stage.pass(Duration::from_secs(2)).await;
    stage.scenery.llms[0].hold(false);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!(stage.scenery.llms[0].asked(), 2, "nobody is asked twice");
}

#[tokio::test(start_paused = true)]
async fn bots_and_chats_come_and_go_without_a_restart() {
    let mut scenery = Scenery::new(3, 1);
    let third = scenery.plan.bots.pop().unwrap();
    scenery.plan.chats[0].bots.pop();
    let mut stage = ClusterStage::raise(scenery, 2).await;
    stage.person_says(0, "hello", &[0, 1]);
    stage.until_sent(2).await;
    let mut plan = stage.scenery.plan.clone();
    plan.chats[0].bots.push(third.name.clone());
    plan.bots.push(third);
    let roster = stage.rows.apply_roster(&plan, stage.node("n1").node.clock.now()).await.unwrap();
    let newcomer = *roster.bots.keys().last().unwrap();
    stage.until("the newcomer has a home", async |stage| stage.owner(LeaseKey::Bot(newcomer)).await.is_some()).await;
    stage.until_settled().await;
    stage.person_says(0, "all of you?", &[0, 1, 2]);
    stage.until_sent(5).await;
    stage.until_at_rest().await;
    let left = plan.bots.remove(0);
    plan.chats[0].bots.retain(|name| *name != left.name);
    stage.rows.apply_roster(&plan, stage.node("n1").node.clock.now()).await.unwrap();
    stage
        .until("who left polls no more", async |stage| {
            let live = |node: &botfleet_actors::testkit::cluster_stage::StageNode| {
                node.node.directory.bot(stage.bots[0]).is_none()
            };
            stage.nodes.values().all(live)
        })
        .await;
    stage.person_says(0, "and now?", &[1, 2]);
    stage.until_sent(7).await;
    stage.until_at_rest().await;
    assert_eq!(stage.scenery.journal.sent_texts().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_alone_takes_newcomers_up_when_it_is_told() {
    let mut scenery = Scenery::new(3, 1);
    let third = scenery.plan.bots.pop().unwrap();
    scenery.plan.chats[0].bots.pop();
    let mut stage = scenery.raise().await;
    stage.person_says(0, "hello", &[0, 1]);
    stage.until_sent(2).await;
    let mut plan = stage.scenery.plan.clone();
    let mut chat = chat_spec(7, &[bot_spec(1)]);
    chat.policy = plan.chats[0].policy;
    plan.chats[0].bots.push(third.name.clone());
    plan.bots.push(third);
    plan.chats.push(chat);
    stage.store.apply_roster(&plan, stage.node.clock.now()).await.unwrap();
    stage.read_roster();
    stage.until("the newcomer lives", async |stage| stage.node.directory.live_bots().len() == 3).await;
    stage.person_says(0, "all of you?", &[0, 1, 2]);
    stage.until_sent(5).await;
    stage.until_at_rest().await;
    assert_eq!(stage.node.directory.live_chats().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn i10_a_changed_strategy_reaches_the_living_chat() {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Natural;
    scenery.plan.chats[0].strategy.named_by_person = 0.0;
    let mut stage = ClusterStage::raise(scenery, 1).await;
    let name = stage.scenery.plan.bots[0].name.clone();
    stage.person_says(0, &format!("{name} hello"), &[0, 1]);
    stage.until_at_rest().await;
    assert_eq!(stage.scenery.journal.sent_texts().len(), 0, "nobody answers its name");
    let mut plan = stage.scenery.plan.clone();
    plan.chats[0].strategy.named_by_person = 1.0;
    stage.rows.apply_roster(&plan, stage.node("n1").node.clock.now()).await.unwrap();
    stage.pass(Duration::from_secs(2)).await;
    stage.person_says(0, &format!("{name} hello"), &[0, 1]);
    stage.until_sent(1).await;
}

#[tokio::test(start_paused = true)]
async fn i10_a_quiet_chat_learns_that_it_shall_wake() {
    let mut stage = ClusterStage::raise(Scenery::new(1, 1), 1).await;
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    let chat = ChatId(1);
    assert_eq!(stage.rows.chat_memory(chat, 1).await.unwrap().next_tick_at, None);
    let mut plan = stage.scenery.plan.clone();
    plan.chats[0].pacing.quiet_tick = Some(Duration::from_secs(600));
    stage.rows.apply_roster(&plan, stage.node("n1").node.clock.now()).await.unwrap();
    stage
        .until("the store knows when", async |stage| {
            stage.rows.chat_memory(chat, 1).await.unwrap().next_tick_at.is_some()
        })
        .await;
}
