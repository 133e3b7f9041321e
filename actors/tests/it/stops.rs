//! Stops that people order: whose order counts, and which orders outlive the process that received them.

use std::collections::HashMap;

use botfleet_actors::domain::commit::operations::{Operation, SetStop};
use botfleet_actors::domain::control::{Rank, Stop, StopOrder, StopScope};
use botfleet_actors::domain::ids::{MessageId, TelegramUserId};
use botfleet_actors::domain::incoming::{AuthorKind, Entity, EntityKind, Event, Incoming};
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::{Shut, TelegramError};
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::person;
use botfleet_actors::testkit::stage::{Scenery, Stage};

/// A person who administers the chat, when the script says so.
const ADMINISTRATOR: TelegramUserId = TelegramUserId(4711);

/// Builds a command of a person, or of an anonymous administrator when `author` is `None`.
fn command(stage: &Stage, id: i64, text: &str, author: Option<TelegramUserId>) -> Incoming {
    let mut incoming = stage.spoken(0, MessageId(id), text);
    let Event::Message(message) = &mut incoming.event else { unreachable!() };
    message.entities = vec![Entity { kind: EntityKind::BotCommand, offset: 0, length: text.len() }];
    match author {
        Some(author) => message.author.id = author,
        None => message.author.kind = AuthorKind::Anonymous,
    }
    incoming
}

fn give(stage: &Stage, id: i64, text: &str, author: Option<TelegramUserId>) {
    stage.telegram(0).receive(7000 + id, command(stage, id, text, author));
}

async fn stored(stage: &Stage) -> Option<Stop> {
    stage.store.rows.stops().await.unwrap().0.remove(&StopScope::Chat(stage.chats[0]))
}

async fn until_doubted(stage: &Stage, doubts: usize) {
    stage
        .until("the doubt is noted, or gone", async |stage| {
            stored(stage).await.map_or(0, |stop| stop.doubts.len()) == doubts
        })
        .await;
}

fn silent() -> TelegramError {
    TelegramError::Unreachable("refused".to_owned())
}

fn knows_administrators(stage: &Stage) {
    for bot in 0..stage.bots.len() {
        stage.telegram(bot).ranks(Ok(HashMap::from([(person().id, false), (ADMINISTRATOR, true)])));
    }
}

