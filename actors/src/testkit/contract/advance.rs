//! Claims about advances of chats: I2, I3. Part of the testkit.

use super::{Home, Scene, assert_conflict};
use crate::domain::commit::operations::{Advance, Operation};
use crate::domain::decision::Cause;
use crate::domain::ids::{DecisionNumber, MessageId, Number, TelegramChatId, TurnId};
use crate::domain::incoming::{Author, AuthorKind};
use crate::domain::transcript::{EntryKey, EntryKind, TranscriptEntry};
use crate::domain::turn::{Act, Turn, TurnState};
use crate::testkit::rows::{advance, appended, at, claim, decision, entry, ingest, person, turn, update};

claims! {
    $ __claims_of_advance of advance:
    a_chat_remembers_all_that_it_advanced_by
    a_turn_whose_place_another_takes_ends_unless_it_is_claimed
    the_same_message_seen_by_two_bots_is_one_entry
    a_wrong_base_is_refused
    a_gap_is_refused
    a_decision_out_of_turn_is_refused
    a_row_has_one_outcome
    a_tick_is_due_at_its_time_and_not_before
    a_transcript_is_read_backwards_from_any_number
    the_first_entry_of_a_message_is_found
    copies_of_every_kind_are_found_by_their_keys
    a_conversation_is_counted_in_what_was_said
    a_queued_turn_comes_with_its_conversation_or_leaves_it_to_a_look
    a_decision_number_used_twice_drops_out_alone
    acts_of_every_kind_are_remembered
    a_chat_remembers_its_calm_and_that_its_people_were_told
}

async fn with_rows(home: &dyn Home, rows: i64) -> Scene {
    let scene = Scene::open(home).await;
    let rows = (1..=rows).map(|n| update(n, scene.bots[0], scene.chats[0], n)).collect();
    scene.commit_all(vec![ingest(scene.bots[0], scene.epoch, rows)]).await;
    scene
}

/// Entries, head, decision and turns read back as written, also after a restart.
pub async fn a_chat_remembers_all_that_it_advanced_by(home: &dyn Home) {
    let scene = with_rows(home, 2).await;
    let ([bot, other], [chat, _]) = (scene.bots, scene.chats);
    let mut edit = entry(chat, 2, 2);
    edit.kind = EntryKind::Edit;
    (edit.message_id, edit.revision) = (MessageId(501), 1_790_000_777);
    (edit.thread, edit.reply_to, edit.text, edit.media, edit.fleet_bot) = (None, None, None, None, Some(other));
    edit.entities.clear();
    edit.author = Author { username: None, kind: AuthorKind::Bot, ..person() };
    let entries = vec![entry(chat, 1, 1), edit];
    let mut asked = turn(31, chat, 1, bot);
    (asked.answers_bot, asked.ordinal, asked.priority) = (Some(other), 1, 2);
    scene
        .commit_all(vec![Operation::Advance(Advance {
            entries: entries.clone(),
            handled: vec![appended(1, 1, Some(1)), appended(2, 2, None)],
            decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
            turns: vec![asked.clone()],
            next_tick_at: Some(at(600)),
            ..advance(chat, scene.epoch, 0, 1)
        })])
        .await;
    let scene = scene.reopen(home).await;
    let memory = scene.store.chat_memory(chat, 10).await.unwrap();
    assert_eq!((memory.last_number, memory.last_decision), (Number(2), DecisionNumber(1)));
    assert_eq!(memory.next_tick_at, Some(at(600)));
    let read: Vec<_> = memory.recent.iter().map(|entry| (**entry).clone()).collect();
    assert_eq!(read, entries);
    assert!(scene.store.unhandled(chat, 10).await.unwrap().is_empty());
    assert_eq!(scene.store.queued_turns(bot, 10).await.unwrap(), std::slice::from_ref(&asked));
    assert_eq!(scene.store.turn(asked.id).await.unwrap(), Some((asked, vec![])));
}

