//! The chaos run: nodes, links, servers and clocks fail by a seed; then everything heals, and the checker judges the
//! ledger. Layer: harness.
//!
//! | file | role |
//! |---|---|
//! | `args` | the command-line arguments |
//! | `schedule` | the faults and their times, from a seed |
//! | `perform` | injects and heals the faults |
//! | `run` | one seed, from the start to the verdict |
//! | `report` | the result of one seed, and its verdict |
//! | `series` | many seeds, their results in a file |

pub mod args;
pub mod perform;
pub mod report;
pub mod run;
pub mod schedule;
pub mod series;
