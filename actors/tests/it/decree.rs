//! Turns as a director gone mad would make them, put into the store past the chat's actor.

use std::time::Duration;

use botfleet_actors::domain::commit::operation::{Advance, Operation};
use botfleet_actors::domain::decision::Cause;
use botfleet_actors::domain::ids::Number;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::rows;
use botfleet_actors::testkit::stage::Stage;

/// Bids the first bot of the first chat to answer the second one, so many times, at that depth of a chain.
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
    let advance = Advance {
        chat,
        epoch: stage.tenure.epoch,
        base: memory.last_number,
        entries: Vec::new(),
        handled: Vec::new(),
        decisions: vec![rows::decision(chat, number, Cause::Entry(Number(1)))],
        turns: (0..turns).map(turn).collect(),
        next_tick_at: None,
        absences: Vec::new(),
        calm_until: None,
        disclosed: false,
    };
    stage.store.rows.commit(vec![Operation::Advance(advance)]).await.unwrap()[0].as_ref().unwrap();
}