/// A person who goes on is answered once: what waits for the earlier line ends, and what has begun goes on.
pub async fn a_turn_whose_place_another_takes_ends_unless_it_is_claimed(home: &dyn Home) {
    let scene = with_rows(home, 2).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let (begun, waiting, last) = (turn(31, chat, 1, bot), turn(32, chat, 1, bot), turn(33, chat, 2, bot));
    let waiting = Turn { ordinal: 1, ..waiting };
    let step = |base: i64, turns: Vec<Turn>, superseded: Vec<TurnId>| {
        Operation::Advance(Advance {
            handled: vec![appended(base + 1, base + 1, Some(base + 1))],
            decisions: vec![decision(chat, base + 1, Cause::Entry(Number(base + 1)))],
            turns,
            superseded,
            ..advance(chat, scene.epoch, base, base + 1)
        })
    };
    scene.commit_all(vec![step(0, vec![begun.clone(), waiting.clone()], Vec::new())]).await;
    scene.commit_all(vec![claim(&begun, scene.epoch)]).await;
    let nobody = TurnId(99);
    scene.commit_all(vec![step(1, vec![last.clone()], vec![begun.id, waiting.id, nobody])]).await;
    let state = async |id: TurnId| scene.store.turn(id).await.unwrap().map(|(turn, _)| turn.progress.state);
    assert_eq!(state(begun.id).await, Some(TurnState::Claimed));
    assert_eq!(state(waiting.id).await, Some(TurnState::Dropped));
    assert!(scene.commit_one(claim(&waiting, scene.epoch)).await.is_err());
    let scene = scene.reopen(home).await;
    let queued: Vec<TurnId> = scene.store.queued_turns(bot, 10).await.unwrap().iter().map(|turn| turn.id).collect();
    assert!(queued.contains(&last.id) && !queued.contains(&waiting.id), "{queued:?}");
}

/// I2: another bot's copy of a message makes no second entry.
pub async fn the_same_message_seen_by_two_bots_is_one_entry(home: &dyn Home) {
    let scene = with_rows(home, 2).await;
    let chat = scene.chats[0];
    scene.commit_all(vec![Operation::Advance(advance(chat, scene.epoch, 0, 1))]).await;
    let mut copy = advance(chat, scene.epoch, 1, 2);
    copy.entries[0].message_id = MessageId(501);
    assert_conflict(&scene.commit_one(Operation::Advance(copy)).await);
    assert_eq!(scene.store.chat_memory(chat, 9).await.unwrap().recent.len(), 1);
    assert_eq!(scene.store.unhandled(chat, 9).await.unwrap().len(), 1);
}

/// I3: new numbers follow the last one stored.
pub async fn a_wrong_base_is_refused(home: &dyn Home) {
    let scene = with_rows(home, 2).await;
    let chat = scene.chats[0];
    assert_conflict(&scene.commit_one(Operation::Advance(advance(chat, scene.epoch, 1, 1))).await);
    scene.commit_all(vec![Operation::Advance(advance(chat, scene.epoch, 0, 1))]).await;
    assert_conflict(&scene.commit_one(Operation::Advance(advance(chat, scene.epoch, 0, 2))).await);
    assert_eq!(scene.store.chat_memory(chat, 9).await.unwrap().last_number, Number(1));
}

/// I3: numbers have no gaps within an operation either.
pub async fn a_gap_is_refused(home: &dyn Home) {
    let scene = with_rows(home, 2).await;
    let chat = scene.chats[0];
    let mut gap = advance(chat, scene.epoch, 0, 1);
    gap.entries.push(entry(chat, 3, 2));
    assert_conflict(&scene.commit_one(Operation::Advance(gap)).await);
    assert!(scene.store.transcript(chat, Number(9), 9).await.unwrap().is_empty());
}

/// I3: each inbox row has exactly one outcome.
pub async fn a_row_has_one_outcome(home: &dyn Home) {
    let scene = with_rows(home, 1).await;
    let chat = scene.chats[0];
    scene.commit_all(vec![Operation::Advance(advance(chat, scene.epoch, 0, 1))]).await;
    assert_conflict(&scene.commit_one(Operation::Advance(advance(chat, scene.epoch, 1, 1))).await);
    assert_conflict(&scene.commit_one(Operation::Advance(advance(chat, scene.epoch, 1, 999))).await);
}

