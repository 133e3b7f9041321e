//! Runs one LLM provider as an actor: queue, keys, and for each model a breaker and a bulkhead.
//!
//! | file | holds |
//! |---|---|
//! | `call` | a request to the provider, and its result |
//! | `actor`, `messages` | the actor: starts waiting calls, handles their ends |
//! | `alarm` | when the actor needs a timer |
//! | `attempt` | one call: allowance, deadline, settlement |
//! | `ending`, `concluded` | how a call that was made ends, for its caller and for the actor |
//! | `keys` | the pool of keys: turns, pauses and refusals |
//! | `key` | one key: limits, models, claims |
//! | `lane` | one model: breaker, bulkhead, queue, counts |
//! | `trouble` | failures in a row: reported once, counted |
//! | `price` | bounds on the cost of a call, and its cost |
//! | `consult` | embeddings and classifier answers: a cache, and one repair of JSON that does not fit |
//! | `settings`, `snapshot` | settings and display for operators |
//!
//! Each call is one attempt, except one that a key refuses (429, revoked, quota): it counts as not made and goes to
//! another key. Retries, fallback over models and providers, and waiting belong to the turn, the one retry layer.

pub mod actor;
mod alarm;
mod attempt;
pub mod call;
mod concluded;
pub mod consult;
mod ending;
mod key;
mod keys;
mod lane;
pub mod messages;
pub mod price;
pub mod settings;
pub mod snapshot;
pub mod trouble;
