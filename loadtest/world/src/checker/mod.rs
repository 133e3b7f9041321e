//! Compares what Telegram and the provider saw with what the product says. Layer: world; pure, except for
//! `fetch`.
//!
//! - `outcome`: the lines in which the product accounts for updates, turns and messages
//! - `fetch`: reads those lines over HTTP
//! - `check`: puts the checks together
//! - `updates`: updates lost or handled twice, messages left unanswered (I1, I2, I3, I8)
//! - `sends`: uncaused, phantom and duplicate sends (I4)
//! - `order`: transcript numbers and message ids that do not rise (I3)
//! - `polls`: two polls of one token at the same time (I5)
//! - `cluster`: the checks for many nodes: rival polls, gaps in transcripts (I3, I5)
//! - `origins`: which node opened which connection
//! - `faults`: faults that struck, calls during a pause, more unknown messages than doubtful sends
//! - `whole`: texts with holes, answers hours late, chats that bots left (I13, I14)
//! - `limits`: how much of what the limiters allow was used
//! - `report`: the findings
//!
//! The re-exports below are the folder's public interface.

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
