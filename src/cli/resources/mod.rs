//! Commands about the things of the configuration while the fleet runs. Layer `cli`. Keeps I10, I12.
//!
//! | file | command |
//! |---|---|
//! | `verbs` | list, show, create, change, delete: what all kinds of things have |
//! | `given` | keys on the command line, and what is shown |
//! | `bots` | `botfleet bot`: also enable, disable, pause, resume, token |
//! | `personas` | `botfleet persona`: also set, versions, diff, restore |
//! | `stances` | `botfleet stance`: the opinions of a persona |
//! | `numbers` | `botfleet config`: the numbers of the configuration, and the way back |

pub mod bots;
pub(in crate::cli) mod given;
pub mod numbers;
pub mod personas;
pub mod stances;
pub mod verbs;
