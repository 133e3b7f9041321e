//! Webhooks beside polling, and changes of the delivery mode: I1, I2.

use std::time::Duration;

use botfleet_actors::actors::bot::intake::messages::{DeliveryError, IntakeMsg};
use botfleet_actors::actors::bot::snapshot::BotHealth;
use botfleet_actors::domain::roster::DeliveryMode::{Polling, Webhook};
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

const URL: &str = "https://fleet.example/webhook/telegram/bot-1";

async fn until_receiving(stage: &Stage, at: usize) {
    stage
        .until("Telegram brings the updates", async |stage| matches!(stage.bot(at).await.health, BotHealth::Receiving))
        .await;
}

async fn until_polling(stage: &Stage, at: usize) {
    stage.until("the bot polls", async |stage| matches!(stage.bot(at).await.health, BotHealth::Polling)).await;
}

fn unreachable() -> Step {
    Step::Fail(TelegramError::Unreachable("no way".to_owned()))
}

#[tokio::test(start_paused = true)]
async fn i1_a_webhook_never_touches_the_offset() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.person_says(0, "by poll", &[0]);
    stage.until_at_rest().await;
    let polled = stage.store.rows.next_offset(stage.bots[0]).await.unwrap();
    assert!(polled.is_some());
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    assert_eq!(stage.store.rows.next_offset(stage.bots[0]).await.unwrap(), None, "forgotten with the change");
    stage.person_says(0, "by webhook", &[0]);
    stage.bring_all().await;
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!(stage.store.rows.next_offset(stage.bots[0]).await.unwrap(), None);
    assert_eq!(stage.bot(0).await.next_offset, None);
}

#[tokio::test(start_paused = true)]
async fn i1_the_first_poll_after_webhooks_sends_no_offset() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.person_says(0, "by poll", &[0]);
    stage.until_at_rest().await;
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    let polls = stage.telegram(0).offsets().len();
    // While the webhook was set, Telegram began to count anew: an old offset would confirm this update unseen.
    stage.telegram(0).receive(3, stage.spoken(0, botfleet_actors::domain::ids::MessageId(77), "after a quiet week"));
    stage.set_delivery(0, Polling).await.unwrap();
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!(stage.telegram(0).offsets()[polls], None);
    assert_eq!(stage.store.rows.next_offset(stage.bots[0]).await.unwrap(), Some(4));
}

#[tokio::test(start_paused = true)]
async fn i1_a_webhooks_answer_waits_for_the_commit() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    stage.store.fail("receive", 2);
    stage.person_says(0, "is anybody there?", &[0]);
    for unconfirmed in [1, 1, 0] {
        assert!(stage.bring(0).await);
        assert_eq!(stage.telegram(0).unconfirmed(), unconfirmed);
    }
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.len(), 2, "handled once");
}

#[tokio::test(start_paused = true)]
async fn i2_what_both_ways_bring_is_handled_once() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    stage.store.lose_answer("receive");
    stage.person_says(0, "only once, please", &[0]);
    assert!(stage.bring(0).await);
    assert_eq!(stage.telegram(0).unconfirmed(), 1, "Telegram was not told");
    stage.set_delivery(0, Polling).await.unwrap();
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 1);
    assert_eq!(stage.outcomes().await.len(), 2, "one update and one answer");
}

#[tokio::test(start_paused = true)]
async fn i1_an_ingest_in_hand_goes_before_the_change() {
    let mut stage = Scenery::new(1, 1).raise().await;
    until_polling(&stage, 0).await;
    stage.store.hold(true);
    stage.person_says(0, "in hand", &[0]);
    stage.let_time_pass_briefly().await;
    let bot = stage.node.directory.bot(stage.bots[0]).unwrap();
    let asked =
        |reply| botfleet_actors::actors::bot::messages::BotMsg::Intake(IntakeMsg::SetDelivery(Webhook, None, reply));
    let change = bot.call(asked, None);
    let release = async {
        stage.let_time_pass_briefly().await;
        stage.store.hold(false);
    };
    let (answer, ()) = tokio::join!(change, release);
    assert!(matches!(answer, Ok(ractor::rpc::CallResult::Success(Ok(())))));
    until_receiving(&stage, 0).await;
    assert_eq!(stage.store.rows.next_offset(stage.bots[0]).await.unwrap(), None);
    let order: Vec<_> = ["ingest", "set_delivery"]
        .map(|name| stage.journal().first(|h| *h == Happening::Committed(name)).unwrap())
        .into();
    assert!(order.is_sorted(), "{:#?}", stage.journal().all());
    stage.bring_all().await;
    stage.until_at_rest().await;
    assert_eq!(stage.journal().sent_texts().len(), 1, "brought a second time, handled once");
}

