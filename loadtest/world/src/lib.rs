//! Simulates the world that the product is tested and demonstrated against (package `botfleet-world`).
//!
//! This crate depends on no other crate of the workspace. The product reaches it over HTTP only, as it would reach the
//! real Telegram and a real LLM provider. A [`ledger::Ledger`] records what happened and is the oracle of the tests.
//!
//! | module | role |
//! |---|---|
//! | [`world`] | people, bots, chats and the update queues; no HTTP |
//! | [`telegram`] | the Bot API over that world |
//! | [`provider`] | an OpenAI-compatible LLM server |
//! | [`people`] | scripts of people's messages |
//! | [`scenario`] | faults and their times: from files, or set through `/sim/faults` |
//! | [`ledger`] | the append-only record of what happened |
//! | [`api`] | the API of a node, through its local socket |
//! | [`checker`] | loss, duplicates and order, computed from the ledger |
//! | [`control`] | the harness's own API under `/sim/` |
//! | [`simulation`] | one listener that serves the Bot API, the provider and the control API |

pub mod api;
pub mod checker;
pub mod control;
pub mod ledger;
mod names;
pub mod people;
pub mod provider;
pub mod scenario;
pub mod simulation;
pub mod telegram;
mod texts;
pub mod world;
