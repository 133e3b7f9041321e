//! The promises of a fleet of many nodes, each measured from the ledger. Layer: harness.
//!
//! | file | role |
//! |---|---|
//! | `args` | the flags that all share, the fleet they make, and a small table |

pub mod args;
