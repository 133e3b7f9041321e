//! Claims about rows that go when they are older than their use (I3, I16). Part of the testkit.

use std::time::Duration;

use super::send::begin;
use super::{Home, Scene};
use crate::domain::commit::operations::{Advance, Operation, Settle, TurnEnding};
use crate::domain::decision::{Cause, Decision};
use crate::domain::ids::{AttemptId, ChatId, Number};
use crate::domain::outbox::{OutboxMessage, SendResult};
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Turn;
use crate::ports::archive::DecisionQuery;
use crate::ports::store::{Kept, Store};
use crate::testkit::rows::{
    advance, appended, at, claim, decision, entry, finish, ingest, message, plan, sent, start, turn, update,
};

claims! {
    $ __claims_of_growth of growth:
    rows_go_when_they_are_older_than_their_use
    parts_of_a_text_go_together
    no_decision_goes_before_its_texts
    a_chat_that_keeps_texts_for_ever_keeps_its_transcript
    no_number_goes_before_those_below_it
    an_entry_outlives_the_copies_of_its_message
}

const DAY: Duration = Duration::from_hours(24);

/// Periods that tell the kinds of rows apart.
pub(super) const KEPT: Kept =
    Kept { handled: Duration::from_hours(72), decisions: DAY.saturating_mul(40), letters: DAY.saturating_mul(60) };

/// Returns the numbers of the chat's entries and of its decisions.
pub(super) async fn numbers(store: &dyn Store, chat: ChatId) -> (Vec<i64>, Vec<i64>) {
    let entries = store.entries(chat, Number(0), 99).await.unwrap();
    let query =
        DecisionQuery { after: Some(crate::domain::ids::DecisionNumber(0)), limit: 99, ..DecisionQuery::default() };
    let decisions = store.decisions(chat, &query).await.unwrap();
    (entries.iter().map(|entry| entry.number.0).collect(), decisions.iter().map(|made| made.number.0).collect())
}

/// Stores an entry for each of these dates, each of which asked for a decision with a turn of the bot.
async fn said(scene: &Scene, dates: &[Timestamp]) -> Vec<Turn> {
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let mut made = Vec::new();
    for (number, date) in (1..).zip(dates) {
        let turn = Turn { created_at: *date, ..turn(30 + number, chat, number, bot) };
        let step = Advance {
            entries: vec![TranscriptEntry { date: *date, ..entry(chat, number, number) }],
            handled: vec![appended(number, number, Some(number))],
            decisions: vec![Decision { at: *date, ..decision(chat, number, Cause::Entry(Number(number))) }],
            turns: vec![turn.clone()],
            ..advance(chat, scene.epoch, number - 1, number)
        };
        let rows =
            vec![crate::domain::inbox::InboxRow { received_at: *date, ..update(number, bot, chat, 700 + number) }];
        scene.commit_all(vec![ingest(bot, scene.epoch, rows), Operation::Advance(step)]).await;
        made.push(turn);
    }
    made
}

/// Lets a turn say a message.
async fn answer(scene: &Scene, turn: &Turn) -> OutboxMessage {
    let answer = OutboxMessage { created_at: turn.created_at, ..message(turn.id.0 + 10, turn) };
    let ending = TurnEnding::Said { messages: vec![answer.clone()], begin: None };
    scene.commit_all(vec![claim(turn, scene.epoch), finish(turn, scene.epoch, ending)]).await;
    answer
}

/// Returns which of these messages, and of their turns, are stored.
async fn stored(scene: &Scene, messages: &[&OutboxMessage]) -> Vec<(bool, bool)> {
    let mut stored = Vec::new();
    for message in messages {
        let turn = scene.store.turn(message.turn).await.unwrap().is_some();
        stored.push((scene.store.message(message.id).await.unwrap().is_some(), turn));
    }
    stored
}

/// Removes what is old at that time, as a fleet does.
pub(super) async fn tidy(store: &dyn Store, now: Timestamp) {
    store.expire(now).await.unwrap();
    store.prune(now, &KEPT).await.unwrap();
}

