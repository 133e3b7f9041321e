//! Reply links: which earlier message a message answers, or that it opens a thread, with a probability. Layer
//! `behaviour`; pure.
//!
//! Telegram's own replies are certain and handled by the caller; this is for the messages that carry none. Each message
//! is read once into an `Utterance`; for each candidate among the earlier ones a row of small numbers is made, and
//! boosted trees score the rows of one message against each other and against "opens a thread". The rows speak of names,
//! time, order and who talks to whom; of words only what is rare within the window. So nothing in them belongs to one
//! language or to one channel.
//!
//! | file | holds |
//! |---|---|
//! | `utterance` | what is kept of one message |
//! | `lexicon` | the few closed classes of words, Turkish and English |
//! | `names` | who is named by whom within the window |
//! | `threads` | a first guess at what belongs together |
//! | `room` | what the window tells before any candidate is looked at |
//! | `now`, `pair` | what is known of the current message, and of each candidate |
//! | `features` | the row of numbers for a pair of messages |
//! | `model` | the trees: their file and their evaluation |
//! | `resolver` | probabilities, and the rule that makes links of them |
//! | `corpus` | the text format of labelled chats |
//! | `score` | precision, recall and F over links |
//!
//! `weights.txt` is made by `examples/train_reply_links` and names its data, settings and figures.

pub mod corpus;
pub mod features;
mod lexicon;
pub mod model;
mod names;
mod now;
mod pair;
pub mod resolver;
mod room;
pub mod score;
#[cfg(test)]
mod tests;
mod threads;
pub mod utterance;
