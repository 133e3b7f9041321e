//! The root of a node's supervision tree.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, life cycle, reconciling |
//! | `starting` | children start, for the first time or again |
//! | `looking` | reconciling, probing, housekeeping (I7, I8) |
//! | `leasing` | children come and go with their leases (I6) |
//! | `roster` | a new configuration reaches the living (I10) |
//! | `supervision` | who runs, who failed how often, who is quarantined (I7) |

pub mod actor;
mod leasing;
mod looking;
mod people;
mod roster;
pub mod settings;
mod starting;
mod supervision;
