//! One chat as an actor: the only writer of its transcript (I3), and the director's stage.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, life cycle, commits |
//! | `reading` | what one inbox row becomes: entry, copy, or nothing |
//! | `memory` | the end of the transcript in memory |

pub mod actor;
pub mod memory;
pub mod reading;
pub mod settings;
