//! Operators speak as bots, take them over, and delete what they said: I4, I9, I11, I14.

use std::time::Duration;

use botfleet_actors::domain::commit::operations::{EndTakeover, Operation, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::ids::Number;
use botfleet_actors::domain::operator_order::{OperatorOrder, OrderFruit, OrderId, OrderState, OrderTarget, OrderTask};
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::retraction::RetractionState;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::order_by;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

const HOUR: Duration = Duration::from_secs(3600);

/// Words that nobody else says.
const MARKER: &str = "bergamot";

async fn give(stage: &Stage, id: i64, by: &str, task: OrderTask) {
    let order = order_by(by, id, OrderTarget::Chat(stage.chats[0]), task, HOUR);
    stage.store.rows.give_order(&order).await.unwrap().expect("there is room");
}

async fn read(stage: &Stage, id: i64) -> OperatorOrder {
    stage.store.rows.operator_order(OrderId(id)).await.unwrap().expect("it is stored")
}

async fn over(stage: &Stage, id: i64) -> OperatorOrder {
    stage.until("the order is over", async |stage| read(stage, id).await.state.is_over()).await;
    read(stage, id).await
}

async fn say(stage: &Stage, id: i64, text: &str, reply_to: Option<i64>) -> OperatorOrder {
    let (bot, text) = (stage.bots[0], text.to_owned());
    give(stage, id, "ayse", OrderTask::Say { bot, text, reply_to: reply_to.map(Number) }).await;
    over(stage, id).await
}

async fn take_over(stage: &Stage, id: i64, by: &str) -> OperatorOrder {
    give(stage, id, by, OrderTask::TakeOver { bot: stage.bots[0], idle_ms: 600_000, take: false }).await;
    over(stage, id).await
}

fn code(order: &OperatorOrder) -> String {
    order.failure().unwrap_or_else(|| panic!("it was done: {order:?}")).code
}

fn sent_by(stage: &Stage, bot: usize) -> Vec<String> {
    let of = stage.scenery.plan.bots[bot].telegram_id;
    let texts = stage.journal().all().into_iter().filter_map(|happening| match happening {
        Happening::Sent { bot, text, .. } if bot == of => Some(text),
        _ => None,
    });
    texts.collect()
}

/// Returns the text of all prompts from that call on.
fn prompts(stage: &Stage, from: usize) -> String {
    format!("{:?}", &stage.llm(0).calls()[from..])
}

async fn stop(stage: &Stage, order: StopOrder) {
    let (scope, by, at) = (StopScope::Chat(stage.chats[0]), "test".to_owned(), stage.node.clock.now());
    stage.node.committer.commit(Operation::SetStop(SetStop { scope, order, by, at })).await.unwrap();
    stage.let_time_pass().await;
}

#[tokio::test(start_paused = true)]
async fn i4_whatever_the_store_answers_what_an_operator_says_is_said_once() {
    let mut stage = Scenery::new(1, 1).raise().await;
    for (id, lost) in [(1, false), (2, true)] {
        if lost {
            stage.store.lose_answer("say");
        } else {
            stage.store.fail("say", 3);
        }
        let done = say(&stage, id, &format!("I am here, number {id}."), None).await;
        assert!(matches!((done.state, done.fruit()), (OrderState::Done, Some(OrderFruit::Turn(_)))), "{done:?}");
        assert!(!done.arguments.to_string().contains("here"), "the words left the order: {done:?}");
        stage.until_sent(id as usize).await;
    }
    stage.until_at_rest().await;
    assert_eq!(sent_by(&stage, 0), ["I am here, number 1.", "I am here, number 2."]);
    assert_eq!(stage.llm(0).asked(), 0, "no model is asked, and no guard");
    let entries = stage.transcript(0).await;
    assert!(entries.len() == 2 && entries.iter().all(|entry| entry.by_operator && entry.chain_depth == 1));
    stage.person_says(0, "who are you?", &[0]);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    assert!(!stage.transcript(0).await.last().unwrap().by_operator);
    let lately = stage.store.rows.said_lately(stage.bots[0], 9).await.unwrap();
    assert_eq!(lately.len(), 1, "style and stances are measured by the bot's own words: {lately:?}");
}

#[tokio::test(start_paused = true)]
async fn i8_what_an_operator_says_survives_a_kill_and_is_said_once() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.store.hold_with("claim");
    let done = say(&stage, 1, "I am here.", None).await;
    assert_eq!(done.state, OrderState::Done);
    let stage = stage.killed().await.raise().await;
    stage.until_sent(1).await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), ["I am here."]);
}

