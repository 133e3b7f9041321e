//! Actors: run the fleet. Layer `actors`; imports `behaviour`, `policy`, `ports` and `domain`.
//!
//! ```text
//! Fleet (one per node: restarts with backoff, quarantine; runs the committer and the reconciler)
//!  |- Ownership      in a cluster: beats, observers, leases; executes the machine of `policy::ownership`
//!  |- Provider x P   concurrency, rate, breaker; calls in tracked tasks
//!  |- Bot x B        polls, turns, outbox; Telegram calls in tracked tasks
//!  `- Chat x C       transcript and director; on demand, passivated when idle
//! ```
//!
//! The folder `node` holds the state that the actors of a node share, `orders` the commands of people in a chat,
//! `operator` the orders of operators. Each actor has a folder of its own: its messages, its state, and a file for each thing that it does.
//!
//! An actor never causes an effect without a committed intent, never confirms an offset before the commit, never awaits
//! an LLM in its handler, never retries an unknown send silently, and never relies on cached ownership for a write:
//! every owning write carries its epoch and the store judges it.

pub mod bot;
pub mod chat;
pub mod fleet;
pub mod node;
pub mod operator;
pub mod orders;
pub mod ownership;
pub mod provider;
