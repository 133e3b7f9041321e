//! Claims about orders of operators: I4, I6, I16. Part of the testkit.

use std::time::Duration;

use futures::future::join_all;

use super::{HANDLED_GO, Home, Scene, assert_conflict};
use crate::domain::commit::operations::{
    AddPause, BeginOrder, EndOrder, LiftPauses, Operation, OrderEnding, Redeliver,
};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::dead_letter::DeadLetterId;
use crate::domain::ids::{BotId, TurnId};
use crate::domain::operator_order::{
    NewOrder, OPEN_ORDERS_MAX, OperatorOrder, OrderFailure, OrderId, OrderPlace, OrderState, OrderStep, OrderTarget,
    OrderTask,
};
use crate::domain::ownership::Incarnation;
use crate::domain::pause::Pause;
use crate::domain::time::Timestamp;
use crate::testkit::rows::{at, order};

claims! {
    $ __claims_of_operator_orders of operator_orders:
    orders_given_at_once_are_numbered_by_target_without_gap_or_double
    an_order_ends_with_its_effect_or_neither_happens
    an_effect_that_is_refused_leaves_its_order_waiting
    a_begun_order_is_ended_by_who_began_it
    i6_a_fenced_owner_begins_and_ends_no_order
    i4_what_a_dead_owner_had_begun_is_unknown_and_nothing_else
    an_order_expires_on_the_databases_clock
    orders_that_nobody_takes_expire_and_old_ones_go
    orders_that_wait_for_a_target_are_bounded
    an_order_for_another_target_is_refused
    orders_are_listed_newest_first_in_pages
}

const LONG: Duration = Duration::from_secs(60);

fn new(id: i64, target: OrderTarget, lives: Duration) -> NewOrder {
    order(id, target, OrderTask::LiftPauses {}, lives)
}

async fn give(scene: &Scene, id: i64, target: OrderTarget, lives: Duration) -> OperatorOrder {
    scene.store.give_order(&new(id, target, lives)).await.unwrap().expect("there is room")
}

async fn read(scene: &Scene, id: i64) -> OperatorOrder {
    scene.store.operator_order(OrderId(id)).await.unwrap().expect("it is stored")
}

fn step(scene: &Scene, id: i64, target: OrderTarget) -> OrderStep {
    OrderStep { order: OrderId(id), target, node: "here".to_owned(), epoch: scene.epoch }
}

fn begin(step: &OrderStep) -> Operation {
    Operation::BeginOrder(BeginOrder { step: step.clone() })
}

fn end(step: &OrderStep, ending: OrderEnding) -> Operation {
    Operation::EndOrder(EndOrder { step: step.clone(), ending })
}

fn failed() -> OrderEnding {
    OrderEnding::Failed(OrderFailure { code: "conflict".to_owned(), detail: "it does not run".to_owned() })
}

fn ordered(state: OrderState) -> Applied {
    Applied::Ordered(state)
}

async fn pause(scene: &Scene, bot: BotId) {
    let pause = Pause { bot, chat: None, until: at(1000) };
    scene.commit_all(vec![Operation::AddPause(AddPause { epoch: scene.epoch, pause })]).await;
}

fn lift(scene: &Scene, bot: BotId, order: OrderStep) -> Operation {
    Operation::LiftPauses(LiftPauses { bot, epoch: scene.epoch, until: at(10), order: Some(order) })
}

async fn paused_until(scene: &Scene, bot: BotId) -> Timestamp {
    scene.store.pauses(bot).await.unwrap()[0].until
}

async fn next(scene: &Scene, target: OrderTarget) -> Option<i64> {
    scene.store.next_order(target).await.unwrap().map(|order| order.number)
}

