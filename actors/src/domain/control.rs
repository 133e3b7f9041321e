//! Stops: of the whole fleet, of one chat, of one bot. Layer `domain`. They are part of the `sending` transaction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId};
use super::time::Timestamp;

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

/// All stops, each with its end; `None` is until it is lifted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops(pub BTreeMap<StopScope, Option<Timestamp>>);

impl Stops {
    /// The stop that keeps `bot` from speaking in `chat`, widest first.
    pub fn blocking(&self, chat: ChatId, bot: BotId, now: Timestamp) -> Option<StopScope> {
        [StopScope::Fleet, StopScope::Chat(chat), StopScope::Bot(bot)].into_iter().find(|scope| self.holds(*scope, now))
    }

    /// Whether that stop is in force.
    pub fn holds(&self, scope: StopScope, now: Timestamp) -> bool {
        self.0.get(&scope).is_some_and(|until| until.is_none_or(|until| until > now))
    }

    /// Sets a stop until `until`, or until it is lifted; or lifts it.
    pub fn set(&mut self, scope: StopScope, stopped: bool, until: Option<Timestamp>) {
        if stopped {
            self.0.insert(scope, until);
        } else {
            self.0.remove(&scope);
        }
    }
}
