//! Nothing wedges a chat: late copies of every kind, and rows that the store refuses. I2, I3, I7.

use std::num::NonZeroUsize;

use botfleet_actors::actors::chat::messages::ChatMsg;
use botfleet_actors::domain::ids::{MessageId, TelegramUserId};
use botfleet_actors::domain::inbox::OutcomeKind;
use botfleet_actors::domain::incoming::{Event, Incoming, Message};
use botfleet_actors::domain::roster::{ChatPolicy, DeliveryMode};
use botfleet_actors::domain::transcript::EntryKind;
use botfleet_actors::ports::outcomes::OutcomeRecord;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::{at, person};
use botfleet_actors::testkit::stage::{Scenery, Stage};
use proptest::prelude::*;

/// A fleet that remembers so few entries that most copies are late.
fn forgetful(bots: i64) -> Scenery {
    let mut scenery = Scenery::new(bots, 1);
    scenery.chats.window_entries = NonZeroUsize::MIN.saturating_add(2);
    scenery
}

/// Builds what a bot receives when something happens to a message.
fn happened(stage: &Stage, message_id: i64, what: impl FnOnce(Message) -> Event) -> Incoming {
    let spoken = stage.spoken(0, MessageId(message_id), "hello");
    let Event::Message(message) = spoken.event else { unreachable!("people speak in messages") };
    Incoming { event: what(message), ..spoken }
}

fn joined(message: Message) -> Event {
    Event::Message(Message { service: true, text: None, ..message })
}

fn edited(message: Message) -> Event {
    Event::Edited(Message { revision: 1_790_000_500, text: Some("hello there".to_owned()), ..message })
}

#[allow(clippy::needless_pass_by_value, reason = "one of several of the same shape")]
fn reacted(message: Message) -> Event {
    Event::Reaction {
        message_id: message.message_id,
        author: person(),
        emoji: vec!["👍".to_owned()],
        date: message.date,
    }
}

fn ordered(word: &'static str) -> impl FnOnce(Message) -> Event {
    move |message| {
        let kind = botfleet_actors::domain::incoming::EntityKind::BotCommand;
        let command = botfleet_actors::domain::incoming::Entity { kind, offset: 0, length: word.len() };
        Event::Message(Message { text: Some(word.to_owned()), entities: vec![command], ..message })
    }
}

fn dead(outcomes: &[OutcomeRecord]) -> Vec<&OutcomeRecord> {
    outcomes.iter().filter(|record| record.outcome == OutcomeKind::Dead.as_str()).collect()
}

/// Lets a person speak and waits for the answer. Returns the outcomes of all rows by then.
async fn still_answers(stage: &mut Stage) -> Vec<OutcomeRecord> {
    let said = stage.journal().sent_texts().len();
    stage.person_says(0, "is anybody still there?", &[0]);
    stage.until_sent(said + 1).await;
    stage.until_at_rest().await;
    let outcomes = stage.outcomes().await;
    assert!(outcomes.iter().all(|record| record.outcome != "pending"), "{outcomes:#?}");
    outcomes
}

#[tokio::test(start_paused = true)]
async fn i2_a_late_copy_of_every_kind_is_a_copy_after_a_restart() {
    type Happens = fn(Message) -> Event;
    let kinds: [(&str, Happens); 3] = [("a join", joined), ("an edit", edited), ("a reaction", reacted)];
    for (what, event) in kinds {
        let mut stage = forgetful(2).raise().await;
        let update = happened(&stage, 5, event);
        stage.telegram(0).receive(1, update.clone());
        stage.until_at_rest().await;
        for line in 0..30 {
            stage.person_says(0, &format!("line {line}"), &[0]);
        }
        stage.until_at_rest().await;
        let mut stage = stage.killed().await.raise().await;
        let sent = stage.journal().sent_texts().len();
        stage.telegram(1).receive(1, update);
        stage.until_at_rest().await;
        let outcomes = still_answers(&mut stage).await;
        assert!(dead(&outcomes).is_empty(), "{what}: {outcomes:#?}");
        assert_eq!(stage.journal().sent_texts().len(), sent + 1, "{what} seen twice is not answered twice");
        let refusals = stage.journal().count(|h| format!("{h:?}").contains("has an entry already"));
        assert_eq!(refusals, 0, "{what}: the store was asked before");
    }
}