fn unknown(message: &OutboxMessage, attempt: i64) -> Operation {
    Operation::Settle(Settle {
        outbox: message.id,
        attempt: AttemptId(attempt),
        result: SendResult::Unknown("reset".to_owned()),
        event: None,
        pauses: Vec::new(),
        unsent: None,
    })
}

/// I3, I16: entries, decisions, turns and messages go at their age, from below; what people decide on goes later, and
/// what waits stays; the chat counts on.
pub async fn rows_go_when_they_are_older_than_their_use(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let [chat, _] = scene.chats;
    let turns = said(&scene, &[at(0), at(1), at(2) + DAY * 20]).await;
    let (first, lost) = (answer(&scene, &turns[0]).await, answer(&scene, &turns[1]).await);
    scene.commit_all(vec![begin(&scene, &first, start(51, at(5))), sent(&first, 51, 900, 61)]).await;
    let told = Advance { entries: vec![], handled: vec![appended(61, 1, None)], ..advance(chat, scene.epoch, 3, 61) };
    scene.commit_all(vec![Operation::Advance(told)]).await;
    scene.commit_all(vec![begin(&scene, &lost, start(52, at(5))), unknown(&lost, 52)]).await;

    tidy(&*scene.store, at(0) + DAY * 30).await;
    assert_eq!(numbers(&*scene.store, chat).await, (vec![1, 2, 3], vec![1, 2, 3]), "nothing is older than that");
    tidy(&*scene.store, at(1) + DAY * 30).await;
    assert_eq!(numbers(&*scene.store, chat).await, (vec![2, 3], vec![1, 2, 3]));
    tidy(&*scene.store, at(0) + DAY * 40).await;
    assert_eq!(numbers(&*scene.store, chat).await, (vec![3], vec![1, 2, 3]));
    tidy(&*scene.store, at(9) + DAY * 40).await;
    assert_eq!(numbers(&*scene.store, chat).await, (vec![3], vec![3]));
    let all = [&first, &lost];
    assert_eq!(stored(&scene, &all).await, [(false, false), (true, true)], "people decide on a letter");

    let scene = scene.reopen(home).await;
    tidy(&*scene.store, at(9) + DAY * 61).await;
    assert_eq!(numbers(&*scene.store, chat).await, (vec![], vec![]));
    assert_eq!(stored(&scene, &all).await, [(false, false), (false, false)]);
    assert!(scene.store.turn(turns[2].id).await.unwrap().is_some(), "what waits waits on");
    let memory = scene.store.chat_memory(chat, 9).await.unwrap();
    assert_eq!((memory.last_number.0, memory.last_decision.0, memory.recent.len()), (3, 3, 0));
    let rows = vec![update(9, scene.bots[0], chat, 709)];
    let step = Operation::Advance(advance(chat, scene.epoch, 3, 9));
    scene.commit_all(vec![ingest(scene.bots[0], scene.epoch, rows), step]).await;
    assert_eq!(numbers(&*scene.store, chat).await.0, [4]);
    assert_eq!(scene.store.prune(at(9) + DAY * 20, &KEPT).await.unwrap(), 1, "the handled row");
}

/// I13: the parts of one text go together, since a person may have the rest of it sent.
pub async fn parts_of_a_text_go_together(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let turns = said(&scene, &[at(0)]).await;
    let part =
        |part: u32| OutboxMessage { created_at: at(0), part, parts: 2, ..message(41 + i64::from(part), &turns[0]) };
    let parts = [part(0), part(1)];
    let ending = TurnEnding::Said { messages: parts.to_vec(), begin: None };
    scene.commit_all(vec![claim(&turns[0], scene.epoch), finish(&turns[0], scene.epoch, ending)]).await;
    scene.commit_all(vec![begin(&scene, &parts[0], start(51, at(5))), sent(&parts[0], 51, 900, 61)]).await;
    scene.commit_all(vec![begin(&scene, &parts[1], start(52, at(5))), unknown(&parts[1], 52)]).await;
    let all = [&parts[0], &parts[1]];
    tidy(&*scene.store, at(9) + DAY * 50).await;
    assert_eq!(stored(&scene, &all).await, [(true, true), (true, true)]);
    tidy(&*scene.store, at(9) + DAY * 61).await;
    assert_eq!(stored(&scene, &all).await, [(false, false), (false, false)]);
}

