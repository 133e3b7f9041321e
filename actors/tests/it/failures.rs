//! A failure stays where it happened: I7, fallback, staleness, a store out of reach.

use std::time::Duration;

use botfleet_actors::actors::fleet::child::Child;
use botfleet_actors::domain::ids::{MessageId, TelegramUserId};
use botfleet_actors::domain::incoming::Event;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::llm::LlmError;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::Scenery;

fn down() -> Thought {
    Thought::Fail(LlmError::Unavailable("down".to_owned()))
}

#[tokio::test(start_paused = true)]
async fn i7_a_panicking_bot_leaves_others_working() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.telegram(0).every_poll(Some(Step::Panic));
    stage.person_says(0, "hello", &[0, 1]);
    stage.until_sent(1).await;
    stage.let_time_pass().await;
    let all = stage.journal().all();
    let healthy = stage.scenery.plan.bots[1].telegram_id;
    assert!(all.iter().all(|h| !matches!(h, Happening::Sent { bot, .. } if *bot != healthy)), "{all:#?}");
    assert_eq!(stage.journal().sent_texts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn i7_a_bot_whose_poll_panicked_polls_again() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.until("it polls", async |stage| !stage.telegram(0).offsets().is_empty()).await;
    stage.telegram(0).next_poll(Step::Panic);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    assert_eq!(stage.fleet().await.restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn i7_a_send_that_panics_is_unknown_and_its_bot_goes_on() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Panic);
    stage.person_says(0, "one", &[0]);
    stage.until_sent(1).await;
    stage.person_says(0, "two", &[0]);
    stage.until_sent(2).await;
    stage.let_time_pass().await;
    let texts = stage.journal().sent_texts();
    assert_eq!(texts.len(), 2);
    assert_ne!(texts[0], texts[1], "what may have been sent is not sent again");
    let depths = stage.store.rows.depths().await.unwrap();
    assert_eq!((depths.unknown, depths.outbox, depths.turns), (1, 0, 0), "it is shown, and nothing stays in hand");
}

#[tokio::test(start_paused = true)]
async fn i8_a_restarted_bot_takes_up_the_turns_that_it_had_in_hand() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "hello", &[0, 1]);
    stage
        .until("both turns are claimed", async |stage| {
            stage.llm(0).asked() == 2 && stage.journal().count(|h| *h == Happening::Committed("claim")) == 2
        })
        .await;
    stage.telegram(0).next_poll(Step::Panic);
    stage.until("the bot begins its turn again", async |stage| stage.llm(0).asked() == 3).await;
    stage.llm(0).hold(false);
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 2, "each turn is answered once");
    assert_eq!(stage.fleet().await.restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn i7_a_panicking_provider_leaves_others_working() {
    let mut stage = Scenery::new(2, 1).with_provider("second").raise().await;
    stage.llm(0).every(Some(Thought::Panic));
    for round in 0..8 {
        stage.person_says(0, &format!("line {round}"), &[0, 1]);
        stage.until_sent(2 * round + 2).await;
    }
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.len(), 24, "every line has its two answers");
}

#[tokio::test(start_paused = true)]
async fn i7_five_failures_quarantine_one_actor_and_a_person_releases_it() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.telegram(0).every_poll(Some(Step::Panic));
    stage.until("the bot is quarantined", async |stage| stage.fleet().await.quarantined.len() == 1).await;
    let polls = stage.telegram(0).offsets().len();
    assert_eq!(polls, 5);
    stage.let_time_pass().await;
    assert_eq!(stage.telegram(0).offsets().len(), polls, "it stays stopped");
    assert_eq!(stage.fleet().await.quarantined[0].actor, "bot bot-1");
    stage.person_says(0, "hello", &[0, 1]);
    stage.until_sent(1).await;
    stage.telegram(0).every_poll(None);
    assert!(!stage.release(Child::Bot(stage.bots[1])).await, "this one was never quarantined");
    assert!(stage.release(Child::Bot(stage.bots[0])).await);
    stage.until_sent(2).await;
    assert_eq!(stage.fleet().await.quarantined.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn i7_a_bot_that_cannot_poll_tries_again_for_ever() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.telegram(0).every_poll(Some(Step::Fail(TelegramError::Conflict("another poller".to_owned()))));
    stage.let_time_pass().await;
    stage.telegram(0).every_poll(None);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    let fleet = stage.fleet().await;
    assert_eq!((fleet.restarts, fleet.quarantined.len()), (0, 0), "an expected failure is no crash");
}

