//! Records what happens on a stage, in order: the oracle of the tests of actors. Part of the testkit.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::{MessageId, TelegramChatId, TelegramUserId};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A bot polled.
    Polled {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The offset that the poll sent.
        offset: Option<i64>,
    },
    /// A message reached Telegram, whatever the answer was.
    Sent {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The chat.
        chat: TelegramChatId,
        /// The text.
        text: String,
    },
    /// A bot left a chat.
    Left {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The chat.
        chat: TelegramChatId,
    },
    /// A reaction reached Telegram, whatever the answer was.
    Reacted {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The chat.
        chat: TelegramChatId,
        /// The message.
        message: MessageId,
        /// The emoji.
        emoji: String,
    },
    /// The deletion of a message reached Telegram, whatever the answer was.
    Deleted {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The chat.
        chat: TelegramChatId,
        /// The message.
        message: MessageId,
    },
    /// A webhook was set or deleted.
    Webhook {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The address; `None` when the webhook was deleted.
        url: Option<String>,
    },
    /// A provider was called.
    Asked {
        /// The name of the provider.
        provider: String,
    },
    /// An operation was committed.
    Committed(&'static str),
    /// An operation dropped out of its batch.
    Refused(&'static str, Refusal),
    /// The store did not carry out an operation, or its answer was lost.
    Failed(&'static str),
}

/// All events, each with its time.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<(Instant, Happening)>>>, Arc<Notify>);

impl Journal {
    /// Records an event.
    pub fn note(&self, happening: Happening) {
        self.0.lock().unwrap().push((Instant::now(), happening));
        self.1.notify_one();
    }

    /// Waits until an event is recorded since the last wait ended. For a single waiter.
    pub async fn changed(&self) {
        self.1.notified().await;
    }

    /// Returns the events after the first `count`, in order.
    pub fn after(&self, count: usize) -> Vec<Happening> {
        self.0.lock().unwrap().iter().skip(count).map(|(_, happening)| happening.clone()).collect()
    }

    /// Returns all events so far, in order.
    pub fn all(&self) -> Vec<Happening> {
        self.0.lock().unwrap().iter().map(|(_, happening)| happening.clone()).collect()
    }

    /// Returns how many events `matches` is true of.
    pub fn count(&self, matches: impl Fn(&Happening) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|(_, happening)| matches(happening)).count()
    }

    /// Returns the position of the first event that `matches` is true of.
    pub fn first(&self, matches: impl Fn(&Happening) -> bool) -> Option<usize> {
        self.0.lock().unwrap().iter().position(|(_, happening)| matches(happening))
    }

    /// Returns the times of the events that `matches` is true of.
    pub fn times(&self, matches: impl Fn(&Happening) -> bool) -> Vec<Instant> {
        self.0.lock().unwrap().iter().filter(|(_, happening)| matches(happening)).map(|(at, _)| *at).collect()
    }

    /// Returns the texts that reached Telegram, in order.
    pub fn sent_texts(&self) -> Vec<String> {
        let all = self.all().into_iter();
        all.filter_map(|happening| if let Happening::Sent { text, .. } = happening { Some(text) } else { None })
            .collect()
    }
}
