//! Loop physics limit sends whatever the director and the model say: I11.

use std::time::Duration;

use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

use crate::decree::decree;

async fn turns_done(stage: &Stage) -> bool {
    stage.journal().count(|h| *h == Happening::Committed("finish")) > 0
        && stage.store.rows.depths().await.unwrap().turns == 0
}

#[tokio::test(start_paused = true)]
async fn i11_depth_holds_whatever_the_director_says() {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].physics.chain_depth_max = Some(3);
    let stage = scenery.raise().await;
    decree(&stage, 1, 4).await;
    stage.until("the turn is over", turns_done).await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
    decree(&stage, 1, 3).await;
    stage.until_sent(1).await;
}

#[tokio::test(start_paused = true)]
async fn i11_the_pairs_window_holds_whatever_the_director_says() {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].physics.pair_per_ten_minutes = Some(2);
    let stage = scenery.raise().await;
    decree(&stage, 6, 1).await;
    stage.until("the turns are over", turns_done).await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 2);
    stage.until_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn i11_the_chats_window_holds_over_its_bots_and_over_a_restart() {
    let mut scenery = Scenery::new(3, 1);
    scenery.plan.chats[0].physics.chat_per_minute = Some(4);
    let mut stage = scenery.raise().await;
    stage.person_says(0, "all of you!", &[0, 1, 2]);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    let mut stage = stage.killed().await.raise().await;
    stage.person_says(0, "and again!", &[0, 1, 2]);
    stage.until_sent(6).await;
    let times = stage.journal().times(|h| matches!(h, Happening::Sent { .. }));
    for (at, later) in times.iter().zip(&times[4..]) {
        assert!(*later - *at >= Duration::from_secs(60), "five within a minute: {times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn i11_the_bots_hourly_cap_holds_over_its_chats() {
    let mut scenery = Scenery::new(1, 2);
    scenery.plan.bots[0].hourly_cap = Some(3);
    let mut stage = scenery.raise().await;
    for _ in 0..4 {
        stage.person_says(0, "hello", &[0]);
        stage.person_says(1, "hello", &[0]);
        stage.let_time_pass().await;
    }
    assert_eq!(stage.journal().sent_texts().len(), 3);
    let outcomes = stage.outcomes().await;
    let states = outcomes.iter().flat_map(|record| &record.turns).flat_map(|turn| &turn.messages);
    let cancelled = states.filter(|message| message.state == OutboxState::Cancelled).count();
    assert!(cancelled > 0, "what would be stale before it may go is given up: {outcomes:#?}");
}

#[tokio::test(start_paused = true)]
async fn i11_bots_that_only_talk_of_one_another_come_to_an_end() {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Natural;
    scenery.plan.chats[0].physics.chain_depth_max = Some(4);
    for bot in &mut scenery.plan.bots {
        bot.persona.talkativeness = 1.0;
    }
    let mut stage = scenery.raise().await;
    stage.llm(0).every(None);
    for line in 0..400 {
        stage.llm(0).next(Thought::Say(format!("bot-1, bot-2, what of {line}?")));
    }
    for _ in 0..5 {
        stage.person_says(0, "bot-1, bot-2, begin!", &[0, 1]);
        stage.until_at_rest().await;
    }
    let transcript = stage.transcript(0).await;
    assert!(transcript.len() > 10, "they do talk");
    assert!(transcript.iter().all(|entry| entry.chain_depth <= 4), "{transcript:#?}");
    assert!(transcript.iter().any(|entry| entry.chain_depth >= 2), "to one another, too");
}

#[tokio::test(start_paused = true)]
async fn i11_what_certainly_was_not_sent_uses_up_no_limit() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.bots[0].hourly_cap = Some(2);
    scenery.plan.chats[0].physics.chat_per_minute = Some(2);
    let mut stage = scenery.raise().await;
    let failures = [
        TelegramError::Unreachable("refused".to_owned()),
        TelegramError::RateLimited { retry_after: Duration::from_secs(1) },
        TelegramError::Unauthorized("Unauthorized".to_owned()),
        TelegramError::Unreachable("no route".to_owned()),
    ];
    for error in failures {
        stage.telegram(0).next_send(Step::Fail(error));
    }
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(5).await;
    stage.until_at_rest().await;
    stage.person_says(0, "and again", &[0]);
    stage.until_sent(6).await;
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.len(), 4, "two messages were sent, and as many are allowed");
    stage.person_says(0, "once more", &[0]);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 6, "what was sent counts as before");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_attempted_while_telegram_is_out_of_reach() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).out_of_reach(true);
    stage.person_says(0, "hello", &[0]);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
    assert_eq!(stage.journal().count(|h| *h == Happening::Committed("begin")), 0);
    stage.telegram(0).out_of_reach(false);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
}
