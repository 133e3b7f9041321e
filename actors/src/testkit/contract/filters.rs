//! Claims about what reads leave out: in each scene the same happened to two bots in two chats, so that a condition that
//! a store forgets shows. Part of the testkit.

use std::time::Duration;

use super::send::{begin, progress};
use super::{HANDLED_GO, Home, Scene};
use crate::domain::commit::operations::{AddPause, Advance, Operation, SetDelivery, Settle, TurnEnding};
use crate::domain::dead_letter::DeadLetterId;
use crate::domain::decision::Cause;
use crate::domain::ids::{
    AttemptId, DecisionNumber, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::{Handled, Outcome, OutcomeKind};
use crate::domain::incoming::Author;
use crate::domain::outbox::{OutboxMessage, OutboxState, SendResult};
use crate::domain::pause::Pause;
use crate::domain::people::PersonRecord;
use crate::domain::roster::{DeliveryChoice, DeliveryMode};
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Turn, TurnState};
use crate::ports::archive::DecisionQuery;
use crate::ports::outcomes::OutcomeCursor;
use crate::ports::store::QueueDepths;
use crate::testkit::rows::{
    advance, appended, at, claim, decision, entry, finish, ingest, message, person, plan, sent, start, turn, update,
};

claims! {
    $ __claims_of_filters of filters:
    reads_of_a_chat_hold_nothing_of_another
    reads_of_a_bot_hold_nothing_of_another
    every_limit_is_kept
    each_kind_of_waiting_row_is_counted_apart
    the_backlog_names_each_owner_whose_work_is_due
    old_rows_of_a_chat_outside_the_manifest_are_given_up
    a_reclaim_spares_other_bots
    dead_letters_of_all_kinds_are_listed_together
    removals_spare_other_people_and_other_chats
    a_store_tells_that_it_works
}

const DAY: Duration = Duration::from_secs(86_400);

/// What happened to one bot in one chat. Its rows have the ids from `id` on.
struct Twin {
    id: i64,
    turns: [Turn; 2],
    message: OutboxMessage,
}

/// The author of what was said in a twin's chat.
fn author(twin: usize) -> Author {
    Author { id: TelegramUserId(person().id.0 + twin as i64), ..person() }
}

/// Opens a scene in which each bot got two updates in its own chat: one is an entry, whose decision made two turns, the
/// first of which has its message in the outbox; the other update waits.
async fn twins(home: &dyn Home) -> (Scene, [Twin; 2]) {
    let scene = Scene::open(home).await;
    let twin = |place: usize| {
        let (id, bot, chat) = (100 * (place as i64 + 1), scene.bots[place], scene.chats[place]);
        let turns = [turn(id + 31, chat, 1, bot), Turn { ordinal: 1, ..turn(id + 32, chat, 1, bot) }];
        let message = OutboxMessage { text: format!("Selam {id}"), ..message(id + 41, &turns[0]) };
        Twin { id, turns, message }
    };
    let twins = [twin(0), twin(1)];
    for (place, twin) in twins.iter().enumerate() {
        let (id, epoch) = (twin.id, scene.epoch);
        let [first, _] = &twin.turns;
        let said = TurnEnding::Said { messages: vec![twin.message.clone()], begin: None };
        let rows = vec![update(id + 1, first.bot, first.chat, id + 1), update(id + 2, first.bot, first.chat, id + 2)];
        let step = Advance {
            entries: vec![TranscriptEntry { author: author(place), ..entry(first.chat, 1, id + 1) }],
            handled: vec![appended(id + 1, 1, Some(1))],
            decisions: vec![decision(first.chat, 1, Cause::Entry(Number(1)))],
            turns: twin.turns.to_vec(),
            ..advance(first.chat, epoch, 0, id + 1)
        };
        let batch = vec![
            ingest(first.bot, epoch, rows),
            Operation::Advance(step),
            claim(first, epoch),
            finish(first, epoch, said),
        ];
        scene.commit_all(batch).await;
    }
    (scene, twins)
}