/// Orders are carried out by their numbers, which no two orders of a target share.
pub async fn orders_given_at_once_are_numbered_by_target_without_gap_or_double(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let node = OrderTarget::Node(Incarnation(scene.epoch.0));
    let targets = [OrderTarget::Bot(scene.bots[0]), OrderTarget::Chat(scene.chats[0]), node];
    let orders: Vec<NewOrder> = (0..30).map(|id| new(id + 1, targets[id as usize % 3], LONG)).collect();
    let given = join_all(orders.iter().map(|order| scene.store.give_order(order))).await;
    let given: Vec<OperatorOrder> = given.into_iter().map(|given| given.unwrap().unwrap()).collect();
    for target in targets {
        let mut numbers: Vec<i64> = given.iter().filter(|order| order.target == target).map(|o| o.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>(), "{target}");
        assert_eq!(next(&scene, target).await, Some(1));
    }
    let first = given.iter().find(|order| order.target == targets[0] && order.number == 1).unwrap();
    assert_eq!(&read(&scene, first.id.0).await, first);
    assert_eq!(
        (first.state, first.kind.as_str(), first.principal.as_str()),
        (OrderState::Waiting, "lift_pauses", "ayse")
    );
    assert_eq!(first.expires_at.since(first.created_at), LONG);
    assert_eq!(scene.store.backlog(at(0)).await.unwrap().orders, targets);
}

/// The effect in the store and the end of the order are one: a second carrying-out finds the order over.
pub async fn an_order_ends_with_its_effect_or_neither_happens(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, target) = (scene.bots[0], OrderTarget::Bot(scene.bots[0]));
    pause(&scene, bot).await;
    give(&scene, 1, target, LONG).await;
    give(&scene, 2, target, LONG).await;
    let step = step(&scene, 1, target);
    scene.commit_all(vec![lift(&scene, bot, step.clone())]).await;
    let done = read(&scene, 1).await;
    assert_eq!((done.state, done.node.as_deref(), done.epoch), (OrderState::Done, Some("here"), Some(scene.epoch)));
    assert!(done.ended_at.is_some() && done.result.is_none(), "{done:?}");
    assert_eq!((paused_until(&scene, bot).await, next(&scene, target).await), (at(10), Some(2)));
    let scene = scene.reopen(home).await;
    pause(&scene, bot).await;
    let again = OrderStep { epoch: scene.epoch, ..step };
    assert_conflict(&scene.commit_one(lift(&scene, bot, again.clone())).await);
    assert_conflict(&scene.commit_one(end(&again, OrderEnding::Done)).await);
    assert_eq!(paused_until(&scene, bot).await, at(1000), "it is not carried out twice");
    assert_eq!(read(&scene, 1).await, done);
}

/// A refusal leaves nothing behind, so that the order can be ended as failed.
pub async fn an_effect_that_is_refused_leaves_its_order_waiting(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let target = OrderTarget::Bot(scene.bots[0]);
    give(&scene, 1, target, LONG).await;
    let step = step(&scene, 1, target);
    let redeliver = Redeliver {
        letter: DeadLetterId::Turn(TurnId(77)),
        later_parts: Vec::new(),
        confirm_duplicate: false,
        now: at(1),
        expires_at: at(2),
        order: Some(step.clone()),
    };
    assert_conflict(&scene.commit_one(Operation::Redeliver(redeliver)).await);
    assert_eq!(read(&scene, 1).await.state, OrderState::Waiting);
    assert_eq!(scene.commit_one(end(&step, failed())).await, Ok(ordered(OrderState::Failed)));
    let failure = read(&scene, 1).await.failure().expect("it tells why");
    assert_eq!((failure.code.as_str(), failure.detail.as_str()), ("conflict", "it does not run"));
    assert_eq!(next(&scene, target).await, None);
    assert!(scene.store.backlog(at(0)).await.unwrap().orders.is_empty());
}

