//! Claims about the archive: decisions and their turns as they were made, the transcript read forwards. Part of the
//! testkit.

use super::send::{begin, with_messages};
use super::turns::conversation;
use super::{Home, Scene};
use crate::domain::commit::operations::{Advance, Migrate, Operation, TurnEnding};
use crate::domain::decision::{Cause, Decision, Standing, Verdict};
use crate::domain::ids::{ChatId, DecisionNumber, IdSource, MessageId, Number, TelegramChatId, TurnId};
use crate::domain::outbox::OutboxState;
use crate::domain::transcript::EntryKind;
use crate::domain::turn::Turn;
use crate::domain::watching::{AtWork, ChatEnd, WorkStep};
use crate::ports::archive::DecisionQuery;
use crate::testkit::rows::{
    advance, appended, at, claim, decision, entry, finish, ingest, message, sent, start, turn, update,
};

claims! {
    $ __claims_of_archive of archive:
    decisions_read_back_as_they_were_made
    decisions_come_in_pages_both_ways_and_by_entry
    turns_of_decisions_come_with_their_messages
    entries_are_read_forwards_from_any_number
    a_message_is_found_by_its_id_also_after_a_migration
    a_sent_message_is_found_by_what_telegram_calls_it
    the_ends_of_histories_are_read_for_the_chats_that_are_asked_for
    bots_are_at_work_from_their_turn_to_the_end_of_their_message
}

/// Records a chat of six entries. Each entry but the third led to a decision, and the last decision is a tick's.
async fn recorded(home: &dyn Home) -> (Scene, Vec<Decision>) {
    let scene = Scene::open(home).await;
    let chat = scene.chats[0];
    let rows = (1..=6).map(|n| update(n, scene.bots[0], chat, n)).collect();
    scene.commit_all(vec![ingest(scene.bots[0], scene.epoch, rows)]).await;
    let causes = [1, 2, 4, 5, 6].map(|number| Cause::Entry(Number(number)));
    let mut decisions: Vec<Decision> =
        causes.into_iter().chain([Cause::Tick]).zip(1..).map(|(cause, number)| decision(chat, number, cause)).collect();
    decisions[1].verdict = Verdict::Silent;
    decisions[1].standing = Standing::default();
    (decisions[1].root, decisions[1].chain_depth, decisions[1].seed) = (None, 3, 7);
    let entries = (1..=6).map(|number| entry(chat, number, number));
    scene
        .commit_all(vec![Operation::Advance(Advance {
            entries: entries.collect(),
            handled: (1..=6).map(|number| appended(number, number, None)).collect(),
            decisions: decisions.clone(),
            ..advance(chat, scene.epoch, 0, 1)
        })])
        .await;
    (scene, decisions)
}

async fn numbers(scene: &Scene, query: DecisionQuery) -> Vec<i64> {
    let found = scene.store.decisions(scene.chats[0], &query).await.unwrap();
    found.into_iter().map(|decision| decision.number.0).collect()
}

/// Every field reads back, seed and standing included, also after a restart; another chat has no decisions.
pub async fn decisions_read_back_as_they_were_made(home: &dyn Home) {
    let (scene, decisions) = recorded(home).await;
    let scene = scene.reopen(home).await;
    let all = DecisionQuery { after: Some(DecisionNumber(0)), limit: 50, ..DecisionQuery::default() };
    assert_eq!(scene.store.decisions(scene.chats[0], &all).await.unwrap(), decisions);
    assert_eq!(scene.store.decisions(scene.chats[1], &all).await.unwrap(), []);
    let (recorded, stored) = (scene.store.recorded_roster().await.unwrap(), scene.store.roster().await.unwrap());
    assert_eq!(recorded, stored);
}

