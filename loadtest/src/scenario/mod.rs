//! Scenarios: what goes wrong, and when. Layer: load test, beside `control`; above `world` and `provider`.
//!
//! - `file`: the description, read from TOML or JSON, and checked
//! - `random`: a seeded mixture of all faults
//! - `wide`: what a wider imagination adds to it
//! - `control`: `/sim/faults` and `/sim/provider`, which set and tell at run time
//!
//! The name below is the folder's face.

pub mod control;
pub mod file;
pub mod random;
mod wide;

pub use file::Scenario;
