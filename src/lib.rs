//! botfleet: adapters, runtime, HTTP edge and command line around `botfleet-actors`.
//!
//! ```text
//! cli -> admin -> runtime -> { actors, adapters (telegram, llm, store, bus, hook) }
//! ```

pub mod admin;
pub mod bus;
pub mod cli;
pub mod config;
pub mod hook;
pub mod llm;
pub mod logs;
pub mod runtime;
pub mod store;
pub mod telegram;
