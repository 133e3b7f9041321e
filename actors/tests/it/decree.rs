//! Puts turns into the store past the chat's actor, as a director that went wrong would make them.

use std::time::Duration;

use botfleet_actors::domain::commit::operations::{Advance, Operation};
use botfleet_actors::domain::decision::Cause;
use botfleet_actors::domain::ids::{Number, TurnId};
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::rows;
use botfleet_actors::testkit::stage::Stage;

/// Stores a turn of the first bot of the first chat, due at once and stale after twenty seconds, changed by `with`.
pub(crate) async fn bid(stage: &Stage, with: impl FnOnce(&mut Turn)) -> TurnId {
    let chat = stage.chats[0];
    let memory = stage.store.rows.chat_memory(chat, 1).await.unwrap();
    let now = stage.node.clock.now();
    let number = memory.last_decision.0 + 1;
    let mut turn = rows::turn(number * 100, chat, number, stage.bots[0]);
    (turn.target, turn.answers_bot, turn.chain_depth) = (None, None, 1);
    (turn.due_at, turn.created_at, turn.expires_at) = (now, now, now + Duration::from_secs(20));
    with(&mut turn);
    let id = turn.id;
    store(stage, number, memory.last_number, vec![turn]).await;
    id
}

async fn store(stage: &Stage, number: i64, base: Number, turns: Vec<Turn>) {
    let chat = stage.chats[0];
    let advance = Advance {
        chat,
        epoch: stage.tenure.epoch,
        base,
        entries: Vec::new(),
        handled: Vec::new(),
        decisions: vec![rows::decision(chat, number, Cause::Entry(Number(1)))],
        turns,
        superseded: Vec::new(),
        next_tick_at: None,
        absences: Vec::new(),
        calm_until: None,
        disclosed: false,
    };
    stage.store.rows.commit(vec![Operation::Advance(advance)]).await.unwrap()[0].as_ref().unwrap();
}

/// Stores this many turns of the first bot of the first chat that answer the second bot, at that depth of a chain.
pub(crate) async fn decree(stage: &Stage, turns: i64, depth: u32) {
    let chat = stage.chats[0];
    let memory = stage.store.rows.chat_memory(chat, 1).await.unwrap();
    let now = stage.node.clock.now();
    let number = memory.last_decision.0 + 1;
    let turn = |ordinal: i64| {
        let mut turn = rows::turn(number * 100 + ordinal, chat, number, stage.bots[0]);
        turn.ordinal = u32::try_from(ordinal).unwrap();
        turn.answers_bot = Some(stage.bots[1]);
        turn.chain_depth = depth;
        turn.target = None;
        (turn.due_at, turn.created_at, turn.expires_at) = (now, now, now + Duration::from_secs(20));
        turn
    };
    store(stage, number, memory.last_number, (0..turns).map(turn).collect()).await;
}
