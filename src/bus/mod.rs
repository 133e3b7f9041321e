//! Implements the bus: over Redis for many nodes, in memory for one. Layer: adapter.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | the address of Redis |
//! | `redis` | [`redis::RedisBus`]: the side that publishers and subscribers see |
//! | `session` | one life of the connection to Redis, and how it is known to work |
//! | `wire` | messages as they cross Redis: merged, bounded, told from garbage |
//! | `listeners` | the listeners of this process |
//! | `inquiry` | a single check whether a Redis answers |
//! | `rates` | rates that all nodes count together, in Redis |
//! | `local` | [`local::LocalBus`]: the bus of a fleet on one node |
//!
//! Nobody waits for the bus, and no message is a fact: a message only makes its receiver look into the store.

pub mod inquiry;
mod listeners;
pub mod local;
mod rates;
pub mod redis;
mod session;
pub mod settings;
mod wire;
