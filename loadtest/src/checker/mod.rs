//! The checker: compares what Telegram and the provider saw with what the product says. Layer: load
//! test; pure, except for `fetch`.
//!
//! - `outcome`: the lines in which the product accounts for updates, turns and messages
//! - `fetch`: reads those lines over HTTP
//! - `check`: puts the checks together
//! - `updates`: lost, handled twice, unanswered (I1, I2, I3, I8)
//! - `sends`: uncaused, phantom and duplicate sends (I4)
//! - `order`: transcript numbers and message ids that do not rise (I3)
//! - `polls`: two polls of one token at a time (I5)
//! - `cluster`: the same for many nodes: rival polls, gaps in transcripts (I3, I5)
//! - `origins`: whose connection a call came over
//! - `faults`: faults that struck, violations of pauses, more unknown than doubtful
//! - `whole`: texts with holes, answers hours late, chats that were left (I13, I14)
//! - `limits`: how much of what the limiters allow was used
//! - `report`: what was found
//!
//! The names below are the folder's face.

pub mod check;
pub mod cluster;
pub mod fetch;
pub mod limits;
pub mod origins;
pub mod outcome;
pub mod report;
pub mod whole;

mod chats;
mod faults;
mod order;
mod polls;
mod sends;
mod updates;

pub use check::{Policy, check, check_after_shocks, check_with};
pub use faults::{Claim, Shocks};
pub use fetch::fetch_outcomes;