#[tokio::test(start_paused = true)]
async fn i2_a_message_older_than_a_late_one_in_the_window_is_found_too() {
    let stage = forgetful(2).raise().await;
    let early = happened(&stage, 5, Event::Message);
    let message = happened(&stage, 900, Event::Message);
    stage.telegram(0).receive(1, message.clone());
    for late in 0..30 {
        stage.telegram(0).receive(10 + late, happened(&stage, 100 + late, Event::Message));
    }
    stage.telegram(0).receive(50, early);
    stage.until_at_rest().await;
    let mut stage = stage.killed().await.raise().await;
    stage.telegram(1).receive(1, message);
    stage.until_at_rest().await;
    let outcomes = still_answers(&mut stage).await;
    assert_eq!(outcomes.iter().filter(|record| record.message_id == Some(MessageId(900))).count(), 2);
    assert!(stage.journal().count(|h| format!("{h:?}").contains("has an entry already")) == 0);
}

#[tokio::test(start_paused = true)]
async fn i2_messages_without_an_id_are_told_apart_by_their_rows() {
    let stage = Scenery::new(2, 1).raise().await;
    let other = TelegramUserId(78);
    let second = |message: Message| {
        let Event::Message(mut message) = ordered("/optout")(message) else { unreachable!() };
        message.author.id = other;
        Event::Message(message)
    };
    stage.telegram(0).receive(1, happened(&stage, 0, ordered("/optout")));
    stage.telegram(1).receive(1, happened(&stage, 0, second));
    stage.until_at_rest().await;
    let commands: Vec<_> =
        stage.transcript(0).await.into_iter().filter(|entry| entry.kind == EntryKind::Member).collect();
    assert_eq!(commands.len(), 2, "{commands:#?}");
    let rights = stage.store.rights(-1).await.unwrap().unwrap();
    assert!(rights.opted_out.contains(&person().id) && rights.opted_out.contains(&other));
    let outcomes = stage.outcomes().await;
    assert!(outcomes.iter().filter(|r| r.source == "update").all(|r| r.outcome == "control"), "{outcomes:#?}");
}

#[tokio::test(start_paused = true)]
async fn i7_a_row_that_is_refused_twice_is_dead_and_the_rest_goes_on() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.refuse("advance", "poison");
    for text in ["before", "poison", "after"] {
        stage.person_says(0, text, &[0]);
    }
    let outcomes = still_answers(&mut stage).await;
    let [dead] = dead(&outcomes)[..] else { panic!("one row is dead: {outcomes:#?}") };
    assert!(dead.reason.as_ref().is_some_and(|why| why.contains("a row contradicts what is stored")), "{dead:?}");
    let heard: Vec<_> = stage.transcript(0).await.iter().filter_map(|entry| entry.text.clone()).collect();
    assert!(heard.contains(&"before".to_owned()) && heard.contains(&"after".to_owned()), "{heard:?}");
    assert_eq!(stage.journal().sent_texts().len(), 3, "and what could be read was answered");
}

#[tokio::test(start_paused = true)]
async fn i7_a_refused_row_ends_after_a_restart_in_between() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.refuse("advance", "poison");
    stage.person_says(0, "poison", &[0]);
    stage
        .until("the row was refused", async |stage| {
            stage.journal().count(|h| format!("{h:?}").contains("contradicts")) > 0
        })
        .await;
    let mut stage = stage.killed().await.raise().await;
    stage.store.refuse("advance", "poison");
    let outcomes = still_answers(&mut stage).await;
    assert_eq!(dead(&outcomes).len(), 1, "{outcomes:#?}");
}

