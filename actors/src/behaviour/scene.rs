//! Scene and occasion: the input of a director. Layer `behaviour`; pure.

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
    /// Profile of the bot.
    pub profile: Arc<BotProfile>,
    /// Username of the bot, once Telegram told it.
    pub username: Option<String>,
}

/// A chat at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The chat.
    pub chat: &'a ChatProfile,
    /// Bots of the chat that can speak.
    pub cast: &'a [CastMember],
    /// The end of the transcript, oldest first; `direct` reduces it to one forum topic.
    pub window: &'a VecDeque<Arc<Note>>,
    /// The end of the transcript in all topics, for limits of the chat as a whole.
    pub whole: &'a VecDeque<Arc<Note>>,
    /// State that only the chat's owner knows.
    pub standing: &'a Standing,
    /// Current time.
    pub now: Timestamp,
}

/// Reason why the director is asked.
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
