//! Topics: chooses the subject that a quiet chat takes up. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `selector` | the interface of every strategy |
//! | `keyword` | by words: the chat's topics and the bot's interests, but nothing of recent messages |

pub mod keyword;
pub mod selector;