async fn operator_stops(stage: &Stage) {
    let order = StopOrder::Set { until: None, rank: Rank::Operator };
    let scope = StopScope::Chat(stage.chats[0]);
    let stop = SetStop { scope, order, by: "operator".to_owned(), at: stage.node.clock.now() };
    stage.node.committer.commit(Operation::SetStop(stop)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn i9_a_doubted_stop_is_verified_after_a_restart() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).ranks(Err(silent()));
    give(&stage, 900, "/stop", Some(person().id));
    until_doubted(&stage, 1).await;
    stage.until_at_rest().await;
    let stage = stage.killed().await.raise().await;
    stage.let_time_pass_briefly().await;
    assert!(stored(&stage).await.is_some(), "nobody knows yet");
    knows_administrators(&stage);
    stage.until("the stop is lifted", async |stage| stored(stage).await.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn i9_a_strangers_stop_leaves_the_quiet_of_an_administrator_as_it_is() {
    let stage = Scenery::new(1, 1).raise().await;
    for (id, quiet_first) in [(900, true), (910, false)] {
        stage.telegram(0).ranks(Err(silent()));
        if quiet_first {
            give(&stage, id, "/quiet 1h", None);
            stage.until("it is quiet", async |stage| stored(stage).await.is_some()).await;
        }
        // Another person each time: after a refusal the same person's stop is not noted again.
        give(&stage, id + 1, "/stop", Some(TelegramUserId(id)));
        until_doubted(&stage, 1).await;
        if !quiet_first {
            give(&stage, id, "/quiet 1h", None);
            stage.until("the quiet is noted", async |stage| stored(stage).await.unwrap().firm.is_some()).await;
        }
        knows_administrators(&stage);
        until_doubted(&stage, 0).await;
        let stop = stored(&stage).await.expect("the quiet of the administrator stands");
        assert!(stop.until().is_some() && stop.holds(stage.node.clock.now()), "{stop:?}");
        assert_eq!(*stage.node.people.stops(), stage.store.rows.stops().await.unwrap());
        give(&stage, id + 2, "/start", None);
        stage.until("it is started", async |stage| stored(stage).await.is_none()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn i9_a_strangers_wish_for_quiet_shortens_no_operators_stop() {
    let stage = Scenery::new(1, 1).raise().await;
    operator_stops(&stage).await;
    stage.telegram(0).ranks(Err(silent()));
    give(&stage, 900, "/quiet 1m", Some(person().id));
    until_doubted(&stage, 1).await;
    stage.let_time_pass().await;
    stage.let_time_pass().await;
    assert!(stored(&stage).await.is_some_and(|stop| stop.holds(stage.node.clock.now())));
}

#[tokio::test(start_paused = true)]
async fn i9_administrators_do_not_lift_an_operators_stop_even_after_a_restart() {
    let stage = Scenery::new(1, 1).raise().await;
    operator_stops(&stage).await;
    let stage = stage.killed().await.raise().await;
    give(&stage, 900, "/start", None);
    stage
        .until("the order is judged", async |stage| {
            stage.journal().count(|h| *h == Happening::Committed("set_stop")) == 2
        })
        .await;
    assert!(stored(&stage).await.is_some_and(|stop| stop.is_operators()));
}

#[tokio::test(start_paused = true)]
async fn i9_the_end_of_a_strangers_stop_is_committed_until_the_store_has_it() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).ranks(Err(silent()));
    give(&stage, 900, "/stop", Some(person().id));
    until_doubted(&stage, 1).await;
    stage.store.fail("set_stop", 2);
    knows_administrators(&stage);
    stage.until("the stop is lifted", async |stage| stored(stage).await.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn i9_an_order_outlives_the_bot_that_brought_it() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.let_time_pass_briefly().await;
    stage.store.hold(true);
    stage.store.fail("set_stop", 1);
    let actor = stage.node.directory.bot(stage.bots[0]);
    give(&stage, 900, "/stop", None);
    stage.let_time_pass_briefly().await;
    stage.node.directory.set_bot(stage.bots[0], None);
    stage.store.hold(false);
    stage.until("the chat is stopped", async |stage| stored(stage).await.is_some()).await;
    stage.node.directory.set_bot(stage.bots[0], actor);
}

#[tokio::test(start_paused = true)]
async fn i9_where_telegram_refuses_one_bot_the_next_one_asks() {
    let stage = Scenery::new(2, 1).raise().await;
    operator_stops(&stage).await;
    let order = StopOrder::Set { until: None, rank: Rank::Administrator };
    let scope = StopScope::Chat(stage.chats[0]);
    for (order, by) in [(StopOrder::Lift { rank: Rank::Operator }, "operator"), (order, "telegram user 1")] {
        let stop = SetStop { scope, order, by: by.to_owned(), at: stage.node.clock.now() };
        stage.node.committer.commit(Operation::SetStop(stop)).await.unwrap();
    }
    knows_administrators(&stage);
    stage
        .telegram(0)
        .ranks(Err(TelegramError::CannotWrite { place: Shut::Outside, description: "not a member".to_owned() }));
    give(&stage, 900, "/start", Some(ADMINISTRATOR));
    stage.until("the chat is started", async |stage| stored(stage).await.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn i9_whom_no_bot_can_ask_about_counts_as_no_administrator() {
    let stage = Scenery::new(2, 1).raise().await;
    for bot in [0, 1] {
        stage
            .telegram(bot)
            .ranks(Err(TelegramError::CannotWrite { place: Shut::Outside, description: "not a member".to_owned() }));
    }
    give(&stage, 900, "/stop", Some(person().id));
    stage
        .until("the stop was noted and lifted", async |stage| {
            stored(stage).await.is_none() && stage.journal().count(|h| *h == Happening::Committed("set_stop")) == 2
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn i15_who_was_refused_silences_the_chat_no_more() {
    let stage = Scenery::new(1, 1).raise().await;
    knows_administrators(&stage);
    give(&stage, 900, "/stop", Some(person().id));
    let orders = |stage: &Stage| stage.journal().count(|h| *h == Happening::Committed("set_stop"));
    stage.until("the first one is doubted, and settled", async |stage| orders(stage) == 2).await;
    for again in 1..=10 {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        give(&stage, 900 + again, "/stop", Some(person().id));
        stage.until_at_rest().await;
        assert_eq!(stored(&stage).await, None, "nobody takes their word for it");
    }
    assert_eq!(orders(&stage), 2);
    give(&stage, 950, "/stop", Some(ADMINISTRATOR));
    stage.until("an administrator's word counts", async |stage| stored(stage).await.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn i15_who_was_refused_and_became_administrator_is_heard() {
    let stage = Scenery::new(1, 1).raise().await;
    knows_administrators(&stage);
    give(&stage, 900, "/stop", Some(person().id));
    stage
        .until("it is refused", async |stage| stage.journal().count(|h| *h == Happening::Committed("set_stop")) == 2)
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(40)).await;
    stage.telegram(0).ranks(Ok(HashMap::from([(person().id, true)])));
    give(&stage, 901, "/stop", Some(person().id));
    stage
        .until("the chat is stopped", async |stage| stored(stage).await.is_some_and(|stop| stop.doubts.is_empty()))
        .await;
}
