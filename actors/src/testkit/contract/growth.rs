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

const DAY: Duration = Duration::from_hours(24);

/// Periods that tell the kinds of rows apart.
pub(super) const KEPT: Kept =
    Kept { handled: Duration::from_hours(72), decisions: DAY.saturating_mul(10), letters: DAY.saturating_mul(60) };

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

/// I3, I16: entries, decisions, turns and messages go at their age, from below; what people decide on goes later; the
/// chat counts on.
pub async fn rows_go_when_they_are_older_than_their_use(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let [chat, _] = scene.chats;
    let turns = said(&scene, &[at(0), at(1), at(2) + DAY * 20]).await;
    let (first, lost, young) =
        (answer(&scene, &turns[0]).await, answer(&scene, &turns[1]).await, answer(&scene, &turns[2]).await);
    scene.commit_all(vec![begin(&scene, &first, start(51, at(5))), sent(&first, 51, 900, 61)]).await;
    let told = Advance { entries: vec![], handled: vec![appended(61, 1, None)], ..advance(chat, scene.epoch, 3, 61) };
    scene.commit_all(vec![Operation::Advance(told)]).await;
    let unknown = Settle {
        outbox: lost.id,
        attempt: AttemptId(52),
        result: SendResult::Unknown("reset".to_owned()),
        event: None,
        pauses: Vec::new(),
        unsent: None,
    };
    scene.commit_all(vec![begin(&scene, &lost, start(52, at(5))), Operation::Settle(unknown)]).await;

    scene.store.prune(at(0) + DAY * 10, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await, (vec![1, 2, 3], vec![1, 2, 3]), "nothing is older than that");
    scene.store.prune(at(9) + DAY * 10, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await, (vec![1, 2, 3], vec![3]));
    let all = [&first, &lost, &young];
    assert_eq!(stored(&scene, &all).await, [(false, false), (true, true), (true, true)], "people decide on a letter");
    scene.store.prune(at(0) + DAY * 30, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await.0, [1, 2, 3], "they are as old as the chat keeps texts");
    scene.store.prune(at(1) + DAY * 30, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await.0, [2, 3]);

    let scene = scene.reopen(home).await;
    scene.store.prune(at(9) + DAY * 61, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await, (vec![], vec![]));
    assert_eq!(stored(&scene, &all).await, [(false, false), (false, false), (true, true)], "what waits waits on");
    let memory = scene.store.chat_memory(chat, 9).await.unwrap();
    assert_eq!((memory.last_number.0, memory.last_decision.0, memory.recent.len()), (3, 3, 0));
    let rows = vec![update(9, scene.bots[0], chat, 709)];
    let step = Operation::Advance(advance(chat, scene.epoch, 3, 9));
    scene.commit_all(vec![ingest(scene.bots[0], scene.epoch, rows), step]).await;
    assert_eq!(numbers(&*scene.store, chat).await.0, [4]);
    assert_eq!(scene.store.prune(at(9) + DAY * 20, &KEPT).await.unwrap(), 1, "the handled row");
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
    scene.store.prune(at(9) + DAY * 30, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await, (vec![1, 2, 3], vec![]), "a copy may be of the first message");
    let step = Advance { entries: vec![], handled: vec![appended(9, 1, None)], ..advance(chat, scene.epoch, 3, 9) };
    scene.commit_all(vec![Operation::Advance(step)]).await;
    scene.store.prune(at(9) + DAY * 30, &KEPT).await.unwrap();
    assert_eq!(numbers(&*scene.store, chat).await, (vec![2, 3], vec![]));
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
        scene.store.expire(at(0) + DAY * days).await.unwrap();
        scene.store.prune(at(0) + DAY * days, &KEPT).await.unwrap();
        assert_eq!(numbers(&*scene.store, chat).await.0, left, "after {days} days");
    }
}
