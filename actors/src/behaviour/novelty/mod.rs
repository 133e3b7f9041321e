//! Novelty: whether a text says something new, or what was said already. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `sketch` | a text as a small, comparable thing |
//! | `trigrams` | how like two texts are, letter for letter |
//! | `guard` | a text against what the bot, the chat and the fleet said lately |

pub mod guard;
pub mod sketch;
pub mod trigrams;
