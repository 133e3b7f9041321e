//! Pauses that Telegram asked for by 429: of one bot in one chat, or of one bot everywhere. Layer `domain`.
//!
//! Pauses are rows of the store, so they survive a restart. The `sending` transaction checks them.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId};
use super::time::Timestamp;

/// The longest pause that is honoured: a longer one is a mistake, and would silence a bot for years.
pub const PAUSE_MAX: Duration = Duration::from_hours(24);

/// A pause of a bot, which sends nothing until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The bot.
    pub bot: BotId,
    /// The chat; `None` is all chats.
    pub chat: Option<ChatId>,
    /// End of the pause, on the database's clock.
    pub until: Timestamp,
}

/// Pauses by bot and chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses(HashMap<(BotId, Option<ChatId>), Timestamp>);

impl Pauses {
    /// Adds a pause; of two pauses for the same bot and place the longer one counts.
    pub fn add(&mut self, pause: Pause) {
        let until = self.0.entry((pause.bot, pause.chat)).or_insert(pause.until);
        *until = (*until).max(pause.until);
    }

    /// Ends all pauses of `bot` at `until` at the latest.
    pub fn shorten(&mut self, bot: BotId, until: Timestamp) {
        self.0.iter_mut().filter(|((paused, _), _)| *paused == bot).for_each(|(_, end)| *end = (*end).min(until));
    }

    /// Returns the time until which `bot` must not send into `chat`; `None` when it may at `now`.
    pub fn paused_until(&self, bot: BotId, chat: ChatId, now: Timestamp) -> Option<Timestamp> {
        let until = [Some(chat), None].into_iter().filter_map(|place| self.0.get(&(bot, place)).copied()).max()?;
        (until > now).then_some(until)
    }

    /// Returns the pause of exactly this bot and place.
    pub fn of(&self, bot: BotId, chat: Option<ChatId>) -> Option<Pause> {
        self.0.get(&(bot, chat)).map(|until| Pause { bot, chat, until: *until })
    }

    /// All pauses, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Pause> + '_ {
        self.0.iter().map(|((bot, chat), until)| Pause { bot: *bot, chat: *chat, until: *until })
    }

    /// Forgets pauses that are over at `now`.
    pub fn forget_ended(&mut self, now: Timestamp) {
        self.0.retain(|_, until| *until > now);
    }
}

impl FromIterator<Pause> for Pauses {
    fn from_iter<I: IntoIterator<Item = Pause>>(pauses: I) -> Self {
        let mut all = Self::default();
        pauses.into_iter().for_each(|pause| all.add(pause));
        all
    }
}
