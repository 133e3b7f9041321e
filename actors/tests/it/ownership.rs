//! Epochs, crashes and restarts: I6, I8.

use std::time::Duration;

use botfleet_actors::domain::commit::outcome::Refusal;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

/// Lets another process take all leases.
async fn take_over(stage: &Stage) {
    stage.store.rows.reopened().begin_tenure("another", stage.node.clock.now()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn i6_a_fenced_bot_sends_nothing() {
    let mut stage = Scenery::new(1, 1).raise().await;
    let pause = Duration::from_secs(5);
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: pause }));
    stage.person_says(0, "hello", &[0]);
    stage
        .until("the message waits", async |stage| stage.journal().count(|h| *h == Happening::Committed("settle")) == 1)
        .await;
    take_over(&stage).await;
    let ruled = |h: &Happening| matches!(h, Happening::Committed("begin") | Happening::Refused("begin", _));
    stage.until("the message is begun again", async |stage| stage.journal().count(ruled) > 0).await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 1, "only the attempt before the other process came");
    assert!(stage.journal().first(|h| *h == Happening::Refused("begin", Refusal::Fenced)).is_some());
}

#[tokio::test(start_paused = true)]
async fn i6_a_fenced_bots_completion_is_discarded() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "hello", &[0]);
    stage
        .until("the turn is claimed", async |stage| {
            stage.llm(0).asked() == 1 && stage.journal().count(|h| *h == Happening::Committed("claim")) == 1
        })
        .await;
    take_over(&stage).await;
    stage.llm(0).hold(false);
    stage
        .until("the end of the turn is judged", async |stage| {
            stage.journal().count(|h| matches!(h, Happening::Refused("finish", _) | Happening::Committed("finish"))) > 0
        })
        .await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn i6_a_fenced_bot_and_chat_take_nothing_and_leave() {
    let mut stage = Scenery::new(1, 1).raise().await;
    take_over(&stage).await;
    stage.person_says(0, "hello", &[0]);
    stage
        .until("both have left", async |stage| {
            stage.node.directory.live_bots().is_empty() && stage.node.directory.live_chats().is_empty()
        })
        .await;
    assert_eq!(stage.telegram(0).unconfirmed(), 1, "the update waits for the owner");
    assert_eq!(stage.outcomes().await.len(), 0);
    let fleet = stage.fleet().await;
    assert_eq!((fleet.restarts, fleet.quarantined.len()), (0, 0), "leaving is no failure");
}

#[tokio::test(start_paused = true)]
async fn i6_an_attempts_own_end_is_settled_whoever_owns_the_bot() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.fail("settle", 2);
    stage.person_says(0, "hello", &[0]);
    stage
        .until("it is sent and not settled", async |stage| {
            stage.journal().count(|h| *h == Happening::Failed("settle")) == 1
        })
        .await;
    take_over(&stage).await;
    assert_eq!(stage.store.rows.depths().await.unwrap().unknown, 1);
    stage
        .until("the late result resolves it", async |stage| stage.store.rows.depths().await.unwrap().unknown == 0)
        .await;
    assert_eq!(stage.journal().sent_texts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn i8_a_fleet_stopped_in_the_middle_takes_up_its_turns() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "what now?", &[0, 1]);
    stage
        .until("both turns are claimed", async |stage| {
            stage.llm(0).asked() == 2 && stage.journal().count(|h| *h == Happening::Committed("claim")) == 2
        })
        .await;
    let scenery = stage.killed().await;
    scenery.llms[0].hold(false);
    let stage = scenery.raise().await;
    assert_eq!(stage.tenure.turns_requeued, 2);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 2, "each turn is answered once");
    let transcript = stage.transcript(0).await;
    assert_eq!(transcript.len(), 3);
    assert!(transcript[1..].iter().all(|entry| entry.reply_to == Some(transcript[0].message_id)), "{transcript:#?}");
}

#[tokio::test(start_paused = true)]
async fn i8_rows_that_no_chat_has_handled_are_handled_by_the_next_process() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.node.committer.hurry();
    stage.store.fail("advance", u64::MAX);
    stage.person_says(0, "hello", &[0]);
    stage.until("the update is confirmed", async |stage| stage.telegram(0).unconfirmed() == 0).await;
    assert_eq!(stage.transcript(0).await.len(), 0);
    let stage = stage.killed().await.raise().await;
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn i8_a_turn_that_kills_its_process_three_times_is_a_dead_letter() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "the poisonous one", &[0]);
    for claims in 1..=3 {
        stage
            .until("the turn is claimed", async |stage| {
                stage.journal().count(|h| *h == Happening::Committed("claim")) == claims
            })
            .await;
        stage = stage.killed().await.raise().await;
    }
    assert_eq!((stage.tenure.turns_dead, stage.tenure.turns_requeued), (1, 0));
    stage.llm(0).hold(false);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
    let outcomes = stage.outcomes().await;
    assert_eq!(outcomes[0].turns[0].state, TurnState::Dead);
}