/// Ends an attempt to send the message.
fn settled(scene: &Scene, message: &OutboxMessage, attempt: i64, result: SendResult) -> [Operation; 2] {
    let (outbox, attempt_id) = (message.id, AttemptId(attempt));
    let settle = Settle { outbox, attempt: attempt_id, result, event: None, pauses: Vec::new(), unsent: None };
    [begin(scene, message, start(attempt, at(5))), Operation::Settle(settle)]
}

fn unknown() -> SendResult {
    SendResult::Unknown("reset".to_owned())
}

/// Ends the turn in hand as a dead letter.
async fn fail(scene: &Scene, turn: &Turn) {
    for _ in 0..3 {
        let failed = finish(turn, scene.epoch, TurnEnding::Failed("no".to_owned()));
        scene.commit_all(vec![claim(turn, scene.epoch), failed]).await;
    }
}

/// Rows, entries, decisions, turns and messages are those of the chat that was asked for.
pub async fn reads_of_a_chat_hold_nothing_of_another(home: &dyn Home) {
    let (scene, twins) = twins(home).await;
    let store = &scene.store;
    for twin in &twins {
        scene.commit_all(settled(&scene, &twin.message, twin.id + 51, unknown()).to_vec()).await;
    }
    for Twin { id, turns, message } in &twins {
        let (chat, telegram, all) =
            (turns[0].chat, message.telegram_chat, DecisionQuery { limit: 9, ..Default::default() });
        let waiting = store.unhandled(chat, 9).await.unwrap();
        assert_eq!(waiting.iter().map(|row| row.id).collect::<Vec<_>>(), [InboxId(id + 2)]);
        for entries in [
            store.transcript(chat, Number(9), 9).await.unwrap(),
            store.conversation(chat, Number(9), 9).await.unwrap(),
            store.entries(chat, Number(0), 9).await.unwrap(),
            store.find_messages(telegram, &[MessageId(501), MessageId(502)]).await.unwrap(),
            store.chat_memory(chat, 9).await.unwrap().recent,
        ] {
            let found: Vec<_> = entries.iter().map(|entry| (entry.chat, entry.inbox)).collect();
            assert_eq!(found, [(chat, InboxId(id + 1))]);
        }
        let memory = store.chat_memory(chat, 9).await.unwrap();
        assert_eq!((memory.last_number, memory.last_decision), (Number(1), DecisionNumber(1)));
        assert_eq!(memory.highest, [(telegram, MessageId(501))]);
        let decisions = store.decisions(chat, &all).await.unwrap();
        assert_eq!(decisions.iter().map(|decision| decision.chat).collect::<Vec<_>>(), [chat]);
        let of_entry = DecisionQuery { entry: Some(Number(1)), ..all };
        assert_eq!(store.decisions(chat, &of_entry).await.unwrap(), decisions);
        let made = store.turns_of(chat, &[DecisionNumber(1)]).await.unwrap();
        let made: Vec<_> = made.iter().map(|(turn, messages)| (turn.id, messages.len())).collect();
        assert_eq!(made, [(turns[0].id, 1), (turns[1].id, 0)]);
        assert_eq!(store.message_number(chat, MessageId(501)).await.unwrap(), Some(Number(1)));
        let unknown = store.unknown_messages(chat).await.unwrap();
        assert_eq!(unknown.iter().map(|message| message.id).collect::<Vec<_>>(), [message.id]);
    }
    assert!(store.find_messages(TelegramChatId(-1), &[MessageId(501)]).await.unwrap().is_empty());
}