#[tokio::test(start_paused = true)]
async fn i11_what_an_operator_says_counts_in_every_window_and_waits_for_it() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].physics.chat_per_minute = Some(2);
    let stage = scenery.raise().await;
    assert_eq!(take_over(&stage, 1, "ayse").await.state, OrderState::Done);
    stage.until_sent(1).await;
    for id in 2..5 {
        assert_eq!(say(&stage, id, &format!("line {id}"), None).await.state, OrderState::Done);
    }
    stage.until_sent(4).await;
    let times = stage.journal().times(|happening| matches!(happening, Happening::Sent { .. }));
    for (at, later) in times.iter().zip(&times[2..]) {
        assert!(*later - *at >= Duration::from_secs(60), "three within a minute: {times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn i14_who_is_taken_over_keeps_silent_until_that_ends_by_itself() {
    let mut stage = Scenery::new(2, 1).raise().await;
    let done = take_over(&stage, 1, "ayse").await;
    assert_eq!(done.fruit(), Some(OrderFruit::TakenOver { turns: 0, messages: 0 }));
    stage.until_sent(1).await;
    assert!(sent_by(&stage, 0)[0].contains("ekipten bir insan"), "people are told");
    stage.person_says(0, "hello to all", &[0, 1]);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!((sent_by(&stage, 0).len(), sent_by(&stage, 1).len()), (1, 1));
    assert_eq!(stage.llm(0).asked(), 1, "no model is paid for who is not chosen");
    let heard = stage.transcript(0).await.iter().find(|entry| entry.fleet_bot.is_none()).unwrap().number;
    let said = say(&stage, 2, "hello, I am a person", Some(heard.0)).await;
    assert_eq!(said.state, OrderState::Done);
    stage.until_sent(3).await;
    // The first end passes: the message has put it off.
    tokio::time::sleep(Duration::from_secs(590)).await;
    stage.person_says(0, "still there?", &[0, 1]);
    stage.until_sent(4).await;
    stage.until_at_rest().await;
    assert_eq!((sent_by(&stage, 0).len(), sent_by(&stage, 1).len()), (2, 2));
    tokio::time::sleep(Duration::from_secs(600)).await;
    stage.person_says(0, "and now?", &[0, 1]);
    stage.until_sent(6).await;
    assert_eq!((sent_by(&stage, 0).len(), sent_by(&stage, 1).len()), (3, 3), "nobody had to give it back");
}

#[tokio::test(start_paused = true)]
async fn i14_what_the_bot_had_in_hand_is_not_sent_and_what_it_hears_later_is_answered_again() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].takeover_notice = false;
    let mut stage = scenery.raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "think about this", &[0]);
    stage.until("the model thinks", async |stage| stage.llm(0).asked() == 1).await;
    assert_eq!(take_over(&stage, 1, "ayse").await.state, OrderState::Done);
    stage.llm(0).hold(false);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 0);
    let by = Some("ayse".to_owned());
    let end = EndTakeover { chat: stage.chats[0], bot: stage.bots[0], by, now: stage.node.clock.now() };
    stage.node.committer.commit(Operation::EndTakeover(end)).await.unwrap();
    stage.let_time_pass().await;
    stage.person_says(0, "and about this", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    let states = stage.outcomes().await.into_iter().flat_map(|record| record.turns).flat_map(|turn| turn.messages);
    let states: Vec<_> = states.map(|message| message.state).filter(|state| *state != OutboxState::Sent).collect();
    assert!(states.iter().all(|state| *state == OutboxState::Cancelled), "{states:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_operator_is_told_who_holds_the_bot() {
    let stage = Scenery::new(1, 1).raise().await;
    take_over(&stage, 1, "bora").await;
    let second = take_over(&stage, 2, "ayse").await;
    assert_eq!(code(&second), "taken_over");
    assert!(second.failure().unwrap().detail.contains("bora"));
    assert_eq!(code(&say(&stage, 3, "hello", None).await), "taken_over");
    stage.until_sent(1).await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), 1, "the notice alone");
    give(&stage, 4, "ayse", OrderTask::TakeOver { bot: stage.bots[0], idle_ms: 60_000, take: true }).await;
    assert_eq!(over(&stage, 4).await.state, OrderState::Done);
    assert_eq!(say(&stage, 5, "hello", None).await.state, OrderState::Done);
}

