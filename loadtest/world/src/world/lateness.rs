//! Makes updates late: holds them back for a bot until released, or copies them to another bot later. Layer: world.

use std::collections::BTreeMap;

use super::World;
use super::error::WorldError;
use super::late::Past;

/// Chooses an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// The update that a bot got under this id.
    Update {
        /// The bot.
        bot: i64,
        /// The id.
        update_id: i64,
    },
    /// The newest update about a message; of one kind if a kind is named.
    About {
        /// The chat.
        chat: i64,
        /// The message.
        message_id: i64,
        /// The kind: `message`, `edited_message`, ...
        kind: Option<&'a str>,
    },
}

impl World {
    /// Holds back a bot's updates from now on: those of one chat, or all.
    pub fn hold_updates(&self, bot: i64, chat: Option<i64>) {
        self.lock().late.holds.push((bot, chat));
    }

    /// Releases the updates held back for a bot, in their order; returns how many there were.
    pub fn release_updates(&self, bot: i64) -> usize {
        let mut state = self.lock();
        state.late.holds.retain(|(whose, _)| *whose != bot);
        let (ready, rest): (Vec<_>, Vec<_>) = state.late.held.drain(..).partition(|past| past.bot == bot);
        state.late.held = rest;
        for past in &ready {
            self.push_update(&mut state, bot, &past.kind, &past.body, past.about);
        }
        ready.len()
    }

    /// Queues for a bot a copy of an update that another bot, or the bot itself, got before.
    ///
    /// # Errors
    /// An unknown bot, or an update that nobody got.
    pub fn copy_update(&self, which: Which<'_>, to: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        if !state.bots.contains_key(&to) {
            return Err(WorldError::UnknownBot(to));
        }
        let is_meant = |past: &&Past| match which {
            Which::Update { bot, update_id } => past.bot == bot && past.update_id == update_id,
            Which::About { chat, message_id, kind } => {
                past.about == Some((chat, message_id)) && kind.is_none_or(|kind| kind == past.kind)
            }
        };
        let meant = state.late.past.iter().rev().find(is_meant).cloned();
        let past = meant.ok_or_else(|| WorldError::Invalid(format!("no bot got {which:?}")))?;
        self.push_update(&mut state, to, &past.kind, &past.body, past.about);
        Ok(())
    }

    /// Queues a copy of some update of a chat for a bot that is in the chat; returns whether there was such an update
    /// and bot. `draw` is given a number of choices and returns the index of one of them.
    pub fn copy_any_update(&self, chat: i64, mut draw: impl FnMut(usize) -> usize) -> bool {
        let mut state = self.lock();
        let mut by_kind: BTreeMap<&str, Vec<&Past>> = BTreeMap::new();
        for past in state.late.past.iter().filter(|past| past.about.is_some_and(|(of, _)| of == chat)) {
            by_kind.entry(past.sort()).or_default().push(past);
        }
        // The kind is drawn first, because joins and reactions are rare among messages.
        let kinds: Vec<Vec<&Past>> = by_kind.into_values().collect();
        if kinds.is_empty() {
            return false;
        }
        let of_kind = &kinds[draw(kinds.len())];
        let past = of_kind[draw(of_kind.len())].clone();
        let Some(room) = state.chats.get(&chat) else { return false };
        // Telegram gives a bot each post once, so only a bot that has not seen the post may get it late.
        let has_seen = |bot: i64| {
            past.sort() == "message"
                && state.late.past.iter().any(|other| other.bot == bot && other.about == past.about)
        };
        // A bot whose updates are held back gets the updates that it has not seen on release.
        let waits = |bot: i64| state.late.holds.iter().any(|(whose, _)| *whose == bot);
        let fits = |bot: &i64| room.is_present(*bot) && !has_seen(*bot) && !waits(*bot);
        let present = state.bots.keys().copied().filter(fits);
        let bots: Vec<i64> = present.collect();
        if bots.is_empty() {
            return false;
        }
        let to = bots[draw(bots.len())];
        self.push_update(&mut state, to, &past.kind, &past.body, past.about);
        true
    }

    /// Puts any update into a bot's queue, whichever kinds it asked for; `content` is the JSON of the field `kind`.
    ///
    /// # Errors
    /// An unknown bot.
    pub fn queue_update(
        &self,
        bot: i64,
        kind: &str,
        content: &serde_json::Value,
        about: Option<(i64, i64)>,
    ) -> Result<(), WorldError> {
        let mut state = self.lock();
        if !state.bots.contains_key(&bot) {
            return Err(WorldError::UnknownBot(bot));
        }
        self.push_update(&mut state, bot, kind, &super::publish::body_of(kind, content), about);
        Ok(())
    }
}
