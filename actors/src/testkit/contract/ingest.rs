//! Claims about ingest: I1, I2. Part of the testkit.

use super::{Home, Scene};
use crate::domain::commit::outcome::Applied;
use crate::domain::inbox::{Outcome, OutcomeKind};
use crate::testkit::rows::{at, ingest, update};

claims! {
    $ __claims_of_ingest of ingest:
    the_offset_is_stored_with_its_rows
    the_offset_is_the_last_one_said_not_the_maximum
    the_same_update_twice_is_one_row
    the_same_update_twice_in_one_batch_is_one_row
    a_row_with_an_outcome_at_ingest_is_no_work
}

/// I1: rows and offset are stored together.
pub async fn the_offset_is_stored_with_its_rows(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, other], [chat, _]) = (scene.bots, scene.chats);
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), None);
    let rows = vec![update(11, bot, chat, 700), update(12, bot, chat, 701)];
    let done = scene.commit_one(ingest(bot, scene.epoch, rows.clone())).await;
    assert_eq!(done, Ok(Applied::Ingested { already_there: 0 }));
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), Some(702));
    assert_eq!(scene.store.next_offset(other).await.unwrap(), None);
    assert_eq!(scene.store.unhandled(chat, 10).await.unwrap(), rows);
    assert_eq!(scene.store.unhandled(chat, 1).await.unwrap(), rows[..1]);
    let backlog = scene.store.backlog(at(0)).await.unwrap();
    assert_eq!((backlog.chats, backlog.ticks, backlog.bots), (vec![chat], vec![], vec![]));
    assert_eq!(scene.store.depths().await.unwrap().inbox, 2);
}

/// I1: the offset follows the last update, since Telegram restarts update ids at random after a quiet week.
pub async fn the_offset_is_the_last_one_said_not_the_maximum(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let high = ingest(bot, scene.epoch, vec![update(1, bot, chat, 9_000)]);
    let low = ingest(bot, scene.epoch, vec![update(2, bot, chat, 17)]);
    scene.commit_all(vec![high]).await;
    scene.commit_all(vec![low]).await;
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), Some(18));
    let scene = scene.reopen(home).await;
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), Some(18));
    assert_eq!(scene.roster.bots[&bot].next_offset, Some(18));
}

/// I2: an update is handled once.
pub async fn the_same_update_twice_is_one_row(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, other], [chat, _]) = (scene.bots, scene.chats);
    scene.commit_all(vec![ingest(bot, scene.epoch, vec![update(1, bot, chat, 5)])]).await;
    let again = vec![update(2, bot, chat, 5), update(3, bot, chat, 6)];
    let done = scene.commit_one(ingest(bot, scene.epoch, again)).await;
    assert_eq!(done, Ok(Applied::Ingested { already_there: 1 }));
    // Another bot's update of the same number is another update.
    let done = scene.commit_one(ingest(other, scene.epoch, vec![update(4, other, chat, 5)])).await;
    assert_eq!(done, Ok(Applied::Ingested { already_there: 0 }));
    let ids: Vec<i64> = scene.store.unhandled(chat, 10).await.unwrap().iter().map(|row| row.id.0).collect();
    assert_eq!(ids, [1, 3, 4]);
}

/// I2: this holds within a batch too.
pub async fn the_same_update_twice_in_one_batch_is_one_row(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let done = scene
        .commit_all(vec![
            ingest(bot, scene.epoch, vec![update(1, bot, chat, 5)]),
            ingest(bot, scene.epoch, vec![update(2, bot, chat, 5)]),
        ])
        .await;
    assert_eq!(done, [Applied::Ingested { already_there: 0 }, Applied::Ingested { already_there: 1 }]);
    assert_eq!(scene.store.unhandled(chat, 10).await.unwrap().len(), 1);
}

/// I3: a row that no chat handles has its outcome from the start.
pub async fn a_row_with_an_outcome_at_ingest_is_no_work(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let mut row = update(1, bot, chat, 5);
    row.chat = None;
    row.outcome = Some(Outcome::because(OutcomeKind::Ignored, "no chat of the fleet"));
    scene.commit_all(vec![ingest(bot, scene.epoch, vec![row])]).await;
    assert_eq!(scene.store.depths().await.unwrap().inbox, 0);
    assert!(scene.store.backlog(at(9)).await.unwrap().chats.is_empty());
    let (lines, _) = scene.store.outcomes(crate::ports::outcomes::OutcomeCursor::default(), 9).await.unwrap();
    assert_eq!((lines[0].outcome.as_str(), lines[0].reason.as_deref()), ("ignored", Some("no chat of the fleet")));
}