#[tokio::test(start_paused = true)]
async fn i9_a_stop_beats_who_speaks_as_a_bot() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].physics.chat_per_minute = Some(1);
    let stage = scenery.raise().await;
    assert_eq!(say(&stage, 1, "first", None).await.state, OrderState::Done);
    stage.until_sent(1).await;
    assert_eq!(say(&stage, 2, "second", None).await.state, OrderState::Done, "it waits for the window");
    stop(&stage, StopOrder::Set { until: None, rank: Rank::Administrator }).await;
    let refused = say(&stage, 3, "third", None).await;
    assert_eq!(code(&refused), "cannot_speak");
    stop(&stage, StopOrder::Lift { rank: Rank::Operator }).await;
    stage.let_time_pass().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), ["first"], "what waited when the stop came is given up");
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_bot_silent_is_told_to_who_speaks_as_it() {
    let mut scenery = Scenery::new(1, 2);
    scenery.plan.chats[0].physics.chain_depth_max = Some(1);
    let mut stage = scenery.raise().await;
    assert_eq!(code(&say(&stage, 1, "hello", Some(7)).await), "unknown_message");
    stage.person_says(0, "hello there", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!(code(&say(&stage, 2, "I agree with myself", Some(2)).await), "cannot_speak");
    let answered = say(&stage, 3, "and hello from me", Some(1)).await;
    assert_eq!(answered.state, OrderState::Done);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    let entries = stage.transcript(0).await;
    assert_eq!(entries[2].reply_to, Some(entries[0].message_id));
}

#[tokio::test(start_paused = true)]
async fn deleted_words_are_in_no_prompt_and_telegram_is_asked_until_it_answers() {
    let mut stage = Scenery::new(2, 1).raise().await;
    say(&stage, 1, &format!("I take {MARKER} tea"), None).await;
    stage.until_sent(1).await;
    stage.person_says(0, "what did you say?", &[0, 1]);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    assert!(prompts(&stage, 0).contains(MARKER), "the bots read it at first");
    let lost = TelegramError::Unknown("reset".to_owned());
    stage.telegram(0).next_deletion(Step::Fail(lost));
    let pause = TelegramError::RateLimited { retry_after: Duration::from_secs(30) };
    stage.telegram(0).next_deletion(Step::Fail(pause));
    let gone =
        TelegramError::Rejected { code: 400, description: "Bad Request: message to delete not found".to_owned() };
    stage.telegram(0).next_deletion(Step::Fail(gone));
    give(&stage, 2, "ayse", OrderTask::Delete { number: Number(1) }).await;
    assert_eq!(over(&stage, 2).await.fruit(), Some(OrderFruit::Retracted(1)));
    let asked = stage.llm(0).asked();
    stage.person_says(0, "say that again", &[0, 1]);
    stage.until_sent(5).await;
    stage.until_at_rest().await;
    assert!(stage.llm(0).asked() >= asked + 2 && !prompts(&stage, asked).contains(MARKER));
    let entry = stage.transcript(0).await.remove(0);
    assert!(entry.text.is_none() && entry.deleted_at.is_some() && entry.number == Number(1));
    let chat = stage.chats[0];
    let done = async |stage: &Stage| {
        let all = stage.store.rows.retractions(chat, 9).await.unwrap();
        all.iter().all(|one| one.state == RetractionState::Deleted)
    };
    stage.until("Telegram has answered", done).await;
    let times = stage.journal().times(|happening| matches!(happening, Happening::Deleted { .. }));
    assert!(times.len() == 3 && times[2] - times[1] >= Duration::from_secs(30), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn what_telegram_does_not_delete_is_told_and_forgotten_all_the_same() {
    let stage = Scenery::new(2, 1).raise().await;
    for id in 1..4 {
        say(&stage, id, &format!("{MARKER} number {id}"), None).await;
    }
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    let old = TelegramError::Rejected { code: 400, description: "Bad Request: message can't be deleted".to_owned() };
    stage.telegram(0).next_deletion(Step::Fail(old));
    give(&stage, 4, "ayse", OrderTask::Retract { bot: None, since: Timestamp::from_millis(0) }).await;
    assert_eq!(over(&stage, 4).await.fruit(), Some(OrderFruit::Retracted(3)));
    let chat = stage.chats[0];
    let all = async |stage: &Stage| stage.store.rows.retractions(chat, 9).await.unwrap();
    let answered = async |stage: &Stage| all(stage).await.iter().all(|one| one.state != RetractionState::Waiting);
    stage.until("Telegram has answered", answered).await;
    let refused: Vec<_> = all(&stage).await.into_iter().filter(|one| one.state == RetractionState::Refused).collect();
    assert_eq!((refused.len(), refused[0].tries), (1, 1));
    assert!(refused[0].error.as_ref().unwrap().contains("can't be deleted"));
    assert!(stage.transcript(0).await.iter().all(|entry| entry.text.is_none() && entry.deleted_at.is_some()));
    give(&stage, 5, "ayse", OrderTask::Delete { number: Number(1) }).await;
    assert_eq!(code(&over(&stage, 5).await), "unknown_message");
}