/// Decisions stay while their texts do: the texts of their messages are found through them.
pub async fn no_decision_goes_before_its_texts(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let [chat, _] = scene.chats;
    let mut keeping = plan(2, 2);
    keeping.chats[0].retention_days = 50;
    scene.store.apply_roster(&keeping, at(0)).await.unwrap();
    let turns = said(&scene, &[at(0)]).await;
    let lost = answer(&scene, &turns[0]).await;
    scene.commit_all(vec![begin(&scene, &lost, start(52, at(5))), unknown(&lost, 52)]).await;
    tidy(&*scene.store, at(9) + DAY * 45).await;
    let text = async || scene.store.message(lost.id).await.unwrap().map(|message| message.text);
    assert_eq!((numbers(&*scene.store, chat).await.1, text().await), (vec![1], Some(lost.text.clone())));
    tidy(&*scene.store, at(9) + DAY * 51).await;
    assert_eq!((numbers(&*scene.store, chat).await.1, text().await), (vec![], Some(String::new())));
}

/// A chat that keeps its texts for ever keeps its transcript, and nothing else.
pub async fn a_chat_that_keeps_texts_for_ever_keeps_its_transcript(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let [chat, _] = scene.chats;
    let mut keeping = plan(2, 2);
    keeping.chats[0].retention_days = 0;
    scene.store.apply_roster(&keeping, at(0)).await.unwrap();
    let turns = said(&scene, &[at(0), at(1)]).await;
    let first = answer(&scene, &turns[0]).await;
    scene.commit_all(vec![begin(&scene, &first, start(51, at(5))), sent(&first, 51, 900, 61)]).await;
    let told = Advance { entries: vec![], handled: vec![appended(61, 1, None)], ..advance(chat, scene.epoch, 2, 61) };
    scene.commit_all(vec![Operation::Advance(told)]).await;
    scene.store.prune(at(9) + DAY * 400, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await, (vec![1, 2], vec![]));
    assert_eq!(stored(&scene, &[&first]).await, [(false, false)]);
}

/// I3: above the mark no number is missing, also when messages came in another order than their dates, or a copy of an
/// old one still waits.
pub async fn no_number_goes_before_those_below_it(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    said(&scene, &[at(0), at(0) + DAY * 20, at(0)]).await;
    let copy = vec![update(9, bot, chat, 709)];
    scene.commit_all(vec![ingest(bot, scene.epoch, copy)]).await;
    tidy(&*scene.store, at(9) + DAY * 41).await;
    assert_eq!(numbers(&*scene.store, chat).await, (vec![1, 2, 3], vec![2, 3]), "a copy may be of the first message");
    let step = Advance { entries: vec![], handled: vec![appended(9, 1, None)], ..advance(chat, scene.epoch, 3, 9) };
    scene.commit_all(vec![Operation::Advance(step)]).await;
    tidy(&*scene.store, at(9) + DAY * 41).await;
    assert_eq!(numbers(&*scene.store, chat).await, (vec![2, 3], vec![2, 3]));
}

/// A short retention removes texts, not rows: copies of a message may still arrive.
pub async fn an_entry_outlives_the_copies_of_its_message(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let [chat, _] = scene.chats;
    let mut short = plan(2, 2);
    short.chats[0].retention_days = 1;
    scene.store.apply_roster(&short, at(0)).await.unwrap();
    said(&scene, &[at(0)]).await;
    for (days, left) in [(6, vec![1]), (8, vec![])] {
        tidy(&*scene.store, at(0) + DAY * days).await;
        assert_eq!(numbers(&*scene.store, chat).await.0, left, "after {days} days");
    }
}
