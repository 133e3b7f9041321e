//! Carries out the effects that the machine of `policy::ownership` asks for. One actor a node, in a cluster only.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, timer, from effects to errands |
//! | `errands` | calls to the cluster's port and to Telegram, in tracked tasks under deadlines |

pub mod actor;
mod errands;
pub mod messages;
