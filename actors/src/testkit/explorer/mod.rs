//! The explorer: whole clusters in virtual time, by the thousand. Part of the testkit.
//!
//! Each simulated process runs the real machine of ownership and, for every lease that it holds, a small poller or
//! chat whose writes are real operations, judged by the real judge over [`MemoryStore`](super::memory_store). Nothing
//! sleeps and nothing is left to the machine underneath: a seed decides delays, faults and every choice, so that it
//! replays. The world knows who polls when and what reached the chat; the judgements stand in `verdict`.
//!
//! | file | holds |
//! |---|---|
//! | `telegram` | updates, polls and sends as Telegram sees them |
//! | `process` | one process: clock, machine, actors, what it hears and what it asks of the store |
//! | `sim` | the scheduler: time, links, delays |
//! | `calls` | what processes ask of the store |
//! | `node` | how a process runs the machine's effects |
//! | `bots`, `chats` | what the holder of a lease does |
//! | `storm` | the faults of a seed, and their healing |
//! | `verdict` | what must hold at each step and at the end |

mod bots;
mod calls;
mod chats;
mod node;
mod process;
mod sim;
mod storm;
mod telegram;
mod verdict;

use sim::Sim;

/// What a seed came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was broken, with when; empty when all held.
    pub breaches: Vec<String>,
    /// Steps of the scheduler.
    pub steps: u64,
    /// Updates that people caused.
    pub updates: u64,
    /// Messages that reached the chats.
    pub sends: u64,
    /// Changes of owner.
    pub moves: u64,
    /// Faults that were done.
    pub faults: u64,
    /// What happened, when it was asked for.
    pub trace: Vec<String>,
}

/// Runs one seed to its end; with `traced`, tells what happened.
pub fn explore(seed: u64, traced: bool) -> Report {
    Sim::new(seed, traced).run()
}
