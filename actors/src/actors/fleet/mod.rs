//! The root of a node's supervision tree.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, life cycle, reconciling |
//! | `starting` | children start, for the first time or again |
//! | `supervision` | who runs, who failed how often, who is quarantined (I7) |

pub mod actor;
pub mod settings;
mod starting;
mod supervision;
