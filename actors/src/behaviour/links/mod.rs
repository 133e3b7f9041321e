//! Reply links: which earlier message a message answers, or that it opens a thread, with a probability. Layer
//! `behaviour`; pure.
//!
//! Telegram's own replies are certain and handled by the caller; the resolver is for messages that carry none. Each
//! message is read once into an `Utterance`. For each candidate among the earlier messages a row of small numbers is
//! computed, and boosted trees score the rows of one message against each other and against "opens a thread". The rows
//! tell of names, time, order and who talks to whom, and of words only those that are rare within the window. So
//! nothing in them belongs to one language or to one channel.
//!
//! | file | holds |
//! |---|---|
//! | `utterance` | the features of one message |
//! | `lexicon` | the few closed classes of words, Turkish and English |
//! | `names` | who is named by whom within the window |
//! | `threads` | a first guess at the messages that belong together |
//! | `room` | facts of the window before any candidate is looked at |
//! | `now`, `pair` | features of the current message, and of each candidate |
//! | `features` | the row of numbers for a pair of messages |
//! | `model` | the trees: their file and their evaluation |
//! | `resolver` | probabilities, and the rule that turns them into links |
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
