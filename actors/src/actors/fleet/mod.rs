//! The root of a node's supervision tree.

pub mod actor;
pub mod settings;
mod supervision;
