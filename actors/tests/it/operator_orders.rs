//! The owner of a target carries out its orders in their order, each once or not at all: I4, I6, I8.

use std::time::Duration;

use botfleet_actors::actors::fleet::child::Child;
use botfleet_actors::domain::audit::{ActResult, Phase};
use botfleet_actors::domain::commit::operations::{AddPause, BeginOrder, Operation};
use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::domain::operator_order::{OperatorOrder, OrderId, OrderState, OrderStep, OrderTarget, OrderTask};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::roster::DeliveryMode;
use botfleet_actors::ports::bus::Hint;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::order;
use botfleet_actors::testkit::stage::{Scenery, Stage};

const HOUR: Duration = Duration::from_secs(3600);

async fn give(stage: &Stage, id: i64, target: OrderTarget, task: OrderTask) {
    stage.store.rows.give_order(&order(id, target, task, HOUR)).await.unwrap().expect("there is room");
}

async fn read(stage: &Stage, id: i64) -> OperatorOrder {
    stage.store.rows.operator_order(OrderId(id)).await.unwrap().expect("it is stored")
}

/// Waits until the order is over, without a hint; returns it.
async fn over(stage: &Stage, id: i64) -> OperatorOrder {
    stage.until("the order is over", async |stage| read(stage, id).await.state.is_over()).await;
    read(stage, id).await
}

fn bot(stage: &Stage) -> OrderTarget {
    OrderTarget::Bot(stage.bots[0])
}

async fn pause(stage: &Stage) {
    let pause = Pause { bot: stage.bots[0], chat: None, until: stage.node.clock.now() + HOUR };
    let add = AddPause { epoch: stage.tenure.epoch, pause };
    stage.node.committer.commit(Operation::AddPause(add)).await.unwrap();
}

async fn is_paused(stage: &Stage) -> bool {
    stage.store.rows.pauses(stage.bots[0]).await.unwrap().iter().any(|pause| pause.until > stage.node.clock.now())
}

fn committed(stage: &Stage, name: &str) -> usize {
    stage.journal().count(|happening| matches!(happening, Happening::Committed(of) if *of == name))
}