/// Pages come newest first before a number and oldest first after one; a query by entry returns that entry's decisions.
pub async fn decisions_come_in_pages_both_ways_and_by_entry(home: &dyn Home) {
    let (scene, _) = recorded(home).await;
    let newest = DecisionQuery { limit: 2, ..DecisionQuery::default() };
    assert_eq!(numbers(&scene, newest).await, [6, 5]);
    assert_eq!(numbers(&scene, DecisionQuery { before: Some(DecisionNumber(5)), ..newest }).await, [4, 3]);
    assert_eq!(numbers(&scene, DecisionQuery { before: Some(DecisionNumber(1)), ..newest }).await, [0; 0]);
    let oldest = DecisionQuery { after: Some(DecisionNumber(2)), ..newest };
    assert_eq!(numbers(&scene, oldest).await, [3, 4]);
    assert_eq!(numbers(&scene, DecisionQuery { before: Some(DecisionNumber(4)), ..oldest }).await, [3]);
    assert_eq!(numbers(&scene, DecisionQuery { entry: Some(Number(4)), ..newest }).await, [3]);
    assert_eq!(numbers(&scene, DecisionQuery { entry: Some(Number(3)), ..newest }).await, [0; 0]);
    assert_eq!(numbers(&scene, DecisionQuery { limit: 0, ..newest }).await, [0; 0]);
}

/// Turns come in the order of decision and ordinal, whatever their end.
pub async fn turns_of_decisions_come_with_their_messages(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let chat = scene.chats[0];
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5))), sent(&messages[0], 51, 601, 61)]).await;
    let found = scene.store.turns_of(chat, &[DecisionNumber(1), DecisionNumber(9)]).await.unwrap();
    let turns: Vec<_> = found.iter().map(|(turn, _)| turn.id).collect();
    assert_eq!(turns, messages.iter().map(|message| message.turn).collect::<Vec<_>>());
    let states: Vec<_> = found.iter().flat_map(|(_, sent)| sent).map(|message| message.progress.state).collect();
    assert_eq!(states, [OutboxState::Sent, OutboxState::Queued]);
    for (turn, _) in &found {
        assert_eq!(scene.store.turn(turn.id).await.unwrap().unwrap().0, *turn);
    }
    assert!(scene.store.turns_of(chat, &[DecisionNumber(9)]).await.unwrap().is_empty());
    assert!(scene.store.turns_of(scene.chats[1], &[DecisionNumber(1)]).await.unwrap().is_empty());
}

/// Entries come oldest first, as many as asked for, as they were written.
pub async fn entries_are_read_forwards_from_any_number(home: &dyn Home) {
    let (scene, _) = recorded(home).await;
    let chat = scene.chats[0];
    let read = scene.store.entries(chat, Number(2), 3).await.unwrap();
    let written: Vec<_> = (2..=4).map(|number| entry(chat, number, number)).collect();
    assert_eq!(read.iter().map(|entry| (**entry).clone()).collect::<Vec<_>>(), written);
    assert!(scene.store.entries(chat, Number(7), 3).await.unwrap().is_empty());
    assert!(scene.store.entries(scene.chats[1], Number(1), 3).await.unwrap().is_empty());
}

/// A message is found by the id that Telegram gave it in any group that the chat was; an edit is not a message.
pub async fn a_message_is_found_by_its_id_also_after_a_migration(home: &dyn Home) {
    let (scene, _) = recorded(home).await;
    let chat = scene.chats[0];
    assert_eq!(scene.store.message_number(chat, MessageId(504)).await.unwrap(), Some(Number(4)));
    assert_eq!(scene.store.message_number(chat, MessageId(999)).await.unwrap(), None);
    assert_eq!(scene.store.message_number(scene.chats[1], MessageId(504)).await.unwrap(), None);
    let rows = vec![update(7, scene.bots[0], chat, 7), update(8, scene.bots[0], chat, 8)];
    scene.commit_all(vec![ingest(scene.bots[0], scene.epoch, rows)]).await;
    let migrate = Migrate { chat, epoch: scene.epoch, to: TelegramChatId(-9001), at: at(9) };
    scene.commit_all(vec![Operation::Migrate(migrate)]).await;
    let mut again = entry(chat, 7, 7);
    (again.telegram_chat, again.message_id) = (TelegramChatId(-9001), MessageId(504));
    let mut edit = entry(chat, 8, 8);
    (edit.telegram_chat, edit.message_id, edit.kind) = (TelegramChatId(-9001), MessageId(503), EntryKind::Edit);
    scene
        .commit_all(vec![Operation::Advance(Advance {
            entries: vec![again, edit],
            handled: vec![appended(7, 7, None), appended(8, 8, None)],
            ..advance(chat, scene.epoch, 6, 7)
        })])
        .await;
    assert_eq!(scene.store.message_number(chat, MessageId(504)).await.unwrap(), Some(Number(7)));
    assert_eq!(scene.store.message_number(chat, MessageId(503)).await.unwrap(), Some(Number(3)));
}

