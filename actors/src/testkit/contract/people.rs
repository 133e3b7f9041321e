//! Claims about the rights of people. Part of the testkit.

use std::time::Duration;

use super::{HANDLED_GO, Home, Scene};
use crate::domain::commit::operations::{Advance, Operation, Settle, TurnEnding};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::decision::{Cause, Decision};
use crate::domain::ids::{AttemptId, MessageId, Number, TelegramUserId};
use crate::domain::inbox::{InboxRow, OutcomeKind};
use crate::domain::incoming::{Author, AuthorKind};
use crate::domain::outbox::{OutboxMessage, OutboxState, SendResult};
use crate::domain::people::{FORGOTTEN, OPTED_OUT, Right, SetRight, TOMBSTONE};
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Act, TurnState};
use crate::ports::archive::DecisionQuery;
use crate::ports::outcomes::OutcomeCursor;
use crate::testkit::rows::{
    advance, appended, at, claim, decision, entry, finish, ingest, message, plan, sent, start, turn, update,
};

claims! {
    $ __claims_of_people of people:
    words_of_who_has_opted_out_are_not_stored
    an_opt_out_in_the_same_batch_already_counts
    who_is_forgotten_leaves_numbers_and_nothing_else
    a_wish_to_be_forgotten_is_one_while_it_is_open
    a_person_with_many_entries_is_counted_and_forgotten_whole
    words_in_flight_of_who_is_forgotten_are_not_stored
    an_answer_on_its_way_at_a_forgetting_arrives_without_its_text
    texts_are_kept_as_long_as_their_chat_keeps_them
    the_newest_word_of_a_person_counts
    a_repeated_word_of_one_batch_counts
    an_opt_out_of_three_years_ago_survives_every_pruning
    control_characters_hinder_no_removal
    updates_are_kept_no_longer_than_texts
}

const AYSE: TelegramUserId = TelegramUserId(4_711);
const MARKER: &str = "the words of ayşe";

fn right(right: Right, seconds: u64) -> Operation {
    Operation::SetRight(SetRight { person: AYSE, right, by: "herself".to_owned(), at: at(seconds) })
}

fn row_of_hers(id: i64, scene: &Scene, n: i64) -> InboxRow {
    let payload = format!("{{\"message\":{{\"from\":{{\"id\":{AYSE},\"is_bot\":false}},\"text\":\"{MARKER}\"}}}}");
    InboxRow { payload, author: Some((AYSE, at(6))), ..update(id, scene.bots[0], scene.chats[0], n) }
}

fn entry_of_hers(scene: &Scene, number: i64, inbox: i64) -> TranscriptEntry {
    let author = Author { id: AYSE, name: "Ayşe".to_owned(), username: None, kind: AuthorKind::Person };
    TranscriptEntry { author, fleet_bot: None, text: Some(MARKER.to_owned()), ..entry(scene.chats[0], number, inbox) }
}

/// Words of somebody who opted out are not stored: the transaction that stores rows checks, whatever its node knew.
pub async fn words_of_who_has_opted_out_are_not_stored(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    assert_eq!(scene.commit_one(right(Right::OptOut, 5)).await, Ok(Applied::RightSet { already: false }));
    assert_eq!(scene.commit_one(right(Right::OptOut, 6)).await, Ok(Applied::RightSet { already: true }));
    let scene = scene.reopen(home).await;
    let rights = scene.store.rights(0).await.unwrap().expect("it is news");
    assert!(rights.opted_out.contains(&AYSE) && rights.pending.is_empty());
    assert_eq!(scene.store.rights(rights.seq).await.unwrap(), None, "and only once");
    scene
        .commit_all(vec![ingest(bot, scene.epoch, vec![row_of_hers(1, &scene, 700), update(2, bot, chat, 701)])])
        .await;
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), Some(702), "the update is confirmed all the same");
    let waiting = scene.store.unhandled(chat, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|row| row.id.0).collect::<Vec<_>>(), [2]);
    let (lines, _) = scene.store.outcomes(OutcomeCursor::default(), 9).await.unwrap();
    assert_eq!((lines[0].outcome.as_str(), lines[0].reason.as_deref()), ("ignored", Some(OPTED_OUT)));
    let record = scene.store.person(AYSE).await.unwrap();
    assert_eq!((record.updates, record.opted_out_since), (0, Some(at(5))), "not even her name");

    let words = Advance { entries: vec![entry_of_hers(&scene, 1, 2)], ..advance(chat, scene.epoch, 0, 2) };
    assert_eq!(scene.commit_one(Operation::Advance(words)).await, Err(Refusal::Unwanted(OPTED_OUT)));
    let mut silent = entry_of_hers(&scene, 1, 2);
    (silent.text, silent.media) = (None, None);
    let silent = Advance { entries: vec![silent], ..advance(chat, scene.epoch, 0, 2) };
    scene.commit_all(vec![Operation::Advance(silent)]).await;

    scene.commit_all(vec![right(Right::OptIn, 9), ingest(bot, scene.epoch, vec![row_of_hers(3, &scene, 702)])]).await;
    assert_eq!(scene.store.unhandled(chat, 9).await.unwrap().len(), 1, "in order within a batch");
    assert!(scene.store.rights(rights.seq).await.unwrap().is_some_and(|rights| rights.opted_out.is_empty()));
}

