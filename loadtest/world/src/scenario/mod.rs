//! Describes scenarios: faults and steps with their times. Layer: world, beside `control`; above `world` and
//! `provider`.
//!
//! - `file`: the description, read from TOML or JSON, and checked
//! - `control`: `/sim/faults` and `/sim/provider`, which set and report faults at run time
//!
//! The re-export below is the folder's public interface.

pub mod control;
pub mod file;

pub use file::Scenario;