#[tokio::test(start_paused = true)]
async fn i1_a_crash_in_the_middle_of_a_change_loses_nothing() {
    let mut stage = Scenery::new(1, 1).raise().await;
    until_polling(&stage, 0).await;
    stage.telegram(0).next_webhook(Step::Hang);
    stage.set_delivery(0, Webhook).await.unwrap();
    stage.person_says(0, "in between", &[0]);
    let mut stage = stage.killed().await.raise().await;
    until_receiving(&stage, 0).await;
    let secret = stage.telegram(0).webhook().unwrap().secret;
    stage.bring_all().await;
    stage.until_sent(1).await;
    stage.telegram(0).next_webhook(Step::Hang);
    stage.set_delivery(0, Polling).await.unwrap();
    stage.person_says(0, "on the way back", &[0]);
    assert!(stage.telegram(0).webhook().is_some(), "it was not deleted before the crash");
    let mut stage = stage.killed().await.raise().await;
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert!(stage.telegram(0).webhook().is_none(), "what was left of our own is deleted");
    assert_eq!(stage.transcript(0).await.len(), 4);
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    assert_ne!(secret, stage.telegram(0).webhook().unwrap().secret, "each process has secrets of its own");
    stage.person_says(0, "and again", &[0]);
    stage.bring_all().await;
    stage.until_sent(3).await;
}

