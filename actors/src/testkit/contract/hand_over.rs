//! Claims about leases that change hands, and about stored facts of bots: I4, I6, I10. Part of the testkit.

use super::send::{begin, progress, with_messages};
use super::turns::conversation;
use super::{Home, Scene, assert_conflict};
use crate::domain::commit::operations::{HandOver, Operation, SetAbsence};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{Epoch, Number};
use crate::domain::outbox::OutboxState;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::turn::{TURN_ATTEMPTS_MAX, TurnState};
use crate::testkit::rows::{advance, at, claim, ingest, plan, sent, start, turn, update};

claims! {
    $ __claims_of_hand_over of hand_over:
    a_lease_given_away_fences_what_follows_in_its_batch
    a_lease_is_given_away_once_under_an_epoch
    turns_in_hand_go_back_without_an_attempt
    a_send_under_way_is_settled_after_a_hand_over
    a_chat_given_away_is_fenced
    an_absence_is_fenced_by_its_bot
    a_username_is_news_once
    the_roster_reads_back_as_it_was_applied
}

/// The next owner of the lease; the store does not check that it exists.
const HEIR: Incarnation = Incarnation(4_711);

fn hand_over(key: LeaseKey, epoch: Epoch) -> Operation {
    Operation::HandOver(HandOver { key, epoch, to: HEIR })
}

fn next(epoch: Epoch) -> Epoch {
    Epoch(epoch.0 + 1)
}

/// I6: operations before the hand-over in the batch are stored, those after it are fenced.
pub async fn a_lease_given_away_fences_what_follows_in_its_batch(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, other], [chat, _], epoch) = (scene.bots, scene.chats, scene.epoch);
    let done = scene
        .commit(vec![
            ingest(bot, epoch, vec![update(1, bot, chat, 10)]),
            hand_over(LeaseKey::Bot(bot), epoch),
            ingest(bot, epoch, vec![update(2, bot, chat, 11)]),
            ingest(other, epoch, vec![update(3, other, chat, 12)]),
        ])
        .await;
    assert_eq!((&done[1], &done[2]), (&Ok(Applied::Done), &Err(Refusal::Fenced)));
    assert!(done[0].is_ok() && done[3].is_ok(), "{done:?}");
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), Some(11));
    let late = scene.commit_one(ingest(bot, epoch, vec![update(4, bot, chat, 13)])).await;
    assert_eq!(late, Err(Refusal::Fenced));
    scene.commit_all(vec![ingest(bot, next(epoch), vec![update(5, bot, chat, 14)])]).await;
}

/// An epoch rises by one with every change of owner, and only then.
pub async fn a_lease_is_given_away_once_under_an_epoch(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (key, epoch) = (LeaseKey::Bot(scene.bots[0]), scene.epoch);
    scene.commit_all(vec![hand_over(key, epoch)]).await;
    assert_eq!(scene.commit_one(hand_over(key, epoch)).await, Err(Refusal::Fenced));
    scene.commit_all(vec![hand_over(key, next(epoch)), hand_over(key, next(next(epoch)))]).await;
    assert_eq!(scene.commit_one(hand_over(key, next(epoch))).await, Err(Refusal::Fenced));
}

/// A planned move is no failure of a turn, and no number of moves makes it dead.
pub async fn turns_in_hand_go_back_without_an_attempt(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let turns = [turn(31, chat, 1, bot), turn(32, chat, 1, scene.bots[1])];
    scene.commit_all(conversation(&scene, &turns)).await;
    scene.commit_all(vec![claim(&turns[1], scene.epoch)]).await;
    let mut epoch = scene.epoch;
    for moves in 0..=TURN_ATTEMPTS_MAX {
        let claimed = claim(&turns[0], epoch);
        if moves % 2 == 0 {
            scene.commit_all(vec![claimed]).await;
            scene.commit_all(vec![hand_over(LeaseKey::Bot(bot), epoch)]).await;
        } else {
            scene.commit_all(vec![claimed, hand_over(LeaseKey::Bot(bot), epoch)]).await;
        }
        epoch = next(epoch);
        let (stored, _) = scene.store.turn(turns[0].id).await.unwrap().unwrap();
        let progress = stored.progress;
        assert_eq!((progress.state, progress.attempts, progress.claimed_epoch), (TurnState::Queued, 0, None));
    }
    let (others, _) = scene.store.turn(turns[1].id).await.unwrap().unwrap();
    assert_eq!(others.progress.state, TurnState::Claimed, "another bot's turns stay in hand");
}

