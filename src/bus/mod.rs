//! Adapter of the bus: fred for many nodes, memory for one. Layer: adapter.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | where Redis is |
//! | `redis` | [`redis::RedisBus`]: what publishers and subscribers see |
//! | `session` | one life of the connection to Redis, and how it is known to work |
//! | `wire` | messages as they cross: merged, bounded, told from garbage |
//! | `listeners` | who listens in this process |
//! | `inquiry` | whether a Redis answers, asked once |
//! | `local` | [`local::LocalBus`]: the bus of a fleet on one node |
//!
//! Nothing here is ever waited for, and nothing here is true: what arrives makes somebody look into the store.

pub mod inquiry;
mod listeners;
pub mod local;
pub mod redis;
mod session;
pub mod settings;
mod wire;
