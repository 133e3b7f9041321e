//! Decides ownership, by pure machines: event in, effects out; no I/O, no clock, no randomness. Layer `policy`. Keeps
//! I5, I6.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | beats, bounds and how much moves at a time |
//! | `event` | the events of a node's machine, and the effects that it asks for |
//! | `placement` | rendezvous hashing with exact quotas |
//! | `planner` | the desired owners of leases, from a cluster view |
//! | `observer` | which nodes are silent |
//! | `machine` | one node: when it may act, which tasks are due; the tables of all transitions |
//! | `leases` | the leases as one node knows them |

pub mod event;
mod leases;
pub mod machine;
pub mod observer;
pub mod placement;
pub mod planner;
#[cfg(test)]
mod samples;
pub mod settings;