/// I6: the incarnation that began an attempt ends it, also after the lease has moved.
pub async fn a_send_under_way_is_settled_after_a_hand_over(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5)))]).await;
    scene.commit_all(vec![hand_over(LeaseKey::Bot(messages[0].bot), scene.epoch)]).await;
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Sending);
    assert_eq!(scene.commit_one(sent(&messages[0], 51, 601, 61)).await, Ok(Applied::Done));
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Sent);
}

/// I3: a chat's transcript has one writer at any time.
pub async fn a_chat_given_away_is_fenced(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _], epoch) = (scene.bots, scene.chats, scene.epoch);
    let rows = (1..=3).map(|row| update(row, bot, chat, row)).collect();
    scene.commit_all(vec![ingest(bot, epoch, rows)]).await;
    let step = |epoch, base: i64, row| Operation::Advance(advance(chat, epoch, base, row));
    let done = scene.commit(vec![step(epoch, 0, 1), hand_over(LeaseKey::Chat(chat), epoch), step(epoch, 1, 2)]).await;
    assert_eq!((done[0].is_ok(), done[1].is_ok(), &done[2]), (true, true, &Err(Refusal::Fenced)));
    assert_eq!(scene.commit_one(step(epoch, 1, 2)).await, Err(Refusal::Fenced));
    assert_conflict(&scene.commit_one(step(next(epoch), 0, 2)).await);
    scene.commit_all(vec![step(next(epoch), 1, 2)]).await;
    assert_eq!(scene.store.chat_memory(chat, 9).await.unwrap().last_number, Number(2));
}

/// A bot reports its absence from a chat wherever that chat lives.
pub async fn an_absence_is_fenced_by_its_bot(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _], epoch) = (scene.bots, scene.chats, scene.epoch);
    let absence = |epoch, absent| Operation::SetAbsence(SetAbsence { bot, epoch, chat, absent });
    let absent = async || scene.store.chat_memory(chat, 1).await.unwrap().absent;
    scene.commit_all(vec![absence(epoch, true)]).await;
    assert_eq!(absent().await, [bot]);
    assert_eq!(scene.commit_one(absence(next(epoch), false)).await, Err(Refusal::Fenced));
    assert_eq!(absent().await, [bot]);
    scene.commit_all(vec![absence(epoch, true), absence(epoch, false)]).await;
    assert!(absent().await.is_empty());
}

/// I10: every node learns a new username, once.
pub async fn a_username_is_news_once(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let before = scene.roster.config_seq;
    let names = |names: [&str; 2]| [(scene.bots[0], names[0].to_owned()), (scene.bots[1], names[1].to_owned())];
    scene.store.set_usernames(&names(["gardener_bot", "baker_bot"])[..1]).await.unwrap();
    scene.store.set_usernames(&names(["gardener_bot", "baker_bot"])[..1]).await.unwrap();
    let roster = scene.store.roster().await.unwrap();
    assert_eq!(roster.config_seq.0, before.0 + 1);
    assert_eq!(roster.bots[&scene.bots[0]].username.as_deref(), Some("gardener_bot"));
    assert_eq!(roster.bots[&scene.bots[1]].username, None);
    scene.store.set_usernames(&names(["florist_bot", "baker_bot"])).await.unwrap();
    let roster = scene.store.roster().await.unwrap();
    assert_eq!(roster.config_seq.0, before.0 + 2, "usernames that are stored together are one change");
    assert_eq!(roster.bots[&scene.bots[0]].username.as_deref(), Some("florist_bot"));
    assert_eq!(roster.bots[&scene.bots[1]].username.as_deref(), Some("baker_bot"));
    let applied = scene.store.apply_roster(&plan(2, 2), at(9)).await.unwrap();
    assert_eq!(applied, roster, "a plan that asks for what is stored changes nothing");
}

/// A roster that one node applied reads back the same on another.
pub async fn the_roster_reads_back_as_it_was_applied(home: &dyn Home) {
    let scene = Scene::open(home).await;
    assert_eq!(scene.store.roster().await.unwrap(), scene.roster);
    let applied = scene.store.apply_roster(&plan(3, 1), at(9)).await.unwrap();
    assert_eq!(scene.store.roster().await.unwrap(), applied);
    assert_eq!((applied.bots.len(), applied.chats.len()), (3, 1));
}
