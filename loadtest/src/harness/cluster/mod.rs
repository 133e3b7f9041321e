//! Many nodes of the product on a real PostgreSQL and a real Redis. Layer: harness.
//!
//! Each node has links of its own to the database, to Redis and to Telegram, so that it alone can be cut off from any of
//! them. Who polled is known from the link that the poll came over, not from what the product says.
//!
//! | file | role |
//! |---|---|
//! | `node` | one node: its files, its links, its launcher and worker |
//! | `stage` | servers, world and nodes together |
//! | `view` | what the product's API says about the cluster |
//! | `polls` | who polled when: silences, spread, overlaps |
//! | `probe` | waiting for what the ledger will show |
//! | `faults` | the chaos run |
//! | `figures` | one promise each, measured |

pub mod faults;
pub mod figures;
pub mod node;
pub mod polls;
pub mod probe;
pub mod stage;
pub mod view;
