//! Stops: of the whole fleet, of one chat, of one bot. Layer `domain`. They are part of the `sending` transaction.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId};

/// What can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope", content = "id")]
pub enum StopScope {
    /// Everything: the kill switch.
    Fleet,
    /// One chat.
    Chat(ChatId),
    /// One bot.
    Bot(BotId),
}

/// All stops in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops(pub BTreeSet<StopScope>);

impl Stops {
    /// The stop that keeps `bot` from speaking in `chat`, widest first.
    pub fn blocking(&self, chat: ChatId, bot: BotId) -> Option<StopScope> {
        [StopScope::Fleet, StopScope::Chat(chat), StopScope::Bot(bot)].into_iter().find(|scope| self.0.contains(scope))
    }

    /// Sets or lifts a stop.
    pub fn set(&mut self, scope: StopScope, stopped: bool) {
        if stopped {
            self.0.insert(scope);
        } else {
            self.0.remove(&scope);
        }
    }
}