/// A chat that stays quiet is due at its tick.
pub async fn a_tick_is_due_at_its_time_and_not_before(home: &dyn Home) {
    let scene = with_rows(home, 1).await;
    let chat = scene.chats[0];
    let ticking = Advance { next_tick_at: Some(at(60)), ..advance(chat, scene.epoch, 0, 1) };
    scene.commit_all(vec![Operation::Advance(ticking)]).await;
    assert!(scene.store.backlog(at(59)).await.unwrap().ticks.is_empty());
    assert_eq!(scene.store.backlog(at(60)).await.unwrap().ticks, [chat]);
    let quiet = Advance { entries: vec![], handled: vec![], ..advance(chat, scene.epoch, 1, 1) };
    scene.commit_all(vec![Operation::Advance(quiet)]).await;
    assert!(scene.store.backlog(at(60)).await.unwrap().ticks.is_empty());
}

/// Pages of history come oldest first.
pub async fn a_transcript_is_read_backwards_from_any_number(home: &dyn Home) {
    let scene = with_rows(home, 5).await;
    let chat = scene.chats[0];
    let batch = (0..5).map(|base| Operation::Advance(advance(chat, scene.epoch, base, base + 1))).collect();
    scene.commit_all(batch).await;
    let numbers = async |upto: i64, limit: usize| -> Vec<i64> {
        let entries = scene.store.transcript(chat, Number(upto), limit).await.unwrap();
        entries.iter().map(|entry| entry.number.0).collect()
    };
    assert_eq!(numbers(5, 2).await, [4, 5]);
    assert_eq!(numbers(3, 2).await, [2, 3]);
    assert_eq!(numbers(99, 99).await, [1, 2, 3, 4, 5]);
    assert!(scene.store.transcript(scene.chats[1], Number(9), 9).await.unwrap().is_empty());
}

/// A message is found by its first entry; edits come after it.
pub async fn the_first_entry_of_a_message_is_found(home: &dyn Home) {
    let scene = with_rows(home, 3).await;
    let chat = scene.chats[0];
    let mut edit = advance(chat, scene.epoch, 1, 2);
    edit.entries[0].message_id = MessageId(501);
    edit.entries[0].kind = EntryKind::Edit;
    let batch = vec![
        Operation::Advance(advance(chat, scene.epoch, 0, 1)),
        Operation::Advance(edit),
        Operation::Advance(advance(chat, scene.epoch, 2, 3)),
    ];
    scene.commit_all(batch).await;
    let telegram = TelegramChatId(-2000 - chat.0);
    let asked = [MessageId(503), MessageId(501), MessageId(77)];
    let found = scene.store.find_messages(telegram, &asked).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.number.0).collect::<Vec<_>>(), [1, 3]);
    assert!(scene.store.find_messages(TelegramChatId(-1), &asked).await.unwrap().is_empty());
}

/// A constraint that only the store sees refuses its operation; the rest of the batch commits.
pub async fn a_decision_number_used_twice_drops_out_alone(home: &dyn Home) {
    let scene = with_rows(home, 1).await;
    let ([bot, _], [chat, other]) = (scene.bots, scene.chats);
    let tick = |chat| {
        Operation::Advance(Advance {
            entries: vec![],
            handled: vec![],
            decisions: vec![decision(chat, 1, Cause::Tick)],
            ..advance(chat, scene.epoch, 0, 1)
        })
    };
    scene.commit_all(vec![tick(chat)]).await;
    let row = update(8, bot, chat, 8);
    let results = scene.commit(vec![tick(chat), ingest(bot, scene.epoch, vec![row]), tick(other)]).await;
    assert_conflict(&results[0]);
    assert!(results[1].is_ok() && results[2].is_ok(), "{results:?}");
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), Some(9));
    assert_eq!(scene.store.chat_memory(other, 1).await.unwrap().last_decision, DecisionNumber(1));
}

/// I3: a step without entries is refused with the step before it, because its decision number does not follow.
pub async fn a_decision_out_of_turn_is_refused(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let rows = (1..=3).map(|row| update(row, bot, chat, row)).collect();
    scene.commit_all(vec![ingest(bot, scene.epoch, rows)]).await;
    let step = |number: i64, row: i64| {
        Operation::Advance(Advance {
            entries: Vec::new(),
            handled: vec![appended(row, 1, Some(number))],
            decisions: vec![decision(chat, number, Cause::Entry(Number(1)))],
            ..advance(chat, scene.epoch, 0, row)
        })
    };
    let done = scene.commit(vec![step(1, 1), step(3, 2), step(2, 3)]).await;
    assert!(done[0].is_ok() && done[2].is_ok(), "{done:?}");
    assert_conflict(&done[1]);
    assert_eq!(scene.store.chat_memory(chat, 1).await.unwrap().last_decision, DecisionNumber(2));
    assert_conflict(&scene.commit_one(step(2, 2)).await);
}

