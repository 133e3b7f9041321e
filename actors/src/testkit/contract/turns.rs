//! Claims about turns, and about batches of operations that depend on one another: I4, I7. Part of the testkit.

use super::{Home, Scene, assert_conflict};
use crate::domain::commit::operations::{Advance, Operation, TurnEnding};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::decision::Cause;
use crate::domain::ids::{Epoch, Number};
use crate::domain::outbox::{OutboxState, SendProgress};
use crate::domain::turn::{TURN_ATTEMPTS_MAX, Turn, TurnState};
use crate::testkit::rows::{
    advance, appended, at, claim, decision, finish, ingest, message, start, turn, update, usage,
};

claims! {
    $ __claims_of_turns of turns:
    a_turn_is_claimed_once_and_by_its_bot
    a_finished_turn_leaves_its_messages_in_the_outbox
    a_failed_turn_is_queued_again_until_it_is_dead
    a_turn_given_up_is_final
    turns_wait_by_priority_then_age
    a_whole_conversation_commits_in_one_batch
    a_refusal_takes_its_dependants_along_and_nothing_else
}

/// Returns an ingest, and the advance that makes `turns` from it.
pub(super) fn conversation(scene: &Scene, turns: &[Turn]) -> Vec<Operation> {
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    vec![
        ingest(bot, scene.epoch, vec![update(1, bot, chat, 1)]),
        Operation::Advance(Advance {
            handled: vec![appended(1, 1, Some(1))],
            decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
            turns: turns.to_vec(),
            ..advance(chat, scene.epoch, 0, 1)
        }),
    ]
}

async fn with_turn(home: &dyn Home) -> (Scene, Turn) {
    let scene = Scene::open(home).await;
    let turn = turn(31, scene.chats[0], 1, scene.bots[0]);
    scene.commit_all(conversation(&scene, std::slice::from_ref(&turn))).await;
    (scene, turn)
}

async fn state(scene: &Scene, turn: &Turn) -> TurnState {
    scene.store.turn(turn.id).await.unwrap().unwrap().0.progress.state
}

/// One bot claims a turn, once.
pub async fn a_turn_is_claimed_once_and_by_its_bot(home: &dyn Home) {
    let (scene, turn) = with_turn(home).await;
    let stranger = Turn { bot: scene.bots[1], ..turn.clone() };
    assert_conflict(&scene.commit_one(claim(&stranger, scene.epoch)).await);
    assert_eq!(scene.store.backlog(at(2)).await.unwrap().bots, [turn.bot]);
    assert!(scene.store.backlog(at(1)).await.unwrap().bots.is_empty());
    scene.commit_all(vec![claim(&turn, scene.epoch)]).await;
    assert_conflict(&scene.commit_one(claim(&turn, scene.epoch)).await);
    let (stored, _) = scene.store.turn(turn.id).await.unwrap().unwrap();
    assert_eq!((stored.progress.state, stored.progress.attempts), (TurnState::Claimed, 1));
    assert_eq!(stored.progress.claimed_epoch, Some(scene.epoch));
    assert!(scene.store.queued_turns(turn.bot, 9).await.unwrap().is_empty());
    assert_eq!(scene.store.depths().await.unwrap().turns, 1);
}

/// The parts of a text wait in the outbox as written.
pub async fn a_finished_turn_leaves_its_messages_in_the_outbox(home: &dyn Home) {
    let (scene, turn) = with_turn(home).await;
    let mut parts = vec![message(41, &turn), message(42, &turn)];
    (parts[0].parts, parts[1].parts, parts[1].part) = (2, 2, 1);
    (parts[1].thread, parts[1].reply_to, parts[1].root) = (None, None, None);
    parts[1].progress = SendProgress::queued(at(50));
    let said = TurnEnding::Said { messages: parts.clone(), begin: None };
    assert_conflict(&scene.commit_one(finish(&turn, scene.epoch, said.clone())).await);
    let done = scene.commit_all(vec![claim(&turn, scene.epoch), finish(&turn, scene.epoch, said)]).await;
    assert_eq!(done[1], Applied::Said(None));
    let (stored, messages) = scene.store.turn(turn.id).await.unwrap().unwrap();
    assert_eq!((stored.progress.state, stored.progress.usage), (TurnState::Done, Some(usage())));
    assert_eq!(messages, parts);
    assert_eq!(scene.store.waiting_messages(turn.bot, 9).await.unwrap(), parts);
    assert_eq!(scene.store.waiting_messages(turn.bot, 1).await.unwrap(), parts[..1]);
    assert_eq!(scene.store.message(parts[1].id).await.unwrap().as_ref(), Some(&parts[1]));
    assert!(scene.store.waiting_messages(scene.bots[1], 9).await.unwrap().is_empty());
    assert_eq!(scene.store.backlog(at(3)).await.unwrap().bots, [turn.bot]);
    assert!(scene.store.backlog(at(2)).await.unwrap().bots.is_empty());
    let depths = scene.store.depths().await.unwrap();
    assert_eq!((depths.turns, depths.outbox), (0, 2));
}