/// I4: `begun` comes before an effect outside the store, once.
pub async fn a_begun_order_is_ended_by_who_began_it(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let targets = [OrderTarget::Chat(scene.chats[0]), OrderTarget::Node(Incarnation(scene.epoch.0))];
    for (target, id) in targets.into_iter().zip([1, 2]) {
        give(&scene, id, target, LONG).await;
        let step = step(&scene, id, target);
        assert_eq!(scene.commit_one(begin(&step)).await, Ok(ordered(OrderState::Begun)));
        assert_conflict(&scene.commit_one(begin(&step)).await);
        assert!(scene.store.backlog(at(0)).await.unwrap().orders.is_empty(), "whoever began it is at it");
        let begun = read(&scene, id).await;
        assert_eq!((begun.state, begun.ended_at), (OrderState::Begun, None));
        assert_eq!(scene.commit_one(end(&step, OrderEnding::Done)).await, Ok(ordered(OrderState::Done)));
        assert_conflict(&scene.commit_one(end(&step, OrderEnding::Unknown)).await);
    }
}

/// I6: an owner that lost its lease neither begins nor ends an order.
pub async fn i6_a_fenced_owner_begins_and_ends_no_order(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, target) = (scene.bots[0], OrderTarget::Bot(scene.bots[0]));
    pause(&scene, bot).await;
    for id in [1, 2] {
        give(&scene, id, target, LONG).await;
    }
    let (one, two) = (step(&scene, 1, target), step(&scene, 2, target));
    scene.commit_all(vec![begin(&one)]).await;
    let late = [end(&one, OrderEnding::Done), begin(&two), end(&two, failed()), lift(&scene, bot, two.clone())];
    let scene = scene.reopen(home).await;
    for operation in late {
        assert_eq!(scene.commit_one(operation.clone()).await, Err(Refusal::Fenced), "{operation:?}");
    }
    assert_eq!((read(&scene, 1).await.state, read(&scene, 2).await.state), (OrderState::Begun, OrderState::Waiting));
}

/// I4: the next owner cannot know how a begun order ended, and says so.
pub async fn i4_what_a_dead_owner_had_begun_is_unknown_and_nothing_else(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let target = OrderTarget::Bot(scene.bots[0]);
    give(&scene, 1, target, LONG).await;
    give(&scene, 2, OrderTarget::Bot(scene.bots[1]), LONG).await;
    scene.commit_all(vec![begin(&step(&scene, 1, target))]).await;
    let scene = scene.reopen(home).await;
    let found = scene.store.backlog(at(0)).await.unwrap().orders;
    assert_eq!(found, [target, OrderTarget::Bot(scene.bots[1])], "the next owner is told");
    let (step, other) = (step(&scene, 1, target), step(&scene, 2, OrderTarget::Bot(scene.bots[1])));
    for ending in [OrderEnding::Done, failed()] {
        assert_conflict(&scene.commit_one(end(&step, ending)).await);
    }
    assert_conflict(&scene.commit_one(begin(&step)).await);
    assert_eq!(scene.commit_one(end(&step, OrderEnding::Unknown)).await, Ok(ordered(OrderState::Unknown)));
    assert_conflict(&scene.commit_one(end(&other, OrderEnding::Unknown)).await);
}

/// No clock of a node decides: not the one that gives the order, and not the one that carries it out.
pub async fn an_order_expires_on_the_databases_clock(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, target) = (scene.bots[0], OrderTarget::Bot(scene.bots[0]));
    pause(&scene, bot).await;
    for id in [1, 2, 3] {
        give(&scene, id, target, Duration::ZERO).await;
    }
    assert_eq!(scene.store.backlog(at(0)).await.unwrap().orders, [target]);
    assert_conflict(&scene.commit_one(lift(&scene, bot, step(&scene, 1, target))).await);
    assert_eq!(paused_until(&scene, bot).await, at(1000));
    for (id, operation) in [
        (1, end(&step(&scene, 1, target), failed())),
        (2, begin(&step(&scene, 2, target))),
        (3, end(&step(&scene, 3, target), OrderEnding::Done)),
    ] {
        assert_eq!(scene.commit_one(operation).await, Ok(ordered(OrderState::Expired)));
        let expired = read(&scene, id).await;
        assert!(expired.state == OrderState::Expired && expired.result.is_none(), "{expired:?}");
    }
    assert_eq!(next(&scene, target).await, None);
}