/// Turns, messages, offsets, pauses, delivery modes and texts are those of the bot that was asked for.
pub async fn reads_of_a_bot_hold_nothing_of_another(home: &dyn Home) {
    let (scene, twins) = twins(home).await;
    let store = &scene.store;
    let pause = |twin: &Twin| Pause { bot: twin.turns[0].bot, chat: None, until: at(twin.id as u64 / 100) };
    for twin in &twins {
        let added = AddPause { epoch: scene.epoch, pause: pause(twin) };
        scene.commit_all(vec![Operation::AddPause(added)]).await;
        let bot = twin.turns[0].bot;
        let queued = store.queued_turns(bot, 9).await.unwrap();
        assert_eq!(queued.iter().map(|turn| turn.id).collect::<Vec<_>>(), [twin.turns[1].id]);
        assert_eq!(store.waiting_messages(bot, 9).await.unwrap(), std::slice::from_ref(&twin.message));
        assert_eq!(store.next_offset(bot).await.unwrap(), Some(twin.id + 3));
    }
    let webhook = DeliveryChoice { mode: DeliveryMode::Webhook, webhook_url: Some("https://a.example/1".to_owned()) };
    let (bot, epoch) = (scene.bots[0], scene.epoch);
    scene
        .commit_all(vec![Operation::SetDelivery(SetDelivery { bot, epoch, choice: webhook.clone(), order: None })])
        .await;
    assert_eq!(store.delivery(scene.bots[0]).await.unwrap(), Some(webhook));
    assert_eq!(store.delivery(scene.bots[1]).await.unwrap().map(|choice| choice.mode), Some(DeliveryMode::Polling));
    assert_eq!(store.next_offset(scene.bots[0]).await.unwrap(), None);
    assert_eq!(store.next_offset(scene.bots[1]).await.unwrap(), Some(twins[1].id + 3));
    for twin in &twins {
        assert_eq!(store.pauses(twin.turns[0].bot).await.unwrap(), [pause(twin)]);
        let begun = begin(&scene, &twin.message, start(twin.id + 51, at(5)));
        scene.commit_all(vec![begun]).await;
    }
    for twin in &twins {
        let message = store.message(twin.message.id).await.unwrap().expect("stored");
        assert!(store.said_lately(message.bot, 9).await.unwrap().is_empty(), "what is being sent is not said");
        scene.commit_all(vec![sent(&message, twin.id + 51, 601, twin.id + 61)]).await;
        assert_eq!(store.said_lately(message.bot, 9).await.unwrap(), [message.text]);
    }
    assert_eq!(store.message(OutboxId(999)).await.unwrap(), None);
    assert_eq!(store.turn(TurnId(999)).await.unwrap(), None);
}

/// A limit cuts off what comes last in the read's own order.
pub async fn every_limit_is_kept(home: &dyn Home) {
    let (scene, [twin, other]) = twins(home).await;
    let (store, [first, second]) = (&scene.store, &twin.turns);
    let (bot, chat, epoch) = (first.bot, first.chat, scene.epoch);
    let more = Turn { ordinal: 2, priority: 1, ..turn(133, chat, 1, bot) };
    let step = Advance { turns: vec![more.clone()], ..advance(chat, epoch, 1, twin.id + 2) };
    let rows = vec![update(103, bot, chat, 103), update(104, bot, chat, 104)];
    scene.commit_all(vec![Operation::Advance(step), ingest(bot, epoch, rows)]).await;
    assert_eq!(store.unhandled(chat, 1).await.unwrap()[0].id, InboxId(103));
    assert_eq!(store.unhandled(chat, 1).await.unwrap().len(), 1);
    assert_eq!(store.transcript(chat, Number(2), 1).await.unwrap()[0].number, Number(2));
    assert_eq!(store.transcript(chat, Number(1), 9).await.unwrap().len(), 1);
    assert_eq!(store.conversation(chat, Number(2), 1).await.unwrap()[0].number, Number(2));
    assert_eq!(store.chat_memory(chat, 1).await.unwrap().recent.len(), 1);
    assert_eq!(store.entries(chat, Number(1), 1).await.unwrap()[0].number, Number(1));
    assert_eq!(store.entries(chat, Number(2), 9).await.unwrap().len(), 1);
    assert_eq!(store.queued_turns(bot, 1).await.unwrap()[0].id, second.id);
    assert_eq!(store.queued_turns(bot, 9).await.unwrap().len(), 2);
    let (page, cursor) = store.outcomes(OutcomeCursor::default(), 2).await.unwrap();
    assert_eq!((page.len(), cursor.inbox), (2, Some(InboxId(102))));
    fail(&scene, &more).await;
    scene.commit_all(settled(&scene, &other.message, 251, unknown()).to_vec()).await;
    assert_eq!(store.dead_letters(None, 1).await.unwrap().len(), 1);
    for (bot, limit, found) in [(bot, 0, 0), (bot, 1, 1), (scene.bots[1], 9, 0)] {
        assert_eq!(store.waiting_messages(bot, limit).await.unwrap().len(), found);
    }
}

