//! The explorer: runs whole clusters in virtual time, by the thousand. Part of the testkit.
//!
//! Each simulated process runs the real machine of ownership and, for every lease that it holds, a small poller or
//! chat. Their writes are real operations, judged by the real judge over [`MemoryStore`](super::memory_store). Nothing
//! sleeps and nothing depends on the host machine: a seed decides delays, faults and every choice, so a run can be
//! repeated. The simulation knows who polls when and what reached the chat; `verdict` judges it.
//!
//! | file | holds |
//! |---|---|
//! | `telegram` | updates, polls and sends as Telegram sees them |
//! | `process` | one process: its clock, machine and actors, what it hears and what it asks of the store |
//! | `sim` | the scheduler: time, links, delays |
//! | `calls` | calls of processes to the store |
//! | `node` | a process running the effects of its machine |
//! | `bots`, `chats` | the work of the holder of a lease |
//! | `storm` | the faults of a seed, and their healing |
//! | `verdict` | the conditions that must hold at each step and at the end |

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

/// The result of one seed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The broken invariants, each with its time; empty when all held.
    pub breaches: Vec<String>,
    /// The number of steps of the scheduler.
    pub steps: u64,
    /// The number of updates that people caused.
    pub updates: u64,
    /// The number of messages that reached the chats.
    pub sends: u64,
    /// The number of changes of owner.
    pub moves: u64,
    /// The number of faults injected.
    pub faults: u64,
    /// The trace of events, when it was asked for.
    pub trace: Vec<String>,
}

/// Runs one seed to its end; with `traced`, records a trace.
pub fn explore(seed: u64, traced: bool) -> Report {
    Sim::new(seed, traced).run()
}
