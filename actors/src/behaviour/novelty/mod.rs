//! Novelty: tells whether a text says something new, or repeats a former one. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `sketch` | a text as a small digest that can be compared |
//! | `trigrams` | the likeness of two texts, letter for letter |
//! | `guard` | the comparison of a text with recent ones of the bot, the chat and the fleet |

pub mod guard;
pub mod sketch;
pub mod trigrams;
