//! The reason why: a recorded decision in plain words, on one screen. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `explanation` | the whole text: what happened, who speaks and why, why not the others, what came of it |
//! | `scores` | what a director recorded, read tolerantly: records outlive the version that made them |
//! | `words` | what each recorded key means |
//! | `screen` | lines that fit |
//!
//! No message text is part of it unless it is asked for; names are those of bots, never of people.

pub mod explanation;
mod scores;
pub mod screen;
mod words;

#[cfg(test)]
mod tests;