#[tokio::test(start_paused = true)]
async fn i7_an_update_that_cannot_be_stored_is_dead_and_the_offset_goes_on() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.refuse("ingest", "poison");
    for text in ["before", "poison", "after"] {
        stage.person_says(0, text, &[0]);
    }
    let outcomes = still_answers(&mut stage).await;
    assert_eq!(dead(&outcomes).len(), 1, "{outcomes:#?}");
    assert_eq!(stage.journal().sent_texts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn i7_a_webhooks_update_that_cannot_be_stored_is_dead_and_confirmed() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.bots[0].delivery = DeliveryMode::Webhook;
    let mut stage = scenery.raise().await;
    stage.store.refuse("receive", "poison");
    stage.until("the webhook is set", async |stage| stage.telegram(0).webhook().is_some()).await;
    stage.person_says(0, "poison", &[0]);
    stage.person_says(0, "hello", &[0]);
    stage.bring(0).await;
    stage.bring(0).await;
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!(dead(&stage.outcomes().await).len(), 1, "Telegram brings it no more");
}

#[tokio::test(start_paused = true)]
async fn i7_a_message_whose_event_cannot_be_stored_is_sent_once_and_settled() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(botfleet_actors::testkit::scripted_llm::Thought::Say("poison".to_owned()));
    stage.store.refuse("settle", "text\\\":\\\"poison");
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    let outcomes = still_answers(&mut stage).await;
    assert_eq!(dead(&outcomes).len(), 1, "{outcomes:#?}");
    assert_eq!(stage.journal().sent_texts().len(), 2);
    assert_eq!(stage.store.rows.depths().await.unwrap().unknown, 0);
}

/// An event in a chat of the property test below.
#[derive(Clone, Debug)]
struct Happens {
    kind: u8,
    message: i64,
    seconds: u64,
    heard_by: Vec<usize>,
}

fn happens() -> impl Strategy<Value = Happens> {
    (0u8..10, 1i64..12, 0u64..4, prop::sample::subsequence(vec![0usize, 1, 2], 1..=3))
        .prop_map(|(kind, message, seconds, heard_by)| Happens { kind, message, seconds, heard_by })
}

