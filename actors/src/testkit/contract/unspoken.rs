//! Claims about work that nobody can speak: turns and messages that nobody takes, and pauses that are lifted. I14. Part
//! of the testkit.

use std::time::Duration;

use super::Home;
use super::send::{begin, progress, with_messages};
use crate::domain::commit::operations::{AddPause, Advance, LiftPauses, Operation};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::ids::{Epoch, TurnId};
use crate::domain::outbox::OutboxState;
use crate::domain::pause::Pause;
use crate::domain::turn::{Turn, TurnState};
use crate::testkit::rows::{advance, at, claim, start, turn};

claims! {
    $ __claims_of_unspoken of unspoken:
    what_nobody_took_in_its_time_ends_whoever_lives
    lifted_pauses_are_over_and_longer_ones_are_shortened
}

/// I14: the store itself ends a turn whose bot has no actor, and its messages; the queues become empty.
pub async fn what_nobody_took_in_its_time_ends_whoever_lives(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 3).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let turns: Vec<Turn> = (0..3u32)
        .map(|ordinal| Turn {
            id: TurnId(91 + i64::from(ordinal)),
            ordinal: 10 + ordinal,
            expires_at: at(if ordinal == 2 { 9_000 } else { 100 }),
            ..turn(0, chat, 1, bot)
        })
        .collect();
    let more = Advance { entries: vec![], handled: vec![], turns: turns.clone(), ..advance(chat, scene.epoch, 1, 1) };
    scene.commit_all(vec![Operation::Advance(more), claim(&turns[0], scene.epoch)]).await;
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5)))]).await;
    assert_eq!(scene.store.expire_unspoken(at(99)).await.unwrap(), 0, "nothing is over yet");
    let until = at(100);
    assert_eq!(scene.store.expire_unspoken(until).await.unwrap(), 4, "two turns and two messages");
    for (turn, state) in turns.iter().zip([TurnState::Expired, TurnState::Expired, TurnState::Queued]) {
        let (stored, _) = scene.store.turn(turn.id).await.unwrap().expect("stored");
        assert_eq!(stored.progress.state, state);
        let told = stored.progress.error.is_some_and(|error| error.starts_with("could not speak"));
        assert_eq!(told, state == TurnState::Expired);
    }
    let states = [OutboxState::Sending, OutboxState::Cancelled, OutboxState::Cancelled];
    for (message, state) in messages.iter().zip(states) {
        assert_eq!(progress(&scene, message).await.state, state, "what is being sent has its own end");
    }
    assert_eq!(scene.store.depths().await.unwrap().turns, 1);
    assert_eq!(scene.store.backlog(until).await.unwrap().turns_open, 1);
    let late = scene.commit_one(claim(&turns[1], scene.epoch)).await;
    assert!(matches!(late, Err(Refusal::Conflict(_))), "{late:?}");
    assert_eq!(scene.store.expire_unspoken(until + Duration::from_secs(1)).await.unwrap(), 0);
}

/// A person lifts pauses, and overlong pauses are shortened; a later pause counts as before.
pub async fn lifted_pauses_are_over_and_longer_ones_are_shortened(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let (bot, chat) = (messages[0].bot, messages[0].chat);
    let pause = |chat, until| Operation::AddPause(AddPause { epoch: scene.epoch, pause: Pause { bot, chat, until } });
    let shorten = |epoch, until| Operation::LiftPauses(LiftPauses { bot, epoch, until, order: None });
    scene.commit_all(vec![pause(None, at(900_000_000)), pause(Some(chat), at(60))]).await;
    let fenced = scene.commit_one(shorten(Epoch(scene.epoch.0 + 1), at(1))).await;
    assert_eq!(fenced, Err(Refusal::Fenced));
    scene.commit_all(vec![shorten(scene.epoch, at(86_400))]).await;
    let mut pauses = scene.store.pauses(bot).await.unwrap();
    pauses.sort_by_key(|pause| pause.until);
    let ends: Vec<_> = pauses.iter().map(|pause| pause.until).collect();
    assert_eq!(ends, [at(60), at(86_400)]);
    let done = scene.commit_all(vec![shorten(scene.epoch, at(5)), begin(&scene, &messages[0], start(51, at(6)))]).await;
    assert_eq!(done[1], Applied::Begun(Verdict::Send), "lifted in the same batch");
    scene.commit_all(vec![shorten(scene.epoch, at(5)), pause(Some(chat), at(70))]).await;
    let scene = scene.reopen(home).await;
    assert!(scene.store.pauses(bot).await.unwrap().contains(&Pause { bot, chat: Some(chat), until: at(70) }));
}
