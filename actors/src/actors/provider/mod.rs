//! One LLM provider as an actor: queue, keys, and for each model a breaker and a bulkhead.
//!
//! | file | holds |
//! |---|---|
//! | `call` | a wish to the provider, and how it ends |
//! | `actor` | the actor: what waits, what is under way |
//! | `alarm` | when it looks again |
//! | `attempt` | one call: allowance, deadline, settlement |
//! | `ending` | how a call that was made ends, for its caller and for the actor |
//! | `keys` | the pool of keys: turns, pauses and refusals |
//! | `key` | one of them: limits, models, who waits for it |
//! | `lane` | one model: breaker, bulkhead, queue, counts |
//! | `trouble` | failures in a row: told once, counted |
//! | `price` | bounds of what a call may cost, and what it cost |
//! | `consult` | embeddings and classifier answers: a cache, and one repair of JSON that does not fit |
//! | `settings`, `snapshot` | what operators set and see |
//!
//! Each call is one attempt here, but for a call that a key refuses (429, revoked, quota): it was not made and goes to
//! another key. Tries, fallback over models and providers, and waiting belong to the turn: the one retry layer.

pub mod actor;
mod alarm;
mod attempt;
pub mod call;
pub mod consult;
mod ending;
mod key;
mod keys;
mod lane;
pub mod price;
pub mod settings;
pub mod snapshot;
pub mod trouble;
