//! From the outbox to Telegram: I4, I9, and the pauses that Telegram asks for.

use std::time::Duration;

use botfleet_actors::domain::commit::operations::{Operation, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

use crate::decree::decree;

/// Returns the states of all messages, by turn and part.
async fn messages(stage: &Stage) -> Vec<OutboxState> {
    let outcomes = stage.outcomes().await;
    let messages = outcomes.iter().flat_map(|record| &record.turns).flat_map(|turn| &turn.messages);
    messages.map(|message| message.state).collect()
}

async fn stop(stage: &Stage, stopped: bool) {
    let rank = Rank::Operator;
    let order = if stopped { StopOrder::Set { until: None, rank } } else { StopOrder::Lift { rank } };
    let stop = SetStop { scope: StopScope::Fleet, order, by: "test".to_owned(), at: stage.node.clock.now() };
    stage.node.committer.commit(Operation::SetStop(stop)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn i4_an_unknown_send_is_never_resent() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unknown("reset".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until("it is unknown", async |stage| stage.store.rows.depths().await.unwrap().unknown == 1).await;
    stage.let_time_pass().await;
    let stage = stage.killed().await.raise().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 1);
    assert_eq!(messages(&stage).await, [OutboxState::Unknown]);
}

#[tokio::test(start_paused = true)]
async fn i4_a_send_in_hand_at_a_crash_is_unknown_and_never_resent() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Hang);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    let stage = stage.killed().await.raise().await;
    assert_eq!(stage.tenure.sends_unknown, 1);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 1);
    assert_eq!(messages(&stage).await, [OutboxState::Unknown]);
}

#[tokio::test(start_paused = true)]
async fn i4_a_refused_connection_is_sent_again_later() {
    let mut stage = Scenery::new(1, 1).raise().await;
    for _ in 0..2 {
        stage.telegram(0).next_send(Step::Fail(TelegramError::Unreachable("refused".to_owned())));
    }
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    let texts = stage.journal().sent_texts();
    assert_eq!(texts.len(), 3);
    assert!(texts.iter().all(|text| *text == texts[0]), "the same message each time: {texts:?}");
    assert_eq!(messages(&stage).await, [OutboxState::Sent]);
}

#[tokio::test(start_paused = true)]
async fn i4_nothing_is_sent_before_sending_is_committed() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.fail("finish", 3);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    let committed = stage.journal().first(|h| *h == Happening::Committed("finish")).unwrap();
    let sent = stage.journal().first(|h| matches!(h, Happening::Sent { .. })).unwrap();
    assert!(committed < sent, "{:#?}", stage.journal().all());
    assert_eq!(stage.journal().count(|h| *h == Happening::Failed("finish")), 3);
    assert_eq!(stage.journal().sent_texts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_completion_waits_for_the_store() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "hello", &[0]);
    stage
        .until("the turn is claimed", async |stage| stage.journal().count(|h| *h == Happening::Committed("claim")) == 1)
        .await;
    stage.store.fail("finish", 3);
    stage.llm(0).hold(false);
    stage.until_sent(1).await;
    assert_eq!(stage.llm(0).asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn i4_a_message_that_waited_is_sent_only_after_its_begin_is_committed() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unreachable("refused".to_owned())));
    stage.store.fail("begin", 3);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    let committed = stage.journal().first(|h| *h == Happening::Committed("begin")).unwrap();
    let all = stage.journal().all();
    let again = all.iter().rposition(|h| matches!(h, Happening::Sent { .. })).unwrap();
    assert!(committed < again, "{all:#?}");
    assert_eq!(stage.journal().sent_texts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn i4_the_end_of_a_send_is_committed_however_often_the_store_fails() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.fail("settle", 5);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!(stage.journal().count(|h| *h == Happening::Failed("settle")), 5);
    assert_eq!(stage.journal().sent_texts().len(), 1);
    assert_eq!(stage.transcript(0).await.len(), 2, "others hear of it");
}

#[tokio::test(start_paused = true)]
async fn i4_parts_follow_one_another() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(Thought::Say(rows::distinct_words(2_000)));
    stage.person_says(0, "tell me everything", &[0]);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    assert_eq!(messages(&stage).await, [OutboxState::Sent; 3]);
    let texts: Vec<_> = stage.transcript(0).await.iter().filter_map(|entry| entry.text.clone()).collect();
    assert_eq!(texts[1..], stage.journal().sent_texts()[..], "the transcript has them in the order of sending");
}

#[tokio::test(start_paused = true)]
async fn i4_later_parts_are_given_up_after_an_unknown_part() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(Thought::Say(rows::distinct_words(2_000)));
    stage.telegram(0).next_send(Step::Accept);
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unknown("reset".to_owned())));
    stage.person_says(0, "tell me everything", &[0]);
    stage
        .until("the second part is unknown", async |stage| stage.store.rows.depths().await.unwrap().unknown == 1)
        .await;
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 2);
    assert_eq!(messages(&stage).await, [OutboxState::Sent, OutboxState::Unknown, OutboxState::Cancelled]);
}

