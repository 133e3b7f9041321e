//! The harnesses: they start the real product as a child process on a simulated world, and judge it.
//! Layer: above `simulation`, below `cli`; they reach the product over HTTP, signals and `/proc` only.
//!
//! | file | role |
//! |---|---|
//! | `args` | the flags that all harnesses share |
//! | `files` | the product's configuration, manifest and secrets for a world |
//! | `product` | the child process: start, kill, stop |
//! | `stage` | simulation and product together in a folder of their own |
//! | `usage` | what `/proc` tells of the process |
//! | `traffic` | marked messages in an open or a closed loop |
//! | `settle` | waiting for the fleet to come to rest, and its account then |
//! | `measure` | latency and overhead, out of the ledger |
//! | `disk` | what a flush to the disk costs meanwhile |
//! | `progress` | one line on a terminal |
//! | `operator` | what an operator tells the product |
//! | `crash`, `faults` | what is lost or doubled when all goes wrong |
//! | `cluster` | many nodes on PostgreSQL and Redis: the chaos run and the figures |
//! | `load`, `idle` | what the product achieves, and what it costs |
//! | `peer` | whether the product answers as a peer of the neutral benchmark |
//! | `recording` | real answers of Telegram, compared with the simulated ones |
//! | `limits`, `isolate`, `abuse`, `clock`, `budget`, `stop`, `turns` | one promise each, measured |

pub mod abuse;
pub mod args;
pub mod budget;
pub mod clock;
pub mod cluster;
pub mod crash;
pub mod disk;
pub mod error;
pub mod faults;
pub mod files;
pub mod idle;
pub mod isolate;
pub mod limits;
pub mod load;
pub mod measure;
pub mod operator;
pub mod peer;
pub mod product;
pub mod progress;
pub mod recording;
pub mod settle;
pub mod stage;
pub mod stop;
pub mod traffic;
pub mod turns;
pub mod usage;
