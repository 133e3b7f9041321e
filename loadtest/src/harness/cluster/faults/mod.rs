//! The chaos run: nodes, links, servers and clocks fail by a seed; then everything heals, and the ledger is judged.
//! Layer: harness.
//!
//! | file | role |
//! |---|---|
//! | `args` | what it is told |
//! | `schedule` | what fails when, out of a seed |
//! | `perform` | lets it fail |
//! | `run` | one seed, from the start to the verdict |
//! | `report` | what came of it |
//! | `series` | many seeds, their results in a file |

pub mod args;
pub mod perform;
pub mod report;
pub mod run;
pub mod schedule;
pub mod series;