/// A chat's end is its last entry and its last decision; a chat that is not asked for, or unknown, is left out.
pub async fn the_ends_of_histories_are_read_for_the_chats_that_are_asked_for(home: &dyn Home) {
    let (scene, decisions) = recorded(home).await;
    let [chat, other] = scene.chats;
    let ends = scene.store.chat_ends(&[chat, ChatId(99_999)]).await.unwrap();
    let last = decisions.last().unwrap().number;
    assert_eq!(ends, [ChatEnd { chat, number: Number(6), decision: last }]);
    let both = scene.store.chat_ends(&[other, chat]).await.unwrap();
    assert!(both.contains(&ends[0]) && both.iter().all(|end| end.chat == chat || end.number == Number(0)), "{both:?}");
    assert!(scene.store.chat_ends(&[]).await.unwrap().is_empty());
}

/// A bot with several open turns or messages in one step stands there once; ended ones, and other chats, are left out.
pub async fn bots_are_at_work_from_their_turn_to_the_end_of_their_message(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let chat = scene.chats[0];
    let work = async || scene.store.at_work(&[chat]).await.unwrap();
    let steps = async || work().await.into_iter().map(|work| work.step).collect::<Vec<_>>();
    assert!(work().await.contains(&AtWork { chat, bot: messages[0].bot, step: WorkStep::Typing }));
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5)))]).await;
    assert!(work().await.contains(&AtWork { chat, bot: messages[0].bot, step: WorkStep::Sending }));
    scene.commit_all(vec![sent(&messages[0], 51, 601, 61)]).await;
    assert!(!steps().await.contains(&WorkStep::Sending), "what Telegram has is at its end");
    assert!(scene.store.at_work(&[scene.chats[1]]).await.unwrap().is_empty());
    assert!(scene.store.at_work(&[]).await.unwrap().is_empty());
}

/// The message of the outbox is found by bot, chat and Telegram's id, near the date; one that was not sent is not.
pub async fn a_sent_message_is_found_by_what_telegram_calls_it(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let turn = Turn { id: TurnId(31), ..turn(0, scene.chats[0], 1, scene.bots[0]) };
    let made = message(IdSource::first_at(at(3)) + 1, &turn);
    let mut batch = conversation(&scene, std::slice::from_ref(&turn));
    let said = TurnEnding::Said { messages: vec![made.clone()], begin: None };
    batch.extend([claim(&turn, scene.epoch), finish(&turn, scene.epoch, said)]);
    scene.commit_all(batch).await;
    let (bot, chat) = (made.bot, made.telegram_chat);
    let find = async |bot, chat, message, date| scene.store.sent_as(bot, chat, MessageId(message), date).await.unwrap();
    scene.commit_all(vec![begin(&scene, &made, start(51, at(5)))]).await;
    assert!(find(bot, chat, 601, at(4)).await.is_none(), "nobody knows yet what Telegram calls it");
    scene.commit_all(vec![sent(&made, 51, 601, 61)]).await;
    assert_eq!(find(bot, chat, 601, at(4)).await.map(|found| found.id), Some(made.id));
    assert!(find(bot, chat, 602, at(4)).await.is_none());
    assert!(find(scene.bots[1], chat, 601, at(4)).await.is_none());
    assert!(find(bot, TelegramChatId(-1), 601, at(4)).await.is_none());
    assert!(find(bot, chat, 601, at(2 * 86_400)).await.is_none(), "two days later another message has this id");
}