/// An opt-out counts for the operations behind it in its batch.
pub async fn an_opt_out_in_the_same_batch_already_counts(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    scene.commit_all(vec![right(Right::OptOut, 5), ingest(bot, scene.epoch, vec![row_of_hers(1, &scene, 700)])]).await;
    assert!(scene.store.unhandled(chat, 9).await.unwrap().is_empty());
    assert_eq!(scene.store.person(AYSE).await.unwrap().updates, 0);
}

/// All rows that hold the person's words lose them, and no others do; numbers stay.
pub async fn who_is_forgotten_leaves_numbers_and_nothing_else(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let rows = vec![row_of_hers(1, &scene, 700), update(2, bot, chat, 701), row_of_hers(3, &scene, 702)];
    scene.commit_all(vec![ingest(bot, scene.epoch, rows)]).await;
    let others = entry(chat, 2, 2);
    let turns = (0..3).map(|n| {
        let mut asked = turn(31 + n, chat, 1, bot);
        asked.ordinal = n as u32;
        asked
    });
    let turns: Vec<_> = turns.collect();
    let step = Advance {
        entries: vec![entry_of_hers(&scene, 1, 1), others.clone()],
        handled: vec![appended(1, 1, Some(1)), appended(2, 2, None)],
        decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
        turns: turns.clone(),
        ..advance(chat, scene.epoch, 0, 1)
    };
    let answer = |n: usize, begin| {
        let mut said = message(41 + n as i64, &turns[n]);
        said.text = format!("you said: {MARKER}");
        (said.clone(), TurnEnding::Said { messages: vec![said], begin })
    };
    let (first, went) = answer(0, Some(start(51, at(5))));
    let (second, waits) = answer(1, None);
    let batch = vec![
        Operation::Advance(step),
        claim(&turns[0], scene.epoch),
        finish(&turns[0], scene.epoch, went),
        claim(&turns[1], scene.epoch),
        finish(&turns[1], scene.epoch, waits),
        sent(&first, 51, 900, 61),
    ];
    scene.commit_all(batch).await;
    let heard = TranscriptEntry {
        message_id: MessageId(900),
        telegram_chat: first.telegram_chat,
        fleet_bot: Some(bot),
        text: Some(first.text.clone()),
        ..entry(chat, 3, 61)
    };
    let heard =
        Advance { entries: vec![heard], handled: vec![appended(61, 3, None)], ..advance(chat, scene.epoch, 2, 61) };
    scene.commit_all(vec![Operation::Advance(heard)]).await;
    let record = scene.store.person(AYSE).await.unwrap();
    assert_eq!((record.entries, record.updates, record.answers), (1, 2, 3));
    assert_eq!(record.first, record.last);

    scene.commit_all(vec![right(Right::Forget, 9)]).await;
    let rights = scene.store.rights(0).await.unwrap().unwrap();
    assert_eq!(rights.forgotten.get(&AYSE), Some(&at(9)));
    let [(wish, AYSE, _)] = rights.pending[..] else { panic!("{rights:?}") };
    let cut = |payload: &str| payload.contains(MARKER).then(|| TOMBSTONE.to_owned());
    let forgotten = scene.store.forget(AYSE, Some(wish), &cut).await.unwrap();
    assert_eq!((forgotten.updates, forgotten.entries, forgotten.messages, forgotten.decisions), (2, 2, 2, 1));

    let scene = scene.reopen(home).await;
    let rights = scene.store.rights(rights.seq).await.unwrap().expect("the end of it is news");
    assert!(rights.pending.is_empty() && rights.forgotten.contains_key(&AYSE));
    let read = scene.store.transcript(chat, Number(9), 9).await.unwrap();
    assert_eq!(read.iter().map(|entry| entry.number.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(*read[1], others, "what others said stays");
    for gone in [&read[0], &read[2]] {
        assert_eq!((gone.text.as_deref(), gone.entities.len()), (None, 0));
    }
    assert_eq!((read[0].author.id, read[0].author.name.as_str()), (TelegramUserId(0), ""));
    assert!(scene.store.unhandled(chat, 9).await.unwrap().is_empty(), "her words that waited are gone as well");
    let (lines, _) = scene.store.outcomes(OutcomeCursor::default(), 9).await.unwrap();
    let waited = lines.iter().find(|line| line.update_id == Some(702)).unwrap();
    assert_eq!((waited.outcome.as_str(), waited.reason.as_deref()), (OutcomeKind::Ignored.as_str(), Some(FORGOTTEN)));
    for (turn, state) in turns.iter().zip([TurnState::Done, TurnState::Done, TurnState::Dropped]) {
        let (turn, messages) = scene.store.turn(turn.id).await.unwrap().unwrap();
        assert_eq!(turn.progress.state, state);
        assert!(messages.iter().all(|message| message.text.is_empty()));
    }
    let waits = scene.store.message(second.id).await.unwrap().unwrap();
    assert_eq!(waits.progress.state, OutboxState::Cancelled, "what was not sent is not sent");
    let record = scene.store.person(AYSE).await.unwrap();
    assert_eq!((record.entries, record.updates, record.answers), (0, 0, 0));
    assert_eq!(scene.store.forget(AYSE, None, &cut).await.unwrap().entries, 0, "once is enough");
}

/// However often a person asks, one erasure request is open, and it covers everything said until the last time they
/// asked.
pub async fn a_wish_to_be_forgotten_is_one_while_it_is_open(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let copies = (0..20).map(|_| right(Right::Forget, 9)).collect();
    let done = scene.commit_all(copies).await;
    assert_eq!(done[0], Applied::RightSet { already: false });
    assert!(done[1..].iter().all(|done| *done == Applied::RightSet { already: true }), "copies ask for nothing");
    let first = scene.store.rights(0).await.unwrap().unwrap();
    assert_eq!(first.seq, 1, "and are no news");
    assert_eq!(scene.commit_one(right(Right::Forget, 8)).await, Ok(Applied::RightSet { already: true }));
    assert_eq!(scene.commit_one(right(Right::Forget, 12)).await, Ok(Applied::RightSet { already: false }));
    let later = scene.store.rights(first.seq).await.unwrap().expect("it holds for longer");
    let [(wish, AYSE, since)] = later.pending[..] else { panic!("{later:?}") };
    assert_eq!((wish, since, later.forgotten[&AYSE]), (first.pending[0].0, at(12), at(12)));

    scene.store.forget(AYSE, Some(wish), &|_| None).await.unwrap();
    let scene = scene.reopen(home).await;
    assert_eq!(scene.commit_one(right(Right::Forget, 12)).await, Ok(Applied::RightSet { already: true }));
    let fulfilled = scene.store.rights(later.seq).await.unwrap().unwrap();
    assert!(fulfilled.pending.is_empty(), "a copy that comes late asks for nothing either");
    assert_eq!(scene.commit_one(right(Right::Forget, 20)).await, Ok(Applied::RightSet { already: false }));
    let anew = scene.store.rights(fulfilled.seq).await.unwrap().unwrap();
    assert_eq!((anew.pending.len(), anew.forgotten[&AYSE]), (1, at(20)));
}

/// Nothing is left over at the ends of pages and batches.
pub async fn a_person_with_many_entries_is_counted_and_forgotten_whole(home: &dyn Home) {
    const MANY: i64 = 1_203;
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let rows = (1..=MANY).map(|n| row_of_hers(n, &scene, 700 + n)).collect();
    let step = Advance {
        entries: (1..=MANY).map(|n| entry_of_hers(&scene, n, n)).collect(),
        handled: (1..=MANY).map(|n| appended(n, n, None)).collect(),
        ..advance(chat, scene.epoch, 0, 1)
    };
    scene.commit_all(vec![ingest(bot, scene.epoch, rows), Operation::Advance(step)]).await;
    let record = scene.store.person(AYSE).await.unwrap();
    assert_eq!((record.entries, record.updates), (MANY as u64, MANY as u64));
    let cut = |payload: &str| payload.contains(MARKER).then(|| TOMBSTONE.to_owned());
    let forgotten = scene.store.forget(AYSE, None, &cut).await.unwrap();
    assert_eq!((forgotten.entries, forgotten.updates), (MANY as u64, MANY as u64));
    let record = scene.store.person(AYSE).await.unwrap();
    assert_eq!((record.entries, record.updates), (0, 0));
}

/// Words received before an erasure request and stored after it are refused; words said later are not.
pub async fn words_in_flight_of_who_is_forgotten_are_not_stored(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let anew = InboxRow { author: Some((AYSE, at(10))), ..row_of_hers(2, &scene, 701) };
    let before = update(4, bot, chat, 703);
    scene
        .commit_all(vec![
            right(Right::Forget, 9),
            ingest(bot, scene.epoch, vec![row_of_hers(1, &scene, 700), anew, row_of_hers(3, &scene, 702), before]),
        ])
        .await;
    let waiting = scene.store.unhandled(chat, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|row| row.id.0).collect::<Vec<_>>(), [2, 4], "who was forgotten may speak anew");
    assert_eq!(scene.store.person(AYSE).await.unwrap().updates, 1);
    let (lines, _) = scene.store.outcomes(OutcomeCursor::default(), 9).await.unwrap();
    assert_eq!((lines[0].outcome.as_str(), lines[0].reason.as_deref()), ("ignored", Some(FORGOTTEN)));

    let scene = scene.reopen(home).await;
    let step = |date| {
        let entry = TranscriptEntry { date, ..entry_of_hers(&scene, 1, 2) };
        Operation::Advance(Advance { entries: vec![entry], ..advance(chat, scene.epoch, 0, 2) })
    };
    assert_eq!(scene.commit_one(step(at(9))).await, Err(Refusal::Unwanted(FORGOTTEN)));
    scene.commit_all(vec![step(at(10))]).await;
}

/// A message that was being sent while a person was forgotten is recorded without its text, and is not sent again.
pub async fn an_answer_on_its_way_at_a_forgetting_arrives_without_its_text(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let turns: Vec<_> = (0..2)
        .map(|n| {
            let mut turn = turn(31 + n, chat, 1, bot);
            turn.ordinal = n as u32;
            turn
        })
        .collect();
    let step = Advance {
        entries: vec![entry_of_hers(&scene, 1, 1)],
        decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
        turns: turns.clone(),
        ..advance(chat, scene.epoch, 0, 1)
    };
    scene.commit_all(vec![ingest(bot, scene.epoch, vec![row_of_hers(1, &scene, 700)]), Operation::Advance(step)]).await;
    let answers: Vec<_> = turns.iter().enumerate().map(|(n, turn)| message(41 + n as i64, turn)).collect();
    for (n, (turn, answer)) in turns.iter().zip(&answers).enumerate() {
        let ending = TurnEnding::Said { messages: vec![answer.clone()], begin: Some(start(51 + n as i64, at(5))) };
        scene.commit_all(vec![claim(turn, scene.epoch), finish(turn, scene.epoch, ending)]).await;
    }
    scene.store.forget(AYSE, None, &|_| None).await.unwrap();

    scene.commit_all(vec![sent(&answers[0], 51, 900, 61)]).await;
    let told = scene.store.unhandled(chat, 9).await.unwrap();
    assert_eq!(told.len(), 1);
    assert!(told[0].payload.contains("\"text\":\"\""), "{}", told[0].payload);
    let heard = TranscriptEntry {
        message_id: MessageId(900),
        telegram_chat: answers[0].telegram_chat,
        fleet_bot: Some(bot),
        text: Some(answers[0].text.clone()),
        ..entry(chat, 2, 61)
    };
    let heard =
        Advance { entries: vec![heard], handled: vec![appended(61, 2, None)], ..advance(chat, scene.epoch, 1, 61) };
    scene.commit_all(vec![Operation::Advance(heard)]).await;
    let read = scene.store.transcript(chat, Number(9), 9).await.unwrap();
    assert_eq!((read[1].text.as_deref(), read[1].entities.len()), (None, 0), "whoever still knew it");

    let late = SendResult::RetryAt(at(9), "timeout".to_owned());
    let late = Settle {
        outbox: answers[1].id,
        attempt: AttemptId(52),
        result: late,
        event: None,
        pauses: Vec::new(),
        unsent: None,
    };
    scene.commit_all(vec![Operation::Settle(late)]).await;
    let given_up = scene.store.message(answers[1].id).await.unwrap().unwrap();
    assert_eq!(given_up.progress.state, OutboxState::Cancelled);
}

/// Old texts are removed wherever they stand; numbers and younger texts stay.
pub async fn texts_are_kept_as_long_as_their_chat_keeps_them(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let (day, kept) = (Duration::from_hours(24), 30);
    assert_eq!(scene.roster.chats[&chat].spec.retention_days, kept);
    let rows = (1..=3).map(|n| update(n, bot, chat, 700 + n)).collect();
    let turns = [turn(31, chat, 1, bot), turn(32, chat, 2, bot)];
    let step = Advance {
        entries: vec![
            TranscriptEntry { date: at(0), ..entry(chat, 1, 1) },
            TranscriptEntry { date: at(0) + day * 20, ..entry(chat, 2, 2) },
            // This entry came late, so it expires with the one before it.
            TranscriptEntry { date: at(0), ..entry(chat, 3, 3) },
        ],
        handled: (1..=3).map(|n| appended(n, n, None)).collect(),
        decisions: vec![
            Decision { at: at(0), ..decision(chat, 1, Cause::Entry(Number(1))) },
            Decision { at: at(0) + day * 20, ..decision(chat, 2, Cause::Tick) },
        ],
        turns: turns.to_vec(),
        ..advance(chat, scene.epoch, 0, 1)
    };
    let answers = [message(41, &turns[0]), message(42, &turns[1])];
    let mut batch = vec![ingest(bot, scene.epoch, rows), Operation::Advance(step)];
    for (turn, answer) in turns.iter().zip(&answers) {
        let ending = TurnEnding::Said { messages: vec![answer.clone()], begin: None };
        batch.extend([claim(turn, scene.epoch), finish(turn, scene.epoch, ending)]);
    }
    scene.commit_all(batch).await;

    assert_eq!(scene.store.expire(at(0) + day * kept).await.unwrap(), 0, "it is not older than that");
    assert_eq!(scene.store.transcript(chat, Number(9), 9).await.unwrap().len(), 3);
    let passed = scene.store.expire(at(1) + day * kept).await.unwrap();
    assert!(passed >= 2, "{passed}");
    let scene = scene.reopen(home).await;
    let read = scene.store.transcript(chat, Number(9), 9).await.unwrap();
    assert_eq!(read.iter().map(|entry| entry.number.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((read[0].text.as_deref(), read[0].media.is_none(), read[0].entities.len()), (None, true, 0));
    assert!(read[1].text.is_some(), "it is younger");
    let texts = async || {
        let mut texts = Vec::new();
        for answer in &answers {
            texts.push(scene.store.message(answer.id).await.unwrap().unwrap().text);
        }
        texts
    };
    assert_eq!(texts().await, [String::new(), answers[1].text.clone()]);
    assert!(scene.store.message(answers[0].id).await.unwrap().unwrap().marks.is_empty());
    let query = DecisionQuery { limit: 9, ..DecisionQuery::default() };
    let made = scene.store.decisions(chat, &query).await.unwrap();
    let of = |number: i64| made.iter().find(|made| made.number.0 == number).unwrap();
    assert_eq!((&of(1).inputs, of(1).reason.as_str()), (&serde_json::json!({}), "asked by name"));
    assert_ne!(of(2).inputs, serde_json::json!({}));

    scene.store.expire(at(1) + day * (kept + 20)).await.unwrap();
    let read = scene.store.transcript(chat, Number(9), 9).await.unwrap();
    assert!(read.iter().all(|entry| entry.text.is_none()));
    assert_eq!(texts().await, [String::new(), String::new()]);
    assert_eq!(scene.store.expire(at(1) + day * (kept + 20)).await.unwrap(), 0, "once is enough");
}

/// A late copy of an older order changes nothing; within the same second, opting out wins.
pub async fn the_newest_word_of_a_person_counts(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let is_out = async |scene: &Scene| {
        scene.store.rights(-1).await.unwrap().is_some_and(|rights| rights.opted_out.contains(&AYSE))
    };
    scene.commit_all(vec![right(Right::OptIn, 5), right(Right::OptOut, 10)]).await;
    assert_eq!(scene.commit_one(right(Right::OptIn, 5)).await, Ok(Applied::RightOutdated));
    assert_eq!(scene.commit_one(right(Right::OptIn, 10)).await, Ok(Applied::RightOutdated), "in the same second");
    assert!(is_out(&scene).await);
    // A repeated order is newer, though nothing changes.
    assert_eq!(scene.commit_one(right(Right::OptOut, 20)).await, Ok(Applied::RightSet { already: true }));
    let scene = scene.reopen(home).await;
    assert_eq!(scene.commit_one(right(Right::OptIn, 15)).await, Ok(Applied::RightOutdated));
    assert!(is_out(&scene).await);
    assert_eq!(scene.commit_one(right(Right::OptIn, 30)).await, Ok(Applied::RightSet { already: false }));
    assert_eq!(scene.commit_one(right(Right::OptIn, 30)).await, Ok(Applied::RightSet { already: true }));
    let scene = scene.reopen(home).await;
    assert_eq!(scene.commit_one(right(Right::OptOut, 20)).await, Ok(Applied::RightOutdated));
    assert!(!is_out(&scene).await, "a copy of what she took back");
    assert_eq!(scene.commit_one(right(Right::OptOut, 30)).await, Ok(Applied::RightSet { already: false }));
}

/// An order that is repeated in one batch is in force, as the person was told.
pub async fn a_repeated_word_of_one_batch_counts(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let is_out = async |scene: &Scene| {
        scene.store.rights(-1).await.unwrap().is_some_and(|rights| rights.opted_out.contains(&AYSE))
    };
    scene.commit_all(vec![right(Right::OptOut, 40), right(Right::OptOut, 50)]).await;
    assert!(is_out(&scene).await);
    scene.commit_all(vec![right(Right::OptIn, 60), right(Right::OptIn, 70)]).await;
    assert!(!is_out(&scene).await);
    scene.commit_all(vec![right(Right::OptOut, 80), right(Right::OptIn, 85), right(Right::OptOut, 90)]).await;
    assert!(is_out(&scene).await);
}

/// A right stays in force, whatever is pruned and expired.
pub async fn an_opt_out_of_three_years_ago_survives_every_pruning(home: &dyn Home) {
    let scene = Scene::open(home).await;
    scene.commit_all(vec![right(Right::OptOut, 5)]).await;
    let now = at(5) + Duration::from_hours(24) * 365 * 3;
    for _ in 0..3 {
        scene.store.expire(now).await.unwrap();
        scene.store.prune(now, &HANDLED_GO).await.unwrap();
    }
    let scene = scene.reopen(home).await;
    scene.store.prune(now, &HANDLED_GO).await.unwrap();
    assert!(scene.store.rights(-1).await.unwrap().is_some_and(|rights| rights.opted_out.contains(&AYSE)));
    let rows = vec![row_of_hers(1, &scene, 700)];
    scene.commit_all(vec![ingest(scene.bots[0], scene.epoch, rows)]).await;
    assert!(scene.store.unhandled(scene.chats[0], 9).await.unwrap().is_empty());
    assert_eq!(scene.commit_one(right(Right::OptIn, 4)).await, Ok(Applied::RightOutdated), "and its date with it");
}

/// Control characters, from people or models, prevent no removal; texts that turns were to say are removed too.
pub async fn control_characters_hinder_no_removal(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let odd = "odd\0\u{1b}\u{7f}\u{85}";
    let mut said = turn(31, chat, 1, bot);
    said.act = Act::Say { text: format!("for ayşe alone: {odd}"), by_operator: false };
    let hers = TranscriptEntry { text: Some(odd.to_owned()), ..entry_of_hers(&scene, 1, 1) };
    let step = Advance {
        entries: vec![hers],
        decisions: vec![Decision { reason: odd.to_owned(), ..decision(chat, 1, Cause::Entry(Number(1))) }],
        turns: vec![said.clone()],
        ..advance(chat, scene.epoch, 0, 1)
    };
    let answer = OutboxMessage { text: odd.to_owned(), ..message(41, &said) };
    let ending = TurnEnding::Said { messages: vec![answer.clone()], begin: Some(start(51, at(5))) };
    scene
        .commit_all(vec![
            ingest(bot, scene.epoch, vec![row_of_hers(1, &scene, 700)]),
            Operation::Advance(step),
            claim(&said, scene.epoch),
            finish(&said, scene.epoch, ending),
            sent(&answer, 51, 900, 61),
        ])
        .await;
    let told = scene.store.unhandled(chat, 9).await.unwrap();
    assert!(told[0].payload.contains("u0000"), "{}", told[0].payload);
    scene.store.forget(AYSE, None, &|_| None).await.unwrap();
    assert_eq!(scene.store.message(answer.id).await.unwrap().unwrap().text, "");
    let told = scene.store.unhandled(chat, 9).await.unwrap();
    assert!(told[0].payload.contains("\"text\":\"\""), "{}", told[0].payload);
    let (stored, _) = scene.store.turn(said.id).await.unwrap().unwrap();
    assert_eq!(stored.act, Act::Say { text: String::new(), by_operator: false });
    scene.store.expire(at(5) + Duration::from_hours(24) * 40).await.unwrap();
}

/// Payloads of updates go with the texts of their chat; updates that wait for a chat outside the manifest go too.
pub async fn updates_are_kept_no_longer_than_texts(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, other]) = (scene.bots, scene.chats);
    let day = Duration::from_hours(24);
    let young = InboxRow { received_at: at(0) + day * 20, ..row_of_hers(2, &scene, 701) };
    let waits = InboxRow { chat: Some(other), ..row_of_hers(3, &scene, 702) };
    let rows = vec![row_of_hers(1, &scene, 700), young, waits];
    let step = Advance {
        entries: vec![entry_of_hers(&scene, 1, 1), entry_of_hers(&scene, 2, 2)],
        handled: vec![appended(1, 1, None), appended(2, 2, None)],
        ..advance(chat, scene.epoch, 0, 1)
    };
    let mut said = turn(31, chat, 1, bot);
    said.act = Act::Say { text: MARKER.to_owned(), by_operator: false };
    let decided = Advance {
        entries: Vec::new(),
        handled: Vec::new(),
        decisions: vec![Decision { at: at(0), ..decision(chat, 1, Cause::Tick) }],
        turns: vec![said.clone()],
        ..advance(chat, scene.epoch, 2, 1)
    };
    scene.commit_all(vec![ingest(bot, scene.epoch, rows), Operation::Advance(step), Operation::Advance(decided)]).await;
    let updates = async || scene.store.person(AYSE).await.unwrap().updates;
    assert_eq!(updates().await, 3);
    scene.store.expire(at(1) + day * 30).await.unwrap();
    assert_eq!(updates().await, 2, "the young one, and the one that waits");
    let (stored, _) = scene.store.turn(said.id).await.unwrap().unwrap();
    assert_eq!(stored.act, Act::Say { text: String::new(), by_operator: false });
    scene.store.expire(at(1) + day * 50).await.unwrap();
    assert_eq!(updates().await, 1);
    assert_eq!(scene.store.expire(at(1) + day * 50).await.unwrap(), 0, "once is enough");

    let mut plan = plan(2, 2);
    plan.chats.pop();
    scene.store.apply_roster(&plan, at(2)).await.unwrap();
    scene.store.prune(at(0), &HANDLED_GO).await.unwrap();
    assert_eq!(updates().await, 1, "it may come back for a while");
    scene.store.prune(at(1), &HANDLED_GO).await.unwrap();
    assert_eq!(updates().await, 0);
    assert_eq!(scene.store.depths().await.unwrap().inbox, 0);
}
