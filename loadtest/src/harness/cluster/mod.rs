//! Runs many nodes of the product on a real PostgreSQL and a real Redis. Layer: harness.
//!
//! Each node has links of its own to the database, to Redis and to Telegram, so that a single node can be cut off from
//! any of them. The harness knows which node polled from the link that the poll came over, not from the product.
//!
//! | file | role |
//! |---|---|
//! | `node` | one node: its files, its links, its launcher and worker |
//! | `stage` | servers, world and nodes together |
//! | `view` | the cluster view of the product's API |
//! | `polls` | which node polled when, and how long bots were silent |
//! | `probe` | waiting for polls and spread, and tools for figures |
//! | `faults` | the chaos run |
//! | `figures` | one measured promise each |

pub mod faults;
pub mod figures;
pub mod node;
pub mod polls;
pub mod probe;
pub mod stage;
pub mod view;
