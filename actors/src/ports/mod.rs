//! Ports: the traits that adapters implement, and the metrics of all. Layer `ports`; imports `domain` only.
//!
//! One error enum per port, in the port's file; its variants follow what the caller does with them.

pub mod archive;
pub mod audit;
pub mod bus;
pub mod clock;
pub mod cluster;
pub mod configurations;
mod declare;
pub mod event;
pub mod llm;
pub mod metrics;
pub mod operators;
pub mod outcomes;
pub mod rates;
pub mod requests;
pub mod secrets;
pub mod store;
pub mod telegram;
