//! Starts the real product on the simulated world (package `botfleet-world`), breaks what it stands on, and judges it.
//!
//! The product is a process of its own, which this crate reaches over HTTP only.
//!
//! | module | role |
//! |---|---|
//! | [`harness`] | the runs: load, faults, chaos in a cluster, and one promise at a time |
//! | [`servers`] | real PostgreSQL and Redis for tests, and broken links to them |
//! | [`cli`], `groups` | the command line, and its help in groups |

pub mod cli;
mod groups;
pub mod harness;
pub mod servers;
