//! Harnesses that start the real product as a child process on a simulated world, and judge it.
//! Layer: above `simulation`, below `cli`; harnesses reach the product only over HTTP, signals, its output and `/proc`,
//! and `faults` reads the database of a killed product.
//!
//! | file | role |
//! |---|---|
//! | `args` | the flags that all harnesses share |
//! | `files` | the product's configuration, manifest and secrets for a world |
//! | `product` | the child process: start, kill, stop |
//! | `stage` | simulation and product together in a folder of their own |
//! | `usage` | memory and CPU time of the process, from `/proc` |
//! | `traffic` | marked messages in an open or a closed loop |
//! | `settle` | waits for the fleet to come to rest, and reads the product's account then |
//! | `measure` | latency and overhead, from the ledger |
//! | `disk` | the cost of a flush to the disk during a run |
//! | `progress` | one line of progress on a terminal |
//! | `operator` | an operator's commands to the product's API |
//! | `crash`, `faults` | lost and doubled messages under kills and faults |
//! | `cluster` | many nodes on PostgreSQL and Redis: the chaos run and the figures |
//! | `run` | load scenarios: throughput, latency, stages and resource use |
//! | `scrape` | the product's metrics |
//! | `peer` | a short run of the product as a peer of the neutral benchmark |
//! | `recording` | real answers of Telegram, compared with the simulated ones |
//! | `limits`, `isolate`, `abuse`, `clock`, `budget`, `stop` | one measured promise each |

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
pub mod isolate;
pub mod limits;
pub mod measure;
pub mod operator;
pub mod peer;
pub mod product;
pub mod progress;
pub mod recording;
pub mod run;
pub mod scrape;
pub mod settle;
pub mod stage;
pub mod stop;
pub mod traffic;
pub mod usage;
