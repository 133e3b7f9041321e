//! What the bots of this node said lately, for the novelty guard. Layer `actors`.
//!
//! A prediction kept in memory: what other nodes said, and what was said before a restart, is missing here; each bot
//! reads its own last messages from the store.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::behaviour::novelty::guard::Said;
use crate::domain::ids::BotId;

/// Messages that are remembered.
const REMEMBERED: usize = 400;

/// What the bots of a node said lately, oldest first.
#[derive(Default)]
pub struct FleetSaid(Mutex<VecDeque<(BotId, Said)>>);

impl FleetSaid {
    /// A bot said it.
    pub fn note(&self, bot: BotId, said: Said) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        all.push_back((bot, said));
    }

    /// Somebody's words were removed, and what answers them: nothing is remembered.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All of it.
    pub fn lately(&self) -> Vec<(BotId, Said)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
