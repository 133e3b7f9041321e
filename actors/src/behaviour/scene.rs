//! The scene that a director looks at. Layer `behaviour`; pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::note::Note;
use crate::domain::decision::Standing;
use crate::domain::ids::BotId;
use crate::domain::roster::{BotProfile, ChatProfile};
use crate::domain::time::Timestamp;

/// A bot of the chat.
#[derive(Clone, Debug)]
pub struct CastMember {
    /// Its profile.
    pub profile: Arc<BotProfile>,
    /// Its username, once Telegram told it.
    pub username: Option<String>,
}

/// A chat at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The chat.
    pub chat: &'a ChatProfile,
    /// Its bots.
    pub cast: &'a [CastMember],
    /// The end of its transcript, oldest first; what its director looks at is of one forum topic.
    pub window: &'a VecDeque<Arc<Note>>,
    /// The same of all topics, for what is limited in the chat as a whole.
    pub whole: &'a VecDeque<Arc<Note>>,
    /// What is known to the chat's owner alone.
    pub standing: &'a Standing,
    /// Now.
    pub now: Timestamp,
}

/// Why the director is asked.
#[derive(Clone, Copy, Debug)]
pub enum Occasion<'a> {
    /// A new entry of the transcript, the last of the window.
    Entry {
        /// The entry.
        entry: &'a Note,
        /// The bot whose copy came first; `None` for the fleet's own message.
        heard_by: Option<BotId>,
    },
    /// Another bot's copy of a known entry.
    Copy {
        /// The entry.
        entry: &'a Note,
        /// The bot.
        heard_by: BotId,
    },
    /// The chat was quiet until its tick.
    Tick,
}