/// The act of a turn reads back as it was decided, also after a restart.
pub async fn acts_of_every_kind_are_remembered(home: &dyn Home) {
    let scene = with_rows(home, 1).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let acts = [
        Act::Answer,
        Act::Open { topic: None, thread: None, recalls: Some(Number(3)) },
        Act::Open { topic: Some("\"çay\"\nand coffee".to_owned()), thread: None, recalls: None },
        Act::Say { text: "Ich sage: 'hallo' 👋".to_owned(), by_operator: false },
        Act::React { emoji: "👍".to_owned() },
    ];
    let turns = acts.iter().zip(0..).map(|(act, ordinal)| {
        let mut asked = turn(31 + i64::from(ordinal), chat, 1, bot);
        (asked.ordinal, asked.act) = (ordinal, act.clone());
        asked
    });
    let turns: Vec<_> = turns.collect();
    scene
        .commit_all(vec![Operation::Advance(Advance {
            decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
            turns: turns.clone(),
            ..advance(chat, scene.epoch, 0, 1)
        })])
        .await;
    let scene = scene.reopen(home).await;
    assert_eq!(scene.store.queued_turns(bot, 10).await.unwrap(), turns);
}

/// I11: a calm survives a restart and follows the latest step; a disclosure, once made, stays noted.
pub async fn a_chat_remembers_its_calm_and_that_its_people_were_told(home: &dyn Home) {
    let scene = with_rows(home, 4).await;
    let (chat, epoch) = (scene.chats[0], scene.epoch);
    let told = async |scene: &Scene| {
        let memory = scene.store.chat_memory(chat, 1).await.unwrap();
        (memory.calm_until, memory.disclosed)
    };
    assert_eq!(told(&scene).await, (None, false));
    let step = |base: i64, calm_until, disclosed| {
        Operation::Advance(Advance { calm_until, disclosed, ..advance(chat, epoch, base, base + 1) })
    };
    scene.commit_all(vec![step(0, Some(at(70)), false)]).await;
    assert_eq!(told(&scene).await, (Some(at(70)), false));
    scene.commit_all(vec![step(1, Some(at(80)), true), step(2, Some(at(90)), false)]).await;
    assert_eq!(told(&scene).await, (Some(at(90)), true), "the last word on the calm, the strongest on having told");
    scene.commit_all(vec![step(3, None, false)]).await;
    let scene = scene.reopen(home).await;
    assert_eq!(told(&scene).await, (None, true));
}

/// I2: every kind of entry is found again by its key alone, and the highest message id is known.
pub async fn copies_of_every_kind_are_found_by_their_keys(home: &dyn Home) {
    let scene = with_rows(home, 5).await;
    let chat = scene.chats[0];
    let recorded = [
        (EntryKind::Message, 501, 0),
        (EntryKind::Edit, 501, 1_790_000_777),
        (EntryKind::Reaction, 501, 88),
        (EntryKind::Member, 502, 0),
        (EntryKind::Member, 0, 5),
    ];
    let entries = recorded.iter().zip(1..).map(|((kind, message, revision), n)| TranscriptEntry {
        kind: *kind,
        message_id: MessageId(*message),
        revision: *revision,
        ..entry(chat, n, n)
    });
    let entries: Vec<_> = entries.collect();
    let step = Advance {
        entries: entries.clone(),
        handled: (1..=5).map(|n| appended(n, n, None)).collect(),
        ..advance(chat, scene.epoch, 0, 1)
    };
    scene.commit_all(vec![Operation::Advance(step)]).await;
    let keys: Vec<EntryKey> = entries.iter().map(TranscriptEntry::key).collect();
    let mut asked = keys.clone();
    asked.push(EntryKey { revision: 89, ..keys[2] });
    asked.push(EntryKey { kind: EntryKind::Edit, ..keys[3] });
    let mut found = scene.store.entry_numbers(&asked).await.unwrap();
    found.sort_by_key(|(_, number)| *number);
    assert_eq!(found, keys.into_iter().zip((1..).map(Number)).collect::<Vec<_>>());
    assert!(scene.store.entry_numbers(&[]).await.unwrap().is_empty());
    let memory = scene.store.chat_memory(chat, 1).await.unwrap();
    assert_eq!(memory.highest, [(entries[0].telegram_chat, MessageId(502))], "also of what is not among the latest");
}

