//! `faults`: a seeded mixture of all faults, with kills and pauses in between; then everything heals, and nothing may be
//! lost, doubled or out of order. Layer: harness (I1-I9).
//!
//! - `args`: what it is told
//! - `run`: one seed, from the start to the verdict
//! - `steps`: what is done to the product and in the world meanwhile
//! - `claims`: what the product was sending when it was killed
//! - `wide`: what a wider imagination does in the world
//! - `report`: what came of it
//! - `slices`: many seeds, their file and their table
//!
//! The names below are the folder's face.

pub mod args;
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
