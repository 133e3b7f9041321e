//! Ownership as pure machines: event in, effects out; no I/O, no clock, no randomness. Layer `policy`. Keeps I5, I6.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | beats, bounds and how much moves at a time |
//! | `event` | what the machine of a node hears and what it asks for |

pub mod event;
pub mod settings;