/// Each row is counted once, under what it waits for; rows that ended are not counted.
pub async fn each_kind_of_waiting_row_is_counted_apart(home: &dyn Home) {
    let (scene, [twin, other]) = twins(home).await;
    let counted = async |inbox, turns, outbox, dead, unknown| {
        let depths = scene.store.depths().await.unwrap();
        assert_eq!(depths, QueueDepths { inbox, turns, outbox, dead, unknown });
    };
    counted(2, 2, 2, 0, 0).await;
    scene.commit_all(vec![claim(&other.turns[1], scene.epoch)]).await;
    scene.commit_all(vec![begin(&scene, &other.message, start(251, at(5)))]).await;
    counted(2, 2, 2, 0, 0).await;
    fail(&scene, &twin.turns[1]).await;
    scene.commit_all(settled(&scene, &twin.message, 151, unknown()).to_vec()).await;
    counted(2, 1, 1, 1, 1).await;
    scene.commit_all(vec![sent(&other.message, 251, 601, 261)]).await;
    counted(3, 1, 0, 1, 1).await;
}

/// Owners are named when their work is due and not before, each once; chats outside the manifest have no ticks.
pub async fn the_backlog_names_each_owner_whose_work_is_due(home: &dyn Home) {
    let (scene, twins) = twins(home).await;
    for twin in &twins {
        let quiet = Advance {
            entries: vec![],
            handled: vec![],
            next_tick_at: Some(at(70)),
            ..advance(twin.turns[0].chat, scene.epoch, 1, 0)
        };
        scene.commit_all(vec![Operation::Advance(quiet)]).await;
    }
    let backlog = async |second| scene.store.backlog(at(second)).await.unwrap();
    let early = backlog(1).await;
    assert_eq!((early.chats, early.ticks, early.bots), (scene.chats.to_vec(), vec![], vec![]));
    let due = backlog(70).await;
    assert_eq!((due.ticks, due.bots, due.turns_open), (scene.chats.to_vec(), scene.bots.to_vec(), 2));
    scene.commit_all(vec![claim(&twins[0].turns[1], scene.epoch)]).await;
    scene.commit_all(settled(&scene, &twins[0].message, 151, unknown()).to_vec()).await;
    let left = backlog(70).await;
    assert_eq!(
        (left.bots, left.turns_open),
        (vec![scene.bots[1]], 2),
        "a turn in hand and an unknown send are no work"
    );
    scene.store.apply_roster(&plan(2, 1), at(71)).await.unwrap();
    assert_eq!(backlog(72).await.ticks, [scene.chats[0]]);
}

/// Rows that wait for a chat outside the manifest are given up by age; all others wait on.
pub async fn old_rows_of_a_chat_outside_the_manifest_are_given_up(home: &dyn Home) {
    let (scene, twins) = twins(home).await;
    let waiting = async |place: usize| scene.store.unhandled(scene.chats[place], 9).await.unwrap().len();
    scene.store.apply_roster(&plan(2, 1), at(1)).await.unwrap();
    assert_eq!(scene.store.prune(at(0), &HANDLED_GO).await.unwrap(), 0, "received at that very instant");
    assert_eq!((waiting(0).await, waiting(1).await), (1, 1));
    assert_eq!(
        scene.store.prune(at(1), &HANDLED_GO).await.unwrap(),
        3,
        "two that were handled, and one that was given up"
    );
    assert_eq!((waiting(0).await, waiting(1).await), (1, 0));
    let (lines, _) = scene.store.outcomes(OutcomeCursor::default(), 9).await.unwrap();
    assert_eq!(lines.iter().filter_map(|line| line.update_id).collect::<Vec<_>>(), [twins[0].id + 2]);
    assert_eq!(scene.store.depths().await.unwrap().inbox, 1);
}

