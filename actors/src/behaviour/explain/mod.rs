//! Explains a recorded decision in plain words, on one screen. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `explanation` | the whole text: what happened, who speaks and why, why not the others, what came of it |
//! | `scores` | the scores of a record, read tolerantly: records outlive the version that made them |
//! | `words` | the meaning of each recorded key |
//! | `screen` | lines that fit |
//!
//! The explanation holds no message text unless it is asked for; names are those of bots, never of people.

pub mod explanation;
mod scores;
pub mod screen;
mod words;

#[cfg(test)]
mod tests;