#[tokio::test(start_paused = true)]
async fn fallback_takes_over_when_the_first_provider_is_down() {
    let mut stage = Scenery::new(1, 1).with_provider("second").raise().await;
    stage.llm(0).every(Some(down()));
    for round in 1..=8 {
        stage.person_says(0, "hello", &[0]);
        stage.until_sent(round).await;
    }
    assert!(stage.journal().sent_texts().iter().all(|text| text.starts_with("second")));
    assert_eq!(stage.llm(0).asked(), 5, "its breaker opens after five failures");
    assert_eq!(stage.llm(1).asked(), 8);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_must_not_reach_a_chat_falls_back() {
    let mut stage = Scenery::new(1, 1).with_provider("second").raise().await;
    stage.llm(0).every(Some(Thought::Say("<think>they must not see this".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    assert!(stage.journal().sent_texts()[0].starts_with("second"));
    assert_eq!(stage.llm(0).asked(), 1, "another model is more likely to do better");
}

#[tokio::test(start_paused = true)]
async fn texts_that_are_kept_back_open_no_breaker() {
    let mut stage = Scenery::new(1, 1).with_provider("second").raise().await;
    let provoked = [
        "ha ".repeat(200),
        "<think>they must not see this".to_owned(),
        "{\"name\": \"search\", \"arguments\": {}}".to_owned(),
        "Error code: 429".to_owned(),
        "bot-1:".to_owned(),
        "well <|im_end|> <|im_start|>user".to_owned(),
        "\"\"".to_owned(),
    ];
    for (round, text) in provoked.iter().enumerate() {
        stage.llm(0).every(Some(Thought::Say(text.clone())));
        stage.person_says(0, "say it", &[0]);
        stage.until_sent(round + 1).await;
    }
    assert_eq!(stage.llm(0).asked(), provoked.len(), "the model is asked each time");
    stage.llm(0).every(None);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(provoked.len() + 1).await;
    assert!(stage.journal().sent_texts().last().is_some_and(|text| !text.starts_with("second")), "and speaks at once");
}

#[tokio::test(start_paused = true)]
async fn marks_of_a_broken_template_in_several_chats_open_the_breaker() {
    let mut stage = Scenery::new(1, 6).with_provider("second").raise().await;
    stage.llm(0).every(Some(Thought::Say("bir <|im_end|> iki".to_owned())));
    for round in 0..7 {
        stage.person_says(round % 6, "hello", &[0]);
        stage.until_sent(round + 1).await;
        stage.until_at_rest().await;
    }
    assert_eq!(stage.llm(0).asked(), 5, "once in each of five chats, and no more");
}

#[tokio::test(start_paused = true)]
async fn turns_wait_while_no_provider_answers() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).every(Some(down()));
    stage.person_says(0, "hello", &[0]);
    stage.until("three rounds failed", async |stage| stage.llm(0).asked() >= 3).await;
    stage.llm(0).every(None);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!(stage.journal().count(|h| *h == Happening::Committed("claim")), 1, "waiting is no failure of the turn");
}

#[tokio::test(start_paused = true)]
async fn a_stale_turn_expires() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].pacing.stale_after = Duration::from_secs(20);
    let mut stage = scenery.raise().await;
    stage.llm(0).every(Some(down()));
    stage.person_says(0, "hello", &[0]);
    stage
        .until("the turn is over", async |stage| {
            let outcomes = stage.outcomes().await;
            outcomes.iter().flat_map(|record| &record.turns).any(|turn| turn.state == TurnState::Expired)
        })
        .await;
    stage.llm(0).every(None);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_store_outage_kills_nobody() {
    let mut stage = Scenery::new(3, 2).raise().await;
    stage.person_says(0, "before", &[0, 1, 2]);
    stage.until_at_rest().await;
    stage.llm(0).hold(true);
    stage.person_says(1, "just before", &[0, 1]);
    stage.until("two bots think", async |stage| stage.llm(0).asked() == 5).await;
    stage.store.set_down(true);
    stage.llm(0).hold(false);
    stage.person_says(0, "during", &[0, 1, 2]);
    stage.person_says(1, "during", &[2]);
    stage.let_time_pass().await;
    assert!(stage.journal().count(|h| matches!(h, Happening::Failed(_))) > 10);
    assert_eq!(stage.journal().sent_texts().len(), 3, "nothing new goes out");
    stage.store.set_down(false);
    // Another person speaks: of one person's repeated calls only the newest would be answered.
    let mut after = stage.spoken(0, MessageId(7_000), "after");
    let Event::Message(message) = &mut after.event else { unreachable!() };
    message.author.id = TelegramUserId(78);
    for bot in 0..3 {
        stage.telegram(bot).receive(9_000, after.clone());
    }
    stage.until_sent(3 + 2 + 3 + 1 + 3).await;
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 12, "each turn is answered once");
    assert_eq!((stage.transcript(0).await.len(), stage.transcript(1).await.len()), (12, 5));
    let fleet = stage.fleet().await;
    assert_eq!((fleet.restarts, fleet.quarantined.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_reads_but_cannot_write_is_not_hammered() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.node.committer.hurry();
    stage.store.fail("advance", u64::MAX);
    stage.person_says(0, "hello", &[0]);
    stage.let_time_pass().await;
    let failed = stage.journal().count(|h| *h == Happening::Failed("advance"));
    assert!((10..=240).contains(&failed), "{failed} attempts in a minute");
    stage.store.fail("advance", 0);
    stage.until_sent(1).await;
}
