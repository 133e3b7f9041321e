//! Stances: chooses the opinions that matter, and finds texts that contradict one. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `lexical` | words that match in spite of Turkish suffixes and English endings |
//! | `choice` | the subject of a text; the stances that a prompt carries |
//! | `contradiction` | the search for contradictions, by words |
//! | `question` | the same search as a question to a model |

pub mod choice;
pub mod contradiction;
pub mod lexical;
pub mod question;
