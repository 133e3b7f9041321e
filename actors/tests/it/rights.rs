//! Rights of people: erasure requests, words in flight, copies in memory. I9.

use std::time::Duration;

use botfleet_actors::behaviour::novelty::guard::Said;
use botfleet_actors::domain::ids::{MessageId, TelegramChatId, TelegramUserId};
use botfleet_actors::domain::incoming::{ChatKind, Event, Incoming};
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::transcript::EntryKind;
use botfleet_actors::ports::llm::LlmError;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::{at, person};
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::stage::{Scenery, Stage};

/// Waits until the person's erasure request is fulfilled and none is open.
async fn until_fulfilled(stage: &Stage) {
    stage
        .until("the wish is fulfilled", async |stage| {
            let rights = stage.store.rows.rights(0).await.unwrap();
            rights.is_some_and(|rights| rights.pending.is_empty() && rights.forgotten.contains_key(&person().id))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_command_are_one_wish() {
    let mut stage = Scenery::new(5, 1).raise().await;
    stage.person_says(0, "/forgetme", &[0, 1, 2, 3, 4]);
    stage.until_at_rest().await;
    until_fulfilled(&stage).await;
    let rights = stage.store.rows.rights(0).await.unwrap().unwrap();
    assert_eq!(rights.seq, 2, "a wish, and its end");
    assert_eq!(stage.journal().count(|h| *h == Happening::Committed("set_right")), 1);
}

#[tokio::test(start_paused = true)]
async fn commands_of_two_people_that_bear_no_id_are_two_wishes() {
    let stage = Scenery::new(1, 1).raise().await;
    for (update, id) in [(1, 501), (2, 502)] {
        let mut spoken = stage.spoken(0, MessageId(0), "/optout.");
        if let Event::Message(message) = &mut spoken.event {
            message.author.id = TelegramUserId(id);
        }
        stage.telegram(0).receive(update, spoken);
    }
    stage.until_at_rest().await;
    let rights = stage.store.rows.rights(0).await.unwrap().unwrap();
    assert_eq!(rights.opted_out, [TelegramUserId(501), TelegramUserId(502)].into());
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_fails_is_tried_again_after_longer_and_longer_waits() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.person_says(0, "these are my words", &[0]);
    stage.until_at_rest().await;
    stage.store.fail("forget", 6);
    stage.person_says(0, "/forgetme", &[0]);
    stage.until("it fails", async |stage| stage.journal().count(|h| *h == Happening::Failed("forget")) == 1).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let failed = stage.journal().count(|h| *h == Happening::Failed("forget"));
    assert!((2..6).contains(&failed), "{failed} tries in eight seconds");
    until_fulfilled(&stage).await;
    assert_eq!(stage.store.rows.person(person().id).await.unwrap().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_chat_of_the_fleet_handles_is_not_kept() {
    let stage = Scenery::new(1, 1).raise().await;
    for (update, kind, chat) in [
        (1, ChatKind::Private, Some(TelegramChatId(77))),
        (2, ChatKind::Supergroup, Some(TelegramChatId(-999))),
        (3, ChatKind::Group, Some(stage.telegram_chat(0))),
    ] {
        let spoken = stage.spoken(0, MessageId(update), "between us");
        stage.telegram(0).receive(update, Incoming { chat, chat_kind: kind, ..spoken });
    }
    stage.until_at_rest().await;
    assert_eq!(stage.outcomes().await.len(), 3);
    let record = stage.store.rows.person(person().id).await.unwrap();
    assert_eq!(record.updates, 0, "neither words nor names");
}

#[tokio::test(start_paused = true)]
async fn what_bots_remember_of_who_is_forgotten_goes_with_it() {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Natural;
    let mut stage = scenery.raise().await;
    for (n, bot) in stage.bots.clone().into_iter().enumerate() {
        stage.node.said.note(bot, Said::new(&format!("her words, answered {n}")));
    }
    stage.person_says(0, "/forgetme", &[0, 1]);
    until_fulfilled(&stage).await;
    stage.until("nothing is remembered", async |stage| stage.node.said.lately().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_any_more_about_words_that_were_removed() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(Thought::Fail(LlmError::Garbage("half an answer".to_owned())));
    stage.llm(0).hold(true);
    stage.person_says(0, "these are my words", &[0]);
    stage.until("the model is asked", async |stage| stage.llm(0).asked() == 1).await;
    stage.person_says(0, "/forgetme", &[0]);
    until_fulfilled(&stage).await;
    stage.let_time_pass_briefly().await;
    stage.llm(0).hold(false);
    stage.until_at_rest().await;
    assert_eq!(stage.llm(0).asked(), 1, "the second try would hold the words again");
    let sent = stage.journal().sent_texts();
    assert!(sent.iter().all(|text| text.starts_with("Tamam")), "only the command is answered: {sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_chat_goes_on_while_what_is_stored_about_somebody_is_read() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.hold_records(true);
    stage.person_says(0, "/mydata", &[0]);
    stage.person_says(0, "good morning", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert!(!stage.journal().sent_texts()[0].starts_with("Hakkınızda"));
    stage.store.hold_records(false);
    stage.until_sent(2).await;
    assert!(stage.journal().sent_texts()[1].starts_with("Hakkınızda"), "{:?}", stage.journal().sent_texts());
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_about_somebody_is_told_once_a_minute() {
    let mut stage = Scenery::new(1, 1).raise().await;
    for _ in 0..4 {
        stage.person_says(0, "/mydata", &[0]);
    }
    stage.until_sent(1).await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 1);
    stage.person_says(0, "/mydata", &[0]);
    stage.until_sent(2).await;
}

#[tokio::test(start_paused = true)]
async fn i15_who_asks_to_be_forgotten_every_second_is_forgotten_now_and_then() {
    let mut stage = Scenery::new(1, 1).raise().await;
    for _ in 0..100 {
        stage.person_says(0, "hello", &[0]);
        stage.person_says(0, "/forgetme", &[0]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(300)).await;
    let rights = stage.store.rights(-1).await.unwrap().unwrap();
    assert!(rights.pending.is_empty(), "every wish is fulfilled: {:?}", rights.pending);
    assert!(stage.transcript(0).await.iter().all(|entry| entry.text.is_none()), "and nothing is left of what was said");
    let orders = rights.seq;
    assert!(orders < 250, "{orders} changes of rights");
    let commands = stage.transcript(0).await.iter().filter(|entry| entry.kind == EntryKind::Member).count();
    assert!(commands <= 60, "{commands} commands hold places");
}

#[tokio::test(start_paused = true)]
async fn i15_a_late_copy_of_an_opt_in_lifts_no_newer_opt_out() {
    let stage = Scenery::new(2, 1).raise().await;
    let dated = |id: i64, text: &str, seconds: u64| {
        let mut incoming = stage.spoken(0, MessageId(id), text);
        let Event::Message(message) = &mut incoming.event else { unreachable!() };
        message.date = at(0) + Duration::from_secs(seconds);
        incoming
    };
    let (old, new) = (dated(901, "/optin", 1), dated(902, "/optout", 5));
    stage.telegram(0).receive(7001, old.clone());
    stage.telegram(0).receive(7002, new);
    stage.until_at_rest().await;
    let stage = stage.killed().await.raise().await;
    stage.telegram(1).receive(7003, old);
    stage.telegram(1).receive(7004, stage.spoken(0, MessageId(903), "my words"));
    stage.until_at_rest().await;
    stage.let_time_pass_briefly().await;
    assert!(stage.node.people.rights().opted_out.contains(&person().id));
    assert!(stage.store.rights(-1).await.unwrap().unwrap().opted_out.contains(&person().id));
    let transcript = stage.transcript(0).await;
    let theirs = transcript.iter().filter(|entry| entry.fleet_bot.is_none() && entry.text.is_some());
    assert_eq!(theirs.count(), 0, "{transcript:#?}");
}
