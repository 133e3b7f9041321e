//! Remembers the latest messages of this node's bots, for the novelty guard. Layer `actors`.
//!
//! A prediction kept in memory: messages of other nodes, and messages from before a restart, are missing here. Each bot
//! reads its own last messages from the store.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::behaviour::novelty::guard::Said;
use crate::domain::ids::BotId;

/// Number of messages that are remembered.
const REMEMBERED: usize = 400;

/// The latest messages of a node's bots, oldest first.
#[derive(Default)]
pub struct FleetSaid(Mutex<VecDeque<(BotId, Said)>>);

impl FleetSaid {
    /// Records a message of a bot.
    pub fn note(&self, bot: BotId, said: Said) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        all.push_back((bot, said));
    }

    /// Forgets all messages, since a person's words and the answers to them were removed.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns all remembered messages.
    pub fn lately(&self) -> Vec<(BotId, Said)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