/// I16: orders end although nobody owns their target, and go after a day.
pub async fn orders_that_nobody_takes_expire_and_old_ones_go(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (target, other) = (OrderTarget::Bot(scene.bots[0]), OrderTarget::Bot(scene.bots[1]));
    give(&scene, 1, target, Duration::ZERO).await;
    let created_at = give(&scene, 2, target, LONG).await.created_at;
    give(&scene, 3, other, Duration::ZERO).await;
    give(&scene, 4, other, LONG).await;
    scene.commit_all(vec![begin(&step(&scene, 4, other))]).await;
    scene.store.prune(created_at, &HANDLED_GO).await.unwrap();
    let states = async || {
        let orders = scene.store.operator_orders(None, 9).await.unwrap();
        let mut states: Vec<_> = orders.into_iter().map(|order| (order.id.0, order.state)).collect();
        states.sort_by_key(|(id, _)| *id);
        states
    };
    let (expired, waiting, begun) = (OrderState::Expired, OrderState::Waiting, OrderState::Begun);
    assert_eq!(states().await, [(1, expired), (2, waiting), (3, expired), (4, begun)]);
    scene.store.prune(created_at + Duration::from_hours(25), &HANDLED_GO).await.unwrap();
    assert_eq!(states().await, [(2, waiting), (4, begun)], "an open order stays");
}

/// I9: what waits for one target is bounded.
pub async fn orders_that_wait_for_a_target_are_bounded(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (target, other) = (OrderTarget::Chat(scene.chats[0]), OrderTarget::Chat(scene.chats[1]));
    let most = i64::from(OPEN_ORDERS_MAX);
    for id in 1..=most {
        give(&scene, id, target, LONG).await;
    }
    assert_eq!(scene.store.give_order(&new(most + 1, target, LONG)).await.unwrap(), None);
    give(&scene, most + 2, other, LONG).await;
    scene.commit_all(vec![end(&step(&scene, 7, target), failed())]).await;
    assert_eq!(give(&scene, most + 3, target, LONG).await.number, most + 1);
}

/// The fence of an order is that of its own target.
pub async fn an_order_for_another_target_is_refused(home: &dyn Home) {
    let scene = Scene::open(home).await;
    give(&scene, 1, OrderTarget::Bot(scene.bots[0]), LONG).await;
    let strange = step(&scene, 1, OrderTarget::Bot(scene.bots[1]));
    assert_conflict(&scene.commit_one(begin(&strange)).await);
    assert_conflict(&scene.commit_one(end(&strange, failed())).await);
    assert_conflict(&scene.commit_one(lift(&scene, scene.bots[1], strange)).await);
    assert_conflict(&scene.commit_one(begin(&step(&scene, 9, OrderTarget::Bot(scene.bots[0])))).await);
    assert_eq!(read(&scene, 1).await.state, OrderState::Waiting);
}

/// Pages follow one another without gap or overlap, also among orders of one instant.
pub async fn orders_are_listed_newest_first_in_pages(home: &dyn Home) {
    let scene = Scene::open(home).await;
    for id in [5, 3, 9, 1] {
        give(&scene, id, OrderTarget::Bot(scene.bots[0]), LONG).await;
    }
    let all = scene.store.operator_orders(None, 9).await.unwrap();
    let places: Vec<_> = all.iter().map(|order| (order.created_at, order.id)).collect();
    assert!(places.is_sorted_by(|a, b| a > b) && places.len() == 4, "{places:?}");
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = scene.store.operator_orders(before, 1).await.unwrap();
        let Some(order) = page.first() else { break };
        before = Some(OrderPlace { created_at: order.created_at, id: order.id });
        seen.push((order.created_at, order.id));
    }
    assert_eq!(seen, places);
}
