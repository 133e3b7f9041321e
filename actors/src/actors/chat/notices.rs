//! Remembers what this node has said of the fleet lately, so that nothing is said twice. Layer `actors`. Keeps I9.
//!
//! The store knows whether a chat was told that it talks to an AI, once the message is sent. Disclosures on their way
//! are remembered here, also while the chat's actor is away; a process that begins looks for them in the store.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::{BotId, ChatId};

/// Time for which a disclosure is awaited before another bot makes it: longer than it may wait to be sent.
const DISCLOSE_AGAIN: Duration = Duration::from_mins(5);

/// Time within which the same command is answered once in a chat.
const ANSWER_AGAIN: Duration = Duration::from_mins(1);

/// Disclosures on their way, and commands answered lately.
#[derive(Default)]
pub struct Notices(Mutex<Said>);

#[derive(Default)]
struct Said {
    disclosures: HashMap<ChatId, (Option<BotId>, Instant)>,
    answers: HashMap<(ChatId, &'static str), Instant>,
}

/// Tells whether a chat may be told at present that it talks to an AI.
pub(super) enum Disclosing {
    /// Not at present: the disclosure is on its way.
    Waits,
    /// By any bot, but rather not by the one that was to do it before.
    Due(Option<BotId>),
}

impl Notices {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn disclosing(&self, chat: ChatId) -> Disclosing {
        match self.said().disclosures.get(&chat) {
            Some((_, at)) if at.elapsed() < DISCLOSE_AGAIN => Disclosing::Waits,
            Some((by, _)) => Disclosing::Due(*by),
            None => Disclosing::Due(None),
        }
    }

    /// Notes that a bot is to tell the chat; `None` is a bot that nobody here knows.
    pub(super) fn discloses(&self, chat: ChatId, by: Option<BotId>) {
        self.said().disclosures.insert(chat, (by, Instant::now()));
    }

    pub(super) fn knows(&self, chat: ChatId) -> bool {
        self.said().disclosures.contains_key(&chat)
    }

    /// Notes that the chat has been told.
    pub(super) fn disclosed(&self, chat: ChatId) {
        self.said().disclosures.remove(&chat);
    }

    /// Returns whether that command was not answered there just now.
    pub(super) fn may_answer(&self, chat: ChatId, command: &'static str) -> bool {
        self.said().answers.get(&(chat, command)).is_none_or(|at| at.elapsed() >= ANSWER_AGAIN)
    }

    /// Notes that that command is answered there.
    pub(super) fn answers(&self, chat: ChatId, command: &'static str) {
        let mut said = self.said();
        said.answers.retain(|_, at| at.elapsed() < ANSWER_AGAIN);
        said.answers.insert((chat, command), Instant::now());
    }
}
