//! botfleet: adapters, runtime, HTTP edge and command line around `botfleet-actors`.
//!
//! ```text
//! cli -> { client, http } -> api -> operate -> runtime -> { actors, adapters (telegram, llm, store, bus, hook) }
//! ```

pub mod api;
pub mod bus;
pub mod cli;
pub mod client;
pub mod config;
pub mod hook;
pub mod http;
pub mod llm;
pub mod logs;
pub mod operate;
pub mod outbound;
pub mod runtime;
pub mod sealing;
pub mod store;
pub mod telegram;
pub mod vault;
