//! The testkit: building blocks of tests. Not part of the product: compiled only with the feature `testkit`.
//!
//! | file or folder | holds |
//! |---|---|
//! | `rows` | rows and operations with every field set, to be changed where a test cares |
//! | `memory_store` | a store in memory that can be told to fail; each handle is one process, alone or in a cluster |
//! | `cluster_stage` | several nodes of real actors over one store, bus and Telegram |
//! | `node_telegram` | Telegram as one node reaches it, with a record of who did what there |
//! | `scripted_bus` | a bus that delivers at once, or loses everything |
//! | `memory_bus` | a bus in memory that loses, doubles and withholds messages |
//! | `faulty_store` | a store that fails as real stores do |
//! | `scripted_telegram`, `scripted_llm` | Telegram and providers that follow a script |
//! | `journal` | a record of events, in order |
//! | `stage` | a whole fleet of real actors on all of the above |
//! | `solo` | one node of real actors over any store |
//! | `explorer` | whole clusters in virtual time, by seed |
//! | `contract` | the claims that every store must keep, as functions and as a macro that makes tests of them |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

pub mod cluster_stage;
pub mod contract;
pub mod explorer;
pub mod faulty_store;
pub mod journal;
pub mod memory_bus;
pub mod memory_store;
pub mod node_telegram;
pub mod rows;
pub mod scripted_bus;
pub mod scripted_llm;
pub mod scripted_telegram;
pub mod solo;
pub mod stage;
