//! Keeps this node's copy of what operators do beside the bots: take-overs, and messages deleted lately. Layer `actors`.
//! Keeps I14.
//!
//! The copy changes at once with this node's own commits, by a hint when another node commits, and by reconciling when the
//! hint was lost. The store keeps the authority: the transactions that claim a turn and begin a send look again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::ids::{BotId, ChatId};
use crate::domain::takeover::{Interventions, Takeover};
use crate::domain::time::Timestamp;

/// The interventions of operators, as far as this node knows.
#[derive(Debug, Default)]
pub struct Steering {
    /// False only while nobody has taken a bot over: then nothing is looked up.
    any: AtomicBool,
    known: RwLock<Arc<Interventions>>,
}

impl Steering {
    /// Returns the interventions.
    pub fn all(&self) -> Arc<Interventions> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the take-over of a bot in a chat that lasts at `now`.
    pub fn takeover(&self, chat: ChatId, bot: BotId, now: Timestamp) -> Option<Takeover> {
        if self.is_quiet() { None } else { self.all().takeovers.of(chat, bot, now).cloned() }
    }

    /// Returns whether nobody has taken a bot over.
    pub fn is_quiet(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// Takes over the store's interventions. Returns whether messages were deleted that this node did not know to be.
    pub(in crate::actors) fn learned(&self, news: Interventions) -> bool {
        let mut held = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if **held == news {
            return false;
        }
        let anew = !news.deleted.is_subset(&held.deleted);
        self.any.store(!news.takeovers.0.is_empty(), Ordering::Release);
        *held = Arc::new(news);
        anew
    }

    /// Takes over a take-over that was committed here.
    pub(in crate::actors) fn begun(&self, takeover: Takeover) {
        self.change(|known| drop(known.takeovers.0.insert((takeover.chat, takeover.bot), takeover)));
    }

    /// Prolongs a take-over, since its holder has said something; that is committed.
    pub(in crate::actors) fn prolonged(&self, chat: ChatId, bot: BotId, now: Timestamp) {
        if !self.is_quiet() {
            self.change(|known| {
                if let Some(takeover) = known.takeovers.0.get_mut(&(chat, bot)) {
                    takeover.prolong(now);
                }
            });
        }
    }

    /// Ends a take-over; that is committed.
    pub fn ended(&self, chat: ChatId, bot: BotId) {
        self.change(|known| drop(known.takeovers.0.remove(&(chat, bot))));
    }

    fn change(&self, change: impl FnOnce(&mut Interventions)) {
        let mut held = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = (**held).clone();
        change(&mut known);
        self.any.store(!known.takeovers.0.is_empty(), Ordering::Release);
        *held = Arc::new(known);
    }
}
