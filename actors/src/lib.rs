//! botfleet-actors: all of botfleet except its adapters.
//!
//! Layers, each importing only those below it (a test reads the imports and fails by layer name):
//!
//! ```text
//! actors -> { behaviour, policy, ports } -> domain
//! ```
//!
//! `domain` does no I/O and reads no clock. `behaviour` is pure (event in, effects out). `ports` holds the traits that
//! adapters implement. `policy` holds limiters, breakers and restart rules. `actors` joins them.

pub mod actors;
pub mod behaviour;
pub mod domain;
pub mod policy;
pub mod ports;
#[cfg(feature = "testkit")]
pub mod testkit;
