//! Topics: what a quiet chat talks about next. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `selector` | what every strategy is asked |
//! | `keyword` | by words: the chat's topics and the bot's interests, away from what was said lately |

pub mod keyword;
pub mod selector;