#[tokio::test(start_paused = true)]
async fn orders_are_found_without_a_hint_and_carried_out_by_their_numbers() {
    let stage = Scenery::new(2, 1).raise().await;
    let webhooks = OrderTask::SetDelivery { mode: DeliveryMode::Polling };
    give(&stage, 9, bot(&stage), OrderTask::LiftPauses {}).await;
    give(&stage, 3, bot(&stage), webhooks).await;
    give(&stage, 5, bot(&stage), OrderTask::Release { provider: None }).await;
    let last = over(&stage, 5).await;
    let (first, second) = (read(&stage, 9).await, read(&stage, 3).await);
    assert_eq!((first.state, second.state, last.state), (OrderState::Done, OrderState::Done, OrderState::Failed));
    assert_eq!(last.failure().expect("it tells why").code, "not_quarantined");
    assert_eq!(last.node.as_deref(), Some(stage.node.name.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_hint_has_an_order_carried_out_at_once() {
    let mut scenery = Scenery::new(1, 1);
    scenery.fleet.reconcile_every = HOUR;
    let stage = scenery.raise().await;
    pause(&stage).await;
    give(&stage, 1, bot(&stage), OrderTask::LiftPauses {}).await;
    stage.node.tell([Hint::Order(bot(&stage))]);
    let waited = tokio::time::timeout(Duration::from_secs(1), stage.node.orders_ended.notified()).await;
    assert!(waited.is_ok(), "whoever waits on this node is told");
    assert_eq!((read(&stage, 1).await.state, is_paused(&stage).await), (OrderState::Done, false));
}

#[tokio::test(start_paused = true)]
async fn i7_a_quarantined_bot_and_a_provider_are_released_by_orders() {
    let mut scenery = Scenery::new(2, 1);
    scenery.fleet.answer_within = Duration::from_secs(2);
    let stage = scenery.raise().await;
    stage.store.hang(stage.bots[0], true);
    stage.until("it is quarantined", async |stage| !stage.fleet().await.quarantined.is_empty()).await;
    stage.store.hang(stage.bots[0], false);
    give(&stage, 1, bot(&stage), OrderTask::Release { provider: None }).await;
    assert_eq!(over(&stage, 1).await.state, OrderState::Done);
    assert_eq!(committed(&stage, "begin_order"), 1, "the effect followed a committed beginning (I4)");
    assert!(stage.fleet().await.quarantined.is_empty());
    assert!(!stage.release(Child::Bot(stage.bots[0])).await);
    let here = OrderTarget::Node(Incarnation(stage.tenure.epoch.0));
    for (id, target) in [(2, here), (3, OrderTarget::Node(Incarnation(stage.tenure.epoch.0 + 1)))] {
        give(&stage, id, target, OrderTask::Release { provider: Some("one".to_owned()) }).await;
    }
    assert_eq!(over(&stage, 2).await.failure().expect("it tells why").code, "not_quarantined");
    stage.let_time_pass().await;
    assert_eq!(read(&stage, 3).await.state, OrderState::Waiting, "it is for another node");
}

#[tokio::test(start_paused = true)]
async fn i4_an_order_that_a_dead_process_had_begun_is_unknown_and_is_not_repeated() {
    let stage = Scenery::new(1, 1).raise().await;
    for id in [1, 2] {
        give(&stage, id, bot(&stage), OrderTask::Release { provider: None }).await;
    }
    let step = OrderStep { order: OrderId(1), target: bot(&stage), node: "dead".to_owned(), epoch: stage.tenure.epoch };
    stage.store.rows.commit(vec![Operation::BeginOrder(BeginOrder { step })]).await.unwrap()[0].as_ref().unwrap();
    let stage = stage.killed().await.raise().await;
    assert_eq!(over(&stage, 2).await.state, OrderState::Failed, "what was not begun goes on");
    assert_eq!(read(&stage, 1).await.state, OrderState::Unknown);
    assert_eq!(committed(&stage, "begin_order"), 1, "the other one");
    let ends = [(1, ActResult::Unknown), (2, ActResult::Failed)].map(|(id, result)| (OrderId(id), result));
    for (order, result) in ends {
        let of = Phase::Outcome { of: order.intent(), result };
        let told = stage.store.rows.acts().into_iter().filter(|entry| entry.phase == of).count();
        assert_eq!(told, 1, "the audit tells how it ended, once");
    }
}

#[tokio::test(start_paused = true)]
async fn i4_whatever_the_store_answers_an_order_is_carried_out_once() {
    let stage = Scenery::new(1, 1).raise().await;
    for (id, lost) in [(1, false), (2, true)] {
        pause(&stage).await;
        if lost {
            stage.store.lose_answer("lift_pauses");
        } else {
            stage.store.fail("lift_pauses", 3);
        }
        give(&stage, id, bot(&stage), OrderTask::LiftPauses {}).await;
        assert_eq!(over(&stage, id).await.state, OrderState::Done);
        assert!(!is_paused(&stage).await);
        assert_eq!(committed(&stage, "lift_pauses"), 1, "stored and answered once");
    }
    stage.store.fail("end_order", 3);
    give(&stage, 3, bot(&stage), OrderTask::Release { provider: None }).await;
    assert_eq!(over(&stage, 3).await.state, OrderState::Failed, "its end is stored once the store answers");
    stage.store.lose_answer("begin_order");
    give(&stage, 4, bot(&stage), OrderTask::Release { provider: None }).await;
    assert_eq!(over(&stage, 4).await.state, OrderState::Unknown, "nobody knows whether it began");
}

#[tokio::test(start_paused = true)]
async fn an_order_of_a_later_version_fails_and_names_the_reason() {
    let stage = Scenery::new(1, 1).raise().await;
    give(&stage, 1, OrderTarget::Chat(stage.chats[0]), OrderTask::LiftPauses {}).await;
    let failed = over(&stage, 1).await;
    assert_eq!((failed.state, failed.epoch), (OrderState::Failed, Some(stage.tenure.epoch)));
    assert_ne!(failed.epoch, Some(Epoch(0)));
    assert!(failed.failure().expect("it tells why").detail.contains("version"));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_leaves_orders_to_the_next_owner() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.quiesce(false);
    give(&stage, 1, bot(&stage), OrderTask::LiftPauses {}).await;
    stage.node.tell([Hint::Order(bot(&stage))]);
    stage.let_time_pass().await;
    assert_eq!(read(&stage, 1).await.state, OrderState::Waiting);
    let stage = stage.killed().await.raise().await;
    assert_eq!(over(&stage, 1).await.state, OrderState::Done);
}
