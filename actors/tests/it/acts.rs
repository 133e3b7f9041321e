//! The acts of a turn besides an answer: to say a given text, to open a topic, to react. I4, I9.

use std::time::Duration;

use botfleet_actors::domain::commit::operations::{Operation, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::ids::{Number, TurnId};
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::turn::{Act, TurnState};
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

use crate::decree::bid;

/// A chat in which a person has said something that nobody answers.
async fn quiet_room() -> Stage {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Mention;
    let mut stage = scenery.raise().await;
    stage.person_says(0, "what a day", &[0]);
    stage.until("it is heard", async |stage| stage.transcript(0).await.len() == 1).await;
    stage.until_at_rest().await;
    stage
}

async fn state(stage: &Stage, turn: TurnId) -> (TurnState, Option<String>) {
    let (turn, _) = stage.store.rows.turn(turn).await.unwrap().unwrap();
    (turn.progress.state, turn.progress.error)
}

async fn react(stage: &Stage) -> TurnId {
    bid(stage, |turn| {
        turn.act = Act::React { emoji: "👍".to_owned() };
        turn.target = Some(Number(1));
    })
    .await
}

fn reactions(stage: &Stage) -> Vec<tokio::time::Instant> {
    stage.journal().times(|happening| matches!(happening, Happening::Reacted { .. }))
}

#[tokio::test(start_paused = true)]
async fn i4_a_reaction_is_set_only_after_its_claim_is_committed() {
    let stage = quiet_room().await;
    stage.store.fail("claim", 2);
    let turn = react(&stage).await;
    stage.until("the turn is done", async |stage| state(stage, turn).await.0 == TurnState::Done).await;
    let claimed = stage.journal().first(|h| *h == Happening::Committed("claim")).unwrap();
    let reacted = stage.journal().first(|h| matches!(h, Happening::Reacted { .. })).unwrap();
    assert!(claimed < reacted, "{:#?}", stage.journal().all());
    assert_eq!((reactions(&stage).len(), stage.llm(0).asked(), stage.journal().sent_texts().len()), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reaction_in_doubt_is_set_again_and_a_refused_one_is_given_up() {
    let stage = quiet_room().await;
    stage.telegram(0).next_reaction(Step::Fail(TelegramError::Unknown("reset".to_owned())));
    stage.telegram(0).next_reaction(Step::Fail(TelegramError::Unreachable("refused".to_owned())));
    let turn = react(&stage).await;
    stage.until("the turn is done", async |stage| state(stage, turn).await.0 == TurnState::Done).await;
    assert_eq!(reactions(&stage).len(), 3);
    let invalid = TelegramError::Rejected { code: 400, description: "REACTION_INVALID".to_owned() };
    stage.telegram(0).next_reaction(Step::Fail(invalid));
    let refused = react(&stage).await;
    stage.until("it is given up", async |stage| state(stage, refused).await.0 == TurnState::Dropped).await;
    stage.let_time_pass().await;
    assert_eq!(reactions(&stage).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_429_for_a_reaction_pauses_the_chat() {
    let stage = quiet_room().await;
    stage.telegram(0).next_reaction(Step::Fail(TelegramError::RateLimited { retry_after: Duration::from_secs(7) }));
    let turn = react(&stage).await;
    stage.until("the turn is done", async |stage| state(stage, turn).await.0 == TurnState::Done).await;
    let times = reactions(&stage);
    assert!(times.len() == 2 && times[1] - times[0] >= Duration::from_secs(7), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn i9_a_stop_drops_whatever_a_turn_asks_for_and_spares_the_money() {
    let stage = quiet_room().await;
    let scope = StopScope::Chat(stage.chats[0]);
    let (by, at) = ("test".to_owned(), stage.node.clock.now());
    let until = Some(at + Duration::from_secs(600));
    let order = StopOrder::Set { until, rank: Rank::Operator };
    let stop = SetStop { scope, order, by, at };
    stage.node.committer.commit(Operation::SetStop(stop)).await.unwrap();
    let acts = [
        Act::React { emoji: "👍".to_owned() },
        Act::Say { text: "I am a bot.".to_owned(), by_operator: false },
        Act::Open { topic: None, thread: None, recalls: None },
        Act::Answer,
    ];
    stage.llm(0).hold(true);
    let mut turns = Vec::new();
    for act in acts {
        turns.push(bid(&stage, |turn| (turn.act, turn.target) = (act, Some(Number(1)))).await);
        stage.let_time_pass_briefly().await;
    }
    for turn in &turns {
        stage.until("it is dropped", async |stage| state(stage, *turn).await.0 == TurnState::Dropped).await;
        let (_, error) = state(&stage, *turn).await;
        assert!(error.is_some_and(|error| error.starts_with("stopped")));
    }
    stage.llm(0).hold(false);
    stage.let_time_pass().await;
    assert_eq!((reactions(&stage).len(), stage.journal().sent_texts().len()), (0, 0));
    let bot = stage.bot(0).await;
    assert_eq!((bot.turns_in_flight, bot.turns_waiting, bot.messages_waiting), (0, 0, 0), "{bot:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    react(&stage).await;
    stage.until("the stop has run out", async |stage| reactions(stage).len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_given_text_is_said_at_once_without_model_and_typing() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Mention;
    scenery.plan.chats[0].pacing.enabled = true;
    let stage = scenery.raise().await;
    stage.let_time_pass_briefly().await;
    let text = "I am a bot, and my words come from a model. ".repeat(4).trim().to_owned();
    let said = text.clone();
    let before = tokio::time::Instant::now();
    let turn = bid(&stage, |turn| turn.act = Act::Say { text: said, by_operator: false }).await;
    stage.until_sent(1).await;
    assert!(before.elapsed() < Duration::from_secs(2), "nobody types it: {:?}", before.elapsed());
    assert_eq!((stage.journal().sent_texts(), stage.llm(0).asked()), (vec![text], 0));
    stage.until_at_rest().await;
    assert_eq!(state(&stage, turn).await.0, TurnState::Done);
}

#[tokio::test(start_paused = true)]
async fn the_topic_of_a_turn_reaches_the_model() {
    let stage = quiet_room().await;
    bid(&stage, |turn| turn.act = Act::Open { topic: Some("old trains".to_owned()), thread: None, recalls: None })
        .await;
    stage.until_sent(1).await;
    let calls = stage.llm(0).calls();
    assert!(calls[0].1.messages.last().unwrap().content.contains("old trains"), "{calls:#?}");
}

#[tokio::test(start_paused = true)]
async fn i9_a_reaction_that_is_tried_again_sees_a_stop_that_came_after_its_claim() {
    let stage = quiet_room().await;
    stage.telegram(0).next_reaction(Step::Fail(TelegramError::RateLimited { retry_after: Duration::from_secs(7) }));
    let turn = react(&stage).await;
    stage.until("it was limited", async |stage| reactions(stage).len() == 1).await;
    let order = StopOrder::Set { until: None, rank: Rank::Operator };
    let stop = SetStop { scope: StopScope::Fleet, order, by: "test".to_owned(), at: stage.node.clock.now() };
    stage.node.committer.commit(Operation::SetStop(stop)).await.unwrap();
    stage.until("the turn is dropped", async |stage| state(stage, turn).await.0 == TurnState::Dropped).await;
    assert_eq!(reactions(&stage).len(), 1);
    assert!(state(&stage, turn).await.1.is_some_and(|error| error.starts_with("stopped")));
}
