//! Describes scenarios: faults and steps with their times. Layer: load test, beside `control`; above `world` and
//! `provider`.
//!
//! - `file`: the description, read from TOML or JSON, and checked
//! - `random`: a mixture of all faults, drawn from a seed
//! - `wide`: further steps and pauses for a random scenario
//! - `control`: `/sim/faults` and `/sim/provider`, which set and report faults at run time
//!
//! The re-export below is the folder's public interface.

pub mod control;
pub mod file;
pub mod random;
mod wide;

pub use file::Scenario;