/// I7: what other bots have in hand is theirs.
pub async fn a_reclaim_spares_other_bots(home: &dyn Home) {
    let (scene, twins) = twins(home).await;
    for twin in &twins {
        let batch = vec![claim(&twin.turns[1], scene.epoch), begin(&scene, &twin.message, start(twin.id + 51, at(5)))];
        scene.commit_all(batch).await;
    }
    scene.store.reclaim(scene.bots[0]).await.unwrap();
    let ends = [(TurnState::Queued, OutboxState::Unknown), (TurnState::Claimed, OutboxState::Sending)];
    for (twin, end) in twins.iter().zip(ends) {
        let (stored, _) = scene.store.turn(twin.turns[1].id).await.unwrap().expect("stored");
        assert_eq!((stored.progress.state, progress(&scene, &twin.message).await.state), end);
    }
}

/// Dead letters of all kinds come in the order of their ids, and after the one that was named.
pub async fn dead_letters_of_all_kinds_are_listed_together(home: &dyn Home) {
    let (scene, [twin, other]) = twins(home).await;
    let dead = Outcome::because(OutcomeKind::Dead, "refused");
    let dead = Handled { inbox: InboxId(102), outcome: dead, number: None, decision: None };
    let step = Advance { entries: vec![], handled: vec![dead], ..advance(twin.turns[0].chat, scene.epoch, 1, 0) };
    scene.commit_all(vec![Operation::Advance(step)]).await;
    fail(&scene, &twin.turns[1]).await;
    scene.commit_all(settled(&scene, &twin.message, 151, unknown()).to_vec()).await;
    let rejected = SendResult::Rejected("kicked".to_owned());
    scene.commit_all(settled(&scene, &other.message, 251, rejected).to_vec()).await;
    let letters = [
        DeadLetterId::Update(InboxId(102)),
        DeadLetterId::Turn(twin.turns[1].id),
        DeadLetterId::Message(twin.message.id),
        DeadLetterId::Message(other.message.id),
    ];
    let mut after = vec![None];
    after.extend(letters.map(Some));
    for (read, after) in after.into_iter().enumerate() {
        let found = scene.store.dead_letters(after, 9).await.unwrap();
        assert_eq!(found.iter().map(|letter| letter.id).collect::<Vec<_>>(), letters[read..]);
    }
    let found = scene.store.dead_letters(None, 9).await.unwrap();
    let reasons: Vec<_> = found.iter().filter_map(|letter| letter.reason.as_deref()).collect();
    assert_eq!(reasons, ["refused", "no", "reset", "kicked"]);
    assert_eq!(found.iter().map(|letter| letter.bot).collect::<Vec<_>>(), [0, 0, 0, 1].map(|place| scene.bots[place]));
}

/// A person's record and a person's removal concern nobody else, and a chat's retention no other chat.
pub async fn removals_spare_other_people_and_other_chats(home: &dyn Home) {
    let (scene, _) = twins(home).await;
    let texts = async || {
        let mut texts = Vec::new();
        for chat in scene.chats {
            texts.push(scene.store.transcript(chat, Number(1), 1).await.unwrap()[0].text.is_some());
        }
        texts
    };
    for place in [0, 1] {
        let record = scene.store.person(author(place).id).await.unwrap();
        assert_eq!((record.entries, record.answers, record.first), (1, 2, Some(at(1))));
    }
    assert_eq!(scene.store.person(TelegramUserId(1)).await.unwrap(), PersonRecord::default());
    let mut keeping = plan(2, 2);
    keeping.chats[1].retention_days = 0;
    scene.store.apply_roster(&keeping, at(1)).await.unwrap();
    assert!(scene.store.expire(at(1) + DAY * 29).await.unwrap() == 0 && texts().await == [true, true]);
    scene.store.expire(at(2) + DAY * 30).await.unwrap();
    assert_eq!(texts().await, [false, true]);
    scene.store.forget(author(0).id, None, &|_| None).await.unwrap();
    assert_eq!(texts().await, [false, true]);
    scene.store.forget(author(1).id, None, &|_| None).await.unwrap();
    assert_eq!(texts().await, [false, false]);
}

/// A store that works says so, and closes in good order.
pub async fn a_store_tells_that_it_works(home: &dyn Home) {
    let scene = Scene::open(home).await;
    scene.store.check().await.unwrap();
    let rights = scene.store.rights(-1).await.unwrap().expect("another number is known");
    assert_eq!(scene.store.rights(rights.seq).await.unwrap(), None);
    assert!(scene.store.stops().await.unwrap().0.is_empty());
    scene.store.close().await.unwrap();
}
