//! Small talk that fits: the provider's texts in Turkish and English. Layer: load test; pure, seeded.
//!
//! - `prompt`: what a request says: language, names, the last messages, the persona's ways
//! - `intent`: what kind of message is answered; folding of words
//! - `subject`: what it is about
//! - `sentences`: the sentences of one reply
//! - `compose`: puts a reply together, and remembers it
//! - `phrases`: the shape of the data in `turkish` and `english`

mod compose;
mod english;
mod intent;
mod phrases;
mod sentences;
mod subject;
mod turkish;

pub(super) mod prompt;

pub(super) use compose::SmallTalk;