fn incoming(stage: &Stage, happens: &Happens) -> Incoming {
    let date = at(happens.seconds);
    let message = |id: i64, what: fn(Message) -> Event| {
        // Far from the ids of the messages of `still_answers`.
        let id = if id == 0 { 0 } else { 10_000 + id };
        happened(stage, id, |message| what(Message { date, author: person(), ..message }))
    };
    match happens.kind {
        0 | 1 => message(happens.message, Event::Message),
        2 => message(100 + happens.message, joined),
        3 => message(happens.message, edited),
        4 => message(happens.message, reacted),
        5 => message(200 + happens.message, |message| ordered("/ai")(message)),
        6 => message(0, |message| ordered("/optin")(message)),
        7 => message(happens.message, |_| Event::Other { name: "poll".to_owned() }),
        8 => message(happens.message, |_| Event::Membership { can_post: true, is_admin: false }),
        _ => message(300 + happens.message, |message| {
            Event::Message(Message { text: Some("poison".to_owned()), ..message })
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// Sends every kind of update to any of three bots, in every order and delay, with restarts in between. In the end
    /// each row has its outcome, and a person who speaks is answered.
    #[test]
    fn i7_each_row_has_an_outcome_and_a_mention_is_answered(
        all in prop::collection::vec(happens(), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..120),
        restarts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut stage = forgetful(3).raise().await;
            stage.store.refuse("advance", "poison");
            let mut copies: Vec<(usize, Incoming)> = Vec::new();
            for happens in &all {
                let update = incoming(&stage, happens);
                copies.extend(happens.heard_by.iter().map(|bot| (*bot, update.clone())));
            }
            for (at, index) in order.iter().enumerate().take(copies.len()) {
                let other = index.index(copies.len());
                copies.swap(at, other);
            }
            let restarts: Vec<usize> = restarts.iter().map(|at| at.index(copies.len())).collect();
            for (id, (bot, update)) in copies.into_iter().enumerate() {
                if restarts.contains(&id) {
                    stage = stage.killed().await.raise().await;
                    stage.store.refuse("advance", "poison");
                }
                stage.telegram(bot).receive(1_000 + id as i64, update);
                if id % 3 == 0 {
                    stage.let_time_pass_briefly().await;
                }
            }
            stage.until_at_rest().await;
            let outcomes = still_answers(&mut stage).await;
            for record in dead(&outcomes) {
                assert!(record.reason.as_ref().is_some_and(|why| why.contains("contradicts")), "{record:?}");
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn i2_a_bot_that_is_brought_a_message_twice_answers_it_once() {
    let stage = Scenery::new(2, 1).raise().await;
    let message = happened(&stage, 5, Event::Message);
    stage.telegram(0).receive(1, message.clone());
    stage.telegram(1).receive(1, message.clone());
    stage.telegram(1).receive(2, message.clone());
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    let mut stage = stage.killed().await.raise().await;
    for bot in 0..2 {
        stage.telegram(bot).receive(10, message.clone());
    }
    stage.until_at_rest().await;
    still_answers(&mut stage).await;
    assert_eq!(stage.journal().sent_texts().len(), 3, "each bot once, and the last call");
}

#[tokio::test(start_paused = true)]
async fn i3_a_chat_reads_the_store_again_when_its_commits_are_answered_and_nothing_overtakes() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.person_says(0, "one", &[0]);
    stage.until_at_rest().await;
    stage.node.committer.hurry();
    stage.store.hold_with("advance");
    stage.person_says(0, "two", &[0]);
    stage.let_time_pass_briefly().await;
    let chat = stage.node.directory.chat(stage.chats[0]).unwrap();
    chat.actor.cast(ChatMsg::Reload).unwrap();
    stage.let_time_pass_briefly().await;
    stage.person_says(0, "three", &[0]);
    stage.let_time_pass_briefly().await;
    stage.store.hold(false);
    still_answers(&mut stage).await;
    // A chat memory that was read before that commit would number new entries as the commit did, and be refused.
    let refused = stage.journal().count(|h| matches!(h, Happening::Refused("advance", _)));
    assert_eq!(refused, 0, "{:#?}", stage.journal().all());
    let transcript = stage.transcript(0).await;
    let said = transcript.iter().filter(|entry| entry.author.kind.is_person());
    let texts: Vec<&str> = said.filter_map(|entry| entry.text.as_deref()).collect();
    assert_eq!(texts, ["one", "two", "three", "is anybody still there?"]);
}

#[tokio::test(start_paused = true)]
async fn i3_what_comes_while_a_backlog_is_read_does_not_overtake_it() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Mention;
    scenery.chats.window_entries = NonZeroUsize::MIN.saturating_add(1_000);
    let mut stage = scenery.raise().await;
    stage.node.committer.hurry();
    stage.store.fail("advance", u64::MAX);
    let lines: Vec<String> = (0..600).map(|line| format!("line {line}")).collect();
    for line in &lines[..590] {
        stage.person_says(0, line, &[0]);
    }
    stage.until("all is stored", async |stage| stage.store.rows.depths().await.unwrap().inbox == 590).await;
    let mut stage = stage.killed().await.raise().await;
    for line in &lines[590..] {
        stage.person_says(0, line, &[0]);
        stage.let_time_pass_briefly().await;
    }
    stage.until_at_rest().await;
    let transcript = stage.transcript(0).await;
    let texts: Vec<&str> = transcript.iter().filter_map(|entry| entry.text.as_deref()).collect();
    assert_eq!(texts, lines);
}
