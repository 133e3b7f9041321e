//! The root of a node's supervision tree.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | the actor: life cycle, and who handles which message |
//! | `messages`, `state`, `snapshot` | its messages, its state, and what operators see of it |
//! | `setup` | a provider, ready for its actor |
//! | `child`, `apis` | what the fleet starts, and how it makes a bot's client of Telegram |
//! | `starting` | starts children, for the first time or again |
//! | `looking` | reconciling, probing, housekeeping (I7, I8) |
//! | `leasing` | starts and ends children as their leases come and go (I6) |
//! | `roster` | puts a new configuration in force (I10) |
//! | `providers` | puts other providers in force (I10) |
//! | `supervision` | which children run, how often they failed, which are quarantined (I7) |
//! | `obeying` | has orders of operators carried out, one task a target (I4, I8) |
//! | `people` | keeps people's rights up to date, carries out erasure requests (I8, I9) |

pub mod actor;
pub mod apis;
pub mod child;
mod leasing;
mod looking;
pub mod messages;
mod obeying;
mod people;
mod providers;
mod roster;
pub mod settings;
pub mod setup;
pub mod snapshot;
mod starting;
pub mod state;
mod supervision;
