//! Ownership as pure machines: event in, effects out; no I/O, no clock, no randomness. Layer `policy`. Keeps I5, I6.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | beats, bounds and how much moves at a time |
//! | `event` | what the machine of a node hears and what it asks for |
//! | `placement` | rendezvous hashing with exact quotas |
//! | `planner` | a picture of the cluster, and what is wanted of its leases |
//! | `observer` | who is silent |
//! | `machine` | a node: when it may act, what is due; the tables of all transitions |
//! | `leases` | the leases as a node knows them |

pub mod event;
mod leases;
pub mod machine;
pub mod observer;
pub mod placement;
pub mod planner;
#[cfg(test)]
mod samples;
pub mod settings;
