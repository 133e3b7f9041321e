//! `faults`: a seeded mixture of all faults, with kills and pauses in between; then everything heals, and nothing may
//! be lost, doubled or out of order. Layer: harness (I1-I9).
//!
//! - `args`: the command-line arguments
//! - `random`: the scenario, drawn from the seed
//! - `run`: one seed, from the start to the verdict
//! - `steps`: the steps of a scenario, on the product and in the world
//! - `claims`: the messages that a killed product was sending
//! - `wide`: the further troubles of the `wide` imagination
//! - `roll_call`: the check that every bot answers after everything healed
//! - `report`: the result of one seed, and its verdict
//! - `slices`: many seeds, their file and their table
//!
//! The names re-exported below are the folder's interface.

pub mod args;
pub(in crate::harness) mod random;
pub mod report;
mod roll_call;
pub mod run;
pub mod slices;

mod claims;
mod steps;
mod wide;

pub use args::FaultsArgs;
pub use report::FaultsReport;
pub use run::run;
