//! Stances: which of a persona's opinions matter now, and whether a text contradicts one. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `lexical` | words that match in spite of Turkish suffixes and English endings |
//! | `choice` | what a text is about; which stances a prompt carries |
//! | `contradiction` | what a persona that holds a stance would not say |
//! | `question` | the same as a question to a model |

pub mod choice;
pub mod contradiction;
pub mod lexical;
pub mod question;
