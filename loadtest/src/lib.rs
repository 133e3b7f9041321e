//! The simulated world that the product is tested and demonstrated against (package
//! `botfleet-loadtest`).
//!
//! HTTP only, and independent of every other crate of the workspace: the product talks to this
//! crate as it would talk to the real Telegram and to a real LLM provider. What happened is
//! written to a [`ledger::Ledger`], which is the oracle of the tests.
//!
//! | module | role |
//! |---|---|
//! | [`world`] | people, bots, chats and the update queues; no HTTP |
//! | [`telegram`] | the Bot API over that world |
//! | [`provider`] | an OpenAI-compatible LLM server |
//! | [`people`] | scripts of what the people say |
//! | [`scenario`] | what goes wrong when: files, random ones, `/sim/faults` |
//! | [`ledger`] | the append-only record of what happened |
//! | [`checker`] | loss, duplicates and order, computed from the ledger |
//! | [`control`] | the harness's own API under `/sim/` |
//! | [`harness`] | starts the real product on that world, and judges it |
//! | [`servers`] | real PostgreSQL and Redis for tests, and broken links to them |
//! | [`simulation`] | one listener that serves all of them |
//! | [`cli`] | the command line |

pub mod checker;
pub mod cli;
pub mod control;
pub mod harness;
pub mod ledger;
pub mod people;
pub mod provider;
pub mod scenario;
pub mod servers;
pub mod simulation;
pub mod telegram;
pub mod world;