/// I7: a turn that fails too often becomes a dead letter.
pub async fn a_failed_turn_is_queued_again_until_it_is_dead(home: &dyn Home) {
    let (scene, turn) = with_turn(home).await;
    for attempt in 1..=TURN_ATTEMPTS_MAX {
        let failed = finish(&turn, scene.epoch, TurnEnding::Failed(format!("reason {attempt}")));
        let done = scene.commit_all(vec![claim(&turn, scene.epoch), failed]).await;
        assert_eq!(done[1], Applied::Failed { dead: attempt == TURN_ATTEMPTS_MAX });
        let (stored, _) = scene.store.turn(turn.id).await.unwrap().unwrap();
        assert_eq!(stored.progress.error, Some(format!("reason {attempt}")));
    }
    assert_eq!(state(&scene, &turn).await, TurnState::Dead);
    assert_conflict(&scene.commit_one(claim(&turn, scene.epoch)).await);
    let depths = scene.store.depths().await.unwrap();
    assert_eq!((depths.turns, depths.dead), (0, 1));
}

/// Dropped and expired turns do not come back.
pub async fn a_turn_given_up_is_final(home: &dyn Home) {
    let (scene, dropped) = with_turn(home).await;
    let expired = Turn { ordinal: 1, id: crate::domain::ids::TurnId(32), ..dropped.clone() };
    let more = Advance {
        entries: vec![],
        handled: vec![],
        turns: vec![expired.clone()],
        ..advance(dropped.chat, scene.epoch, 1, 1)
    };
    scene
        .commit_all(vec![
            Operation::Advance(more),
            claim(&dropped, scene.epoch),
            claim(&expired, scene.epoch),
            finish(&dropped, scene.epoch, TurnEnding::Dropped("stopped".to_owned())),
            finish(&expired, scene.epoch, TurnEnding::Expired),
        ])
        .await;
    assert_eq!(state(&scene, &dropped).await, TurnState::Dropped);
    assert_eq!(state(&scene, &expired).await, TurnState::Expired);
    assert_conflict(&scene.commit_one(claim(&dropped, scene.epoch)).await);
    assert_eq!(scene.store.depths().await.unwrap().turns, 0);
}

/// Turns for people who wait come first.
pub async fn turns_wait_by_priority_then_age(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let made = |id: i64, ordinal: u32, priority: u8, created: u64| {
        let turn = turn(id, scene.chats[0], 1, scene.bots[0]);
        Turn { ordinal, priority, created_at: at(created), ..turn }
    };
    let turns = [made(31, 0, 2, 1), made(32, 1, 0, 5), made(33, 2, 0, 4), made(34, 3, 1, 0)];
    scene.commit_all(conversation(&scene, &turns)).await;
    let ids = |turns: Vec<Turn>| turns.iter().map(|turn| turn.id.0).collect::<Vec<_>>();
    assert_eq!(ids(scene.store.queued_turns(scene.bots[0], 9).await.unwrap()), [33, 32, 34, 31]);
    assert_eq!(ids(scene.store.queued_turns(scene.bots[0], 2).await.unwrap()), [33, 32]);
}

/// Dependent operations of one node queue without waiting for each other's commit.
pub async fn a_whole_conversation_commits_in_one_batch(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let turn = turn(31, scene.chats[0], 1, scene.bots[0]);
    let said = TurnEnding::Said { messages: vec![message(41, &turn)], begin: Some(start(51, at(5))) };
    let mut batch = conversation(&scene, std::slice::from_ref(&turn));
    batch.extend([claim(&turn, scene.epoch), finish(&turn, scene.epoch, said)]);
    let done = scene.commit_all(batch).await;
    assert_eq!(done[3], Applied::Said(Some(Verdict::Send)));
    let scene = scene.reopen(home).await;
    let (stored, messages) = scene.store.turn(turn.id).await.unwrap().unwrap();
    assert_eq!((stored.progress.state, stored.progress.attempts), (TurnState::Done, 1));
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].progress.state, messages[0].progress.attempts), (OutboxState::Unknown, 1));
    assert_eq!(scene.store.chat_memory(turn.chat, 9).await.unwrap().last_number, Number(1));
}

/// Dependants of a refused operation find a row missing or in another state; the rest of the batch commits.
pub async fn a_refusal_takes_its_dependants_along_and_nothing_else(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, other], [chat, _]) = (scene.bots, scene.chats);
    let turn = turn(31, chat, 1, bot);
    let mut batch = conversation(&scene, std::slice::from_ref(&turn));
    let Operation::Ingest(first) = &mut batch[0] else { unreachable!("a conversation begins with an ingest") };
    first.epoch = Epoch(first.epoch.0 - 1);
    let said = TurnEnding::Said { messages: vec![message(41, &turn)], begin: None };
    batch.extend([claim(&turn, scene.epoch), finish(&turn, scene.epoch, said)]);
    batch.push(ingest(other, scene.epoch, vec![update(9, other, chat, 9)]));
    let results = scene.commit(batch).await;
    assert_eq!(results[0], Err(Refusal::Fenced));
    for dependant in &results[1..4] {
        assert_conflict(dependant);
    }
    assert_eq!(results[4], Ok(Applied::Ingested { already_there: 0 }));
    assert_eq!(scene.store.turn(turn.id).await.unwrap(), None);
    assert_eq!(scene.store.chat_memory(chat, 9).await.unwrap().last_number, Number(0));
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), None);
    assert_eq!(scene.store.next_offset(other).await.unwrap(), Some(10));
    assert_eq!(scene.store.unhandled(chat, 9).await.unwrap().len(), 1);
}