#[tokio::test(start_paused = true)]
async fn i1_nothing_polls_while_the_way_is_being_changed() {
    let scenery = Scenery::new(1, 1);
    scenery.telegram[0].every_me(Some(unreachable()));
    let mut stage = scenery.raise().await;
    stage.person_says(0, "hello", &[0]);
    stage.store.hold(true);
    let bot = stage.node.directory.bot(stage.bots[0]).unwrap();
    let asked =
        |reply| botfleet_actors::actors::bot::messages::BotMsg::Intake(IntakeMsg::SetDelivery(Webhook, None, reply));
    let change = bot.call(asked, None);
    let meanwhile = async {
        stage.let_time_pass_briefly().await;
        stage.telegram(0).every_me(None);
        stage.until("Telegram told who it is", async |stage| stage.bot(0).await.username.is_some()).await;
        stage.let_time_pass_briefly().await;
        stage.store.hold(false);
    };
    let (answer, ()) = tokio::join!(change, meanwhile);
    assert!(matches!(answer, Ok(ractor::rpc::CallResult::Success(Ok(())))));
    until_receiving(&stage, 0).await;
    assert_eq!(stage.telegram(0).offsets(), [], "no poll was made");
    stage.bring_all().await;
    stage.until_sent(1).await;
    assert_eq!(stage.store.rows.next_offset(stage.bots[0]).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn calls_about_webhooks_are_repeated_until_they_succeed() {
    let mut stage = Scenery::new(1, 1).raise().await;
    until_polling(&stage, 0).await;
    (0..3).for_each(|_| stage.telegram(0).next_webhook(unreachable()));
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    assert_eq!(stage.telegram(0).webhook().unwrap().url, URL);
    (0..3).for_each(|_| stage.telegram(0).next_webhook(unreachable()));
    stage.set_delivery(0, Polling).await.unwrap();
    until_polling(&stage, 0).await;
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_somebody_deleted_is_set_again() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    stage.telegram(0).set_foreign_webhook(None);
    stage.until("it is set again", async |stage| stage.telegram(0).webhook().is_some()).await;
    stage.telegram(0).set_foreign_webhook(Some("https://other.example/x"));
    stage.until("it is ours again", async |stage| stage.telegram(0).webhook().unwrap().url == URL).await;
}

#[tokio::test(start_paused = true)]
async fn another_programs_webhook_is_left_alone_unless_the_operator_allows_it() {
    let mut scenery = Scenery::new(1, 1);
    scenery.telegram[0].set_foreign_webhook(Some("https://other.example/1001:AAHsecret"));
    let stage = scenery.raise().await;
    let shown = |health: BotHealth| matches!(health, BotHealth::Degraded(why) if why.contains("delete_foreign"));
    stage.until("the bot says why", async |stage| shown(stage.bot(0).await.health)).await;
    stage.let_time_pass().await;
    let health = stage.bot(0).await.health;
    assert!(!format!("{health:?}").contains("AAHsecret"), "I12: {health:?}");
    assert!(stage.telegram(0).webhook().is_some());
    scenery = stage.killed().await;
    scenery.delete_foreign = true;
    let mut stage = scenery.raise().await;
    until_polling(&stage, 0).await;
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_address_there_are_no_webhooks() {
    let mut scenery = Scenery::new(1, 1);
    scenery.public_url = None;
    let stage = scenery.raise().await;
    assert_eq!(stage.set_delivery(0, Webhook).await, Err(DeliveryError::WebhooksOff));
    until_polling(&stage, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_stored_changes_nothing() {
    let mut stage = Scenery::new(1, 1).raise().await;
    until_polling(&stage, 0).await;
    stage.store.fail("set_delivery", 1);
    assert!(matches!(stage.set_delivery(0, Webhook).await, Err(DeliveryError::Store(_))));
    stage.person_says(0, "still by poll", &[0]);
    stage.until_sent(1).await;
    assert_eq!(stage.bot(0).await.delivery, "polling");
}

#[tokio::test(start_paused = true)]
async fn i2_to_and_fro_while_a_chat_talks_loses_and_doubles_nothing() {
    let mut stage = Scenery::new(2, 2).raise().await;
    for round in 0..12 {
        let mode = if round % 2 == 0 { Webhook } else { Polling };
        for chat in 0..2 {
            stage.person_says(chat, &format!("line {round}"), &[0, 1]);
        }
        stage.bring(round % 2).await;
        stage.store.fail("receive", 1);
        stage.set_delivery(0, mode).await.unwrap();
        stage.bring_all().await;
        stage.let_time_pass_briefly().await;
        stage.bring_all().await;
    }
    stage.set_delivery(0, Polling).await.unwrap();
    stage.until_sent(48).await;
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 48, "each bot answers each line once");
    assert_eq!((stage.transcript(0).await.len(), stage.transcript(1).await.len()), (36, 36));
}

#[tokio::test(start_paused = true)]
async fn a_renamed_bot_gets_its_updates_under_its_new_name() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    let mut plan = stage.scenery.plan.clone();
    let old = std::mem::replace(&mut plan.bots[0].name, "renamed".to_owned());
    for chat in &mut plan.chats {
        chat.bots.iter_mut().filter(|bot| **bot == old).for_each(|bot| "renamed".clone_into(bot));
    }
    stage.store.rows.apply_roster(&plan, stage.node.clock.now()).await.unwrap();
    stage.read_roster();
    let renamed = "https://fleet.example/webhook/telegram/renamed";
    stage
        .until("Telegram knows the new address", async |stage| {
            stage.telegram(0).webhook().is_some_and(|webhook| webhook.url == renamed)
        })
        .await;
    until_receiving(&stage, 0).await;
    stage.person_says(0, "who are you now?", &[0]);
    stage.bring_all().await;
    stage.until_sent(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_replaced_token_brings_its_secret_to_telegram() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.set_delivery(0, Webhook).await.unwrap();
    until_receiving(&stage, 0).await;
    let before = stage.telegram(0).webhook().unwrap().secret;
    let refused = || Step::Fail(TelegramError::Unauthorized("Unauthorized".to_owned()));
    stage.telegram(0).every_me(Some(refused()));
    stage.telegram(0).set_foreign_webhook(None);
    stage.telegram(0).next_webhook(refused());
    stage.until("the token is refused", async |stage| matches!(stage.bot(0).await.health, BotHealth::Refused(_))).await;
    stage.telegram(0).replace_token();
    until_receiving(&stage, 0).await;
    let after = stage.telegram(0).webhook().unwrap().secret;
    assert_ne!(before, after, "every node makes the same secret of the token that is in use");
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_polls_outlives_changes_of_the_way() {
    let stage = Scenery::new(1, 1).raise().await;
    let pause = Duration::from_secs(600);
    stage.telegram(0).every_poll(Some(Step::Fail(TelegramError::RateLimited { retry_after: pause })));
    stage.until("it is told", async |stage| matches!(stage.bot(0).await.health, BotHealth::Degraded(_))).await;
    stage.telegram(0).every_poll(None);
    let polls = stage.telegram(0).offsets().len();
    stage.set_delivery(0, Webhook).await.unwrap();
    stage.set_delivery(0, Polling).await.unwrap();
    tokio::time::sleep(pause * 9 / 10).await;
    assert_eq!(stage.telegram(0).offsets().len(), polls);
    until_polling(&stage, 0).await;
}