#[tokio::test(start_paused = true)]
async fn i9_a_stop_lets_nothing_more_out() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "speak!", &[0, 1]);
    stage.until("both bots think", async |stage| stage.llm(0).asked() == 2).await;
    let claimed = |h: &Happening| *h == Happening::Committed("claim");
    stage.until("both turns are claimed", async |stage| stage.journal().count(claimed) == 2).await;
    stop(&stage, true).await;
    stage.llm(0).hold(false);
    stage.until_at_rest().await;
    stage.person_says(0, "speak, I say!", &[0, 1]);
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
    assert_eq!(
        messages(&stage).await,
        [OutboxState::Cancelled; 2],
        "what was claimed before; the rest is dropped unclaimed"
    );
    stop(&stage, false).await;
    stage.person_says(0, "now you may", &[0]);
    stage.until_sent(1).await;
}

#[tokio::test(start_paused = true)]
async fn i9_a_stop_overtakes_a_claim_that_is_kept_back() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "speak!", &[0]);
    stage.until("the bot thinks", async |stage| stage.llm(0).asked() == 1).await;
    stop(&stage, true).await;
    stage.llm(0).hold(false);
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
    assert_eq!(messages(&stage).await, [], "the turn ended before it made a message");
    assert_eq!(stage.outcomes().await[0].turns[0].state, TurnState::Dropped);
}

#[tokio::test(start_paused = true)]
async fn a_429_pauses_exactly_that_chat() {
    let pause = Duration::from_secs(34);
    let mut stage = Scenery::new(1, 2).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: pause }));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.person_says(0, "hello again", &[0]);
    stage.person_says(1, "hello, other chat", &[0]);
    stage.until_sent(4).await;
    let (paused, other) = (stage.telegram_chat(0), stage.telegram_chat(1));
    let times = |of| stage.journal().times(|h| matches!(h, Happening::Sent { chat, .. } if *chat == of));
    let (paused, other) = (times(paused), times(other));
    assert!(other[0] < paused[0] + Duration::from_secs(1), "the other chat does not wait");
    assert!(paused[1..].iter().all(|at| *at >= paused[0] + pause), "{paused:?}");
    assert_eq!((paused.len(), other.len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn the_pause_of_a_429_survives_a_restart() {
    let pause = Duration::from_secs(34);
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: pause }));
    stage.person_says(0, "hello", &[0]);
    stage.until("the pause is stored", async |stage| messages(stage).await == [OutboxState::RetryAt]).await;
    let stage = stage.killed().await.raise().await;
    stage.until_sent(2).await;
    let times = stage.journal().times(|h| matches!(h, Happening::Sent { .. }));
    assert!(times[1] >= times[0] + pause, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_message_ends_and_the_next_goes_out() {
    let mut stage = Scenery::new(1, 1).raise().await;
    let words = "Bad Request: message is too long".to_owned();
    stage.telegram(0).next_send(Step::Fail(TelegramError::Rejected { code: 400, description: words }));
    stage.person_says(0, "one", &[0]);
    stage.until_sent(1).await;
    stage.person_says(0, "two", &[0]);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!(messages(&stage).await, [OutboxState::Rejected, OutboxState::Sent]);
    let turns: Vec<_> = stage.outcomes().await.into_iter().flat_map(|record| record.turns).collect();
    assert!(turns.iter().all(|turn| turn.state == TurnState::Done), "{turns:#?}");
}

/// Makes the claims and the ends of two turns fail in the same commit; one of the turns was stored before.
async fn fail_claim_with_finish(stage: &mut Stage) {
    stage.node.committer.hurry();
    stage.store.hold(true);
    stage.person_says(1, "this keeps the store busy", &[1]);
    stage.until("the other bot has its turn", async |stage| stage.llm(0).asked() == 1).await;
    decree(stage, 1, 1).await;
    stage.until("both have turns behind a busy store", async |stage| stage.llm(0).asked() == 2).await;
    stage.let_time_pass_briefly().await;
    stage.store.fail("claim", 1);
    stage.store.hold(false);
}

#[tokio::test(start_paused = true)]
async fn i4_a_text_whose_turn_was_not_committed_is_never_sent() {
    let mut stage = Scenery::new(2, 2).raise().await;
    fail_claim_with_finish(&mut stage).await;
    stage.until_sent(2).await;
    stage.let_time_pass().await;
    let failed = stage.journal().count(|h| *h == Happening::Failed("claim"));
    assert_eq!((failed, stage.journal().count(|h| *h == Happening::Failed("finish"))), (2, 2), "all at once");
    let mut texts = stage.journal().sent_texts();
    texts.sort();
    assert_eq!(texts, ["sim says thing number 2.", "sim says thing number 3."], "numbers 0 and 1 were not committed");
    stage.until_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_try_that_was_not_committed_leaves_nothing_in_memory() {
    let mut stage = Scenery::new(2, 2).raise().await;
    fail_claim_with_finish(&mut stage).await;
    stage.until_sent(2).await;
    stage.let_time_pass().await;
    for at in 0..2 {
        let bot = stage.bot(at).await;
        assert_eq!((bot.turns_in_flight, bot.messages_waiting, bot.sends_in_flight), (0, 0, 0), "{bot:?}");
    }
}