/// Edits and reactions take no place from messages: they push none out of a conversation.
pub async fn a_conversation_is_counted_in_what_was_said(home: &dyn Home) {
    let scene = with_rows(home, 24).await;
    let chat = scene.chats[0];
    let of = |number: i64, kind: EntryKind, message: i64| TranscriptEntry {
        kind,
        message_id: MessageId(message),
        revision: if kind == EntryKind::Message { 0 } else { number },
        ..entry(chat, number, number)
    };
    let mut entries: Vec<_> = (1..=5).map(|n| of(n, EntryKind::Message, 500 + n)).collect();
    entries.extend((6..=20).map(|n| of(n, EntryKind::Edit, 504)));
    entries.push(of(21, EntryKind::Edit, 501));
    entries.extend((22..=24).map(|n| of(n, EntryKind::Reaction, 505)));
    let step = Advance {
        entries: entries.clone(),
        handled: (1..=24).map(|n| appended(n, n, None)).collect(),
        ..advance(chat, scene.epoch, 0, 1)
    };
    scene.commit_all(vec![Operation::Advance(step)]).await;
    let read = async |upto: i64, said: usize| {
        let read = scene.store.conversation(chat, Number(upto), said).await.unwrap();
        read.iter().map(|entry| entry.number.0).collect::<Vec<_>>()
    };
    assert_eq!(read(24, 3).await, [3, 4, 5, 20, 21]);
    assert_eq!(read(24, 5).await, [1, 2, 3, 4, 5, 20, 21]);
    assert_eq!(read(24, 9).await, [1, 2, 3, 4, 5, 20, 21], "there is no more");
    assert_eq!(read(10, 2).await, [4, 5, 10], "as it stood then");
    assert_eq!(read(24, 2).await, [20, 21], "eight times as many entries are looked at, and no more");
    let memory = scene.store.chat_memory(chat, 3).await.unwrap();
    assert_eq!((memory.last_number, memory.recent.len()), (Number(24), 5));
    assert_eq!(*memory.recent[3], entries[19]);
}

/// Whoever reads queued turns gets the conversation that a look of its own would find, or none, and none of known turns.
pub async fn a_queued_turn_comes_with_its_conversation_or_leaves_it_to_a_look(home: &dyn Home) {
    let scene = with_rows(home, 9).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let kinds = [EntryKind::Message, EntryKind::Edit, EntryKind::Reaction];
    let entries: Vec<TranscriptEntry> = (1..=9)
        .map(|n| TranscriptEntry { kind: kinds[n as usize % 3], revision: n % 3, ..entry(chat, n, n) })
        .collect();
    let turns: Vec<Turn> = (0..8)
        .map(|n| Turn {
            ordinal: n,
            target: (n != 1).then_some(Number(9 - i64::from(n))),
            ..turn(31 + i64::from(n), chat, 1, bot)
        })
        .collect();
    scene
        .commit_all(vec![Operation::Advance(Advance {
            entries,
            handled: (1..=9).map(|n| appended(n, n, None)).collect(),
            decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
            turns: turns.clone(),
            ..advance(chat, scene.epoch, 0, 1)
        })])
        .await;
    let read = scene.store.queued_talk(bot, 10, 3, &[TurnId(32)]).await.unwrap();
    assert_eq!(read.iter().map(|(turn, _)| turn.clone()).collect::<Vec<_>>(), turns);
    let along = read.iter().filter(|(_, talk)| talk.is_some()).count();
    assert!(along <= 7 && read[1].1.is_none(), "{along}");
    for (turn, talk) in read {
        let upto = turn.target.or(turn.root).unwrap_or(Number(i64::MAX));
        if let Some(talk) = talk {
            assert_eq!(talk, scene.store.conversation(chat, upto, 3).await.unwrap(), "{upto}");
        }
    }
    assert_eq!(scene.store.queued_talk(bot, 2, 3, &[]).await.unwrap().len(), 2);
}
