//! The chats that somebody watches, at this node or another. Layer `actors`.
//!
//! A chat that nobody watches sends no hints to watchers. Nodes with watchers say so every few seconds; whoever does not hear
//! that sends none, and the watchers' nodes find out by reconciling.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::actors::node::Node;
use crate::domain::ids::{ChatId, Number};
use crate::ports::bus::{Audience, BusMessage};

/// Time for which a node's word that somebody watches counts.
const COUNTS_FOR: Duration = Duration::from_secs(5);

/// Watched chats, as far as this node has heard.
#[derive(Debug, Default)]
pub struct Watched {
    any: AtomicBool,
    until: RwLock<HashMap<ChatId, Instant>>,
}

impl Watched {
    /// Takes over that somebody watches these chats.
    pub fn heard(&self, chats: &[ChatId]) {
        let now = Instant::now();
        let mut until = self.until.write().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| *until > now);
        until.extend(chats.iter().map(|chat| (*chat, now + COUNTS_FOR)));
        self.any.store(!until.is_empty(), Ordering::Release);
    }

    /// Returns whether somebody watches a chat.
    fn holds(&self, chat: ChatId) -> bool {
        // Every commit of every chat asks.
        self.any.load(Ordering::Acquire) && {
            let until = self.until.read().unwrap_or_else(PoisonError::into_inner);
            until.get(&chat).is_some_and(|until| *until > Instant::now())
        }
    }
}

impl Node {
    /// Tells whoever watches a chat that its history grew; `number` is that of its last entry.
    pub fn appended(&self, chat: ChatId, number: Number) {
        if self.watched.holds(chat) {
            self.bus.publish(Audience::Everybody, BusMessage::Appended(vec![(chat, number)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_chat_is_watched_as_long_as_somebody_says_so() {
        let watched = Watched::default();
        assert!(!watched.holds(ChatId(1)));
        watched.heard(&[ChatId(1)]);
        assert!(watched.holds(ChatId(1)) && !watched.holds(ChatId(2)));
        tokio::time::advance(COUNTS_FOR).await;
        assert!(!watched.holds(ChatId(1)));
        watched.heard(&[]);
        assert!(!watched.any.load(Ordering::Acquire), "what is over is forgotten");
    }
}
