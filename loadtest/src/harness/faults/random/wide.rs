//! Adds more to a random scenario: late copies, odd and old messages, closed chats, topics, albums, live locations,
//! absurd pauses. Layer: harness; pure.
//!
//! Each kind of step has times of its own. Each step carries a seed, from which the details are drawn when the step is
//! done, so that they come from a whole family and not from a list.

use botfleet_world::scenario::file::{Action, Step};
use botfleet_world::telegram::faults::{FaultKind, FaultRule};
use fastrand::Rng;

/// Pauses that no server can mean, in seconds: one (sent as the shortest penalty), a day and a second, three years, 31
/// years.
const SILLY_PAUSES_S: [u64; 4] = [1, 86_401, 100_000_000, 999_999_999];

/// The number of rounds in a scenario; each has one step of late copies and two of odd messages.
const ROUNDS: u32 = 6;

/// Draws the further steps, over the first five sixths of the time.
pub(super) fn steps(until_ms: u64, bots: usize, chats: usize, rng: &mut Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = |from: u64, to: u64, action: Action, rng: &mut Rng| {
        steps.push(Step { at_ms: rng.u64(until_ms * from / 100..=until_ms * to / 100), action });
    };
    for _ in 0..ROUNDS {
        let chat = rng.usize(0..chats);
        at(20, 98, Action::LateCopies { chat, draw: rng.u64(..) }, rng);
        at(5, 95, Action::Odd { chat: rng.usize(0..chats), draw: rng.u64(..) }, rng);
        at(5, 95, Action::Odd { chat: rng.usize(0..chats), draw: rng.u64(..) }, rng);
    }
    for _ in 0..2 {
        at(5, 95, Action::Old { chat: rng.usize(0..chats), draw: rng.u64(..) }, rng);
        at(5, 90, Action::Location { chat: rng.usize(0..chats), draw: rng.u64(..) }, rng);
        at(5, 90, Action::Album { chat: rng.usize(0..chats), draw: rng.u64(..) }, rng);
        at(5, 90, Action::Topic { draw: rng.u64(..) }, rng);
    }
    let late = rng.usize(0..bots);
    at(2, 10, Action::Hold { bot: late }, rng);
    at(85, 98, Action::Release { bot: late }, rng);
    // One chat is closed for a while; one bot loses its right to write until everything is healed.
    let shut = rng.usize(0..chats);
    at(5, 40, Action::Shut { chat: shut, draw: rng.u64(..) }, rng);
    at(50, 80, Action::Open { chat: shut }, rng);
    at(5, 60, Action::Restrict { bot: rng.usize(0..bots) }, rng);
    steps
}

/// Makes two rules that refuse with 429 and an absurd pause, one for sends and one for every call. Each is in force for
/// at most 400 ms and strikes with probability 1/2.
pub(super) fn silly_pauses(until_ms: u64, rng: &mut Rng) -> Vec<FaultRule> {
    let one = |method: Option<&str>, rng: &mut Rng| {
        let from_ms = rng.u64(0..until_ms);
        let rule = FaultRule {
            from_ms,
            until_ms: Some((from_ms + 400).min(until_ms)),
            probability: 0.5,
            retry_after: Some(SILLY_PAUSES_S[rng.usize(0..SILLY_PAUSES_S.len())]),
            ..FaultRule::always(FaultKind::TooManyRequests)
        };
        match method {
            Some(method) => rule.on(method),
            None => rule,
        }
    };
    vec![one(Some("sendmessage"), rng), one(None, rng)]
}
