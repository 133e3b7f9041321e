//! Remembers the chats that the manifest does not name and that this node's bots stay in. Layer `actors`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::domain::ids::TelegramChatId;

/// Strange chats that are remembered for operators.
const REMEMBERED: usize = 256;

/// A chat that the manifest does not name and that the fleet stays in, since a mistake in the manifest may explain it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StrangeChat {
    /// Telegram's id of the chat.
    pub telegram_id: i64,
    /// The reason why the fleet has not left the chat, and what a person may do.
    pub reason: String,
}

/// The strange chats that this node's bots stay in.
#[derive(Default)]
pub struct Strangers(Mutex<BTreeMap<TelegramChatId, String>>);

impl Strangers {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<TelegramChatId, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes why a chat is not left; returns true when that is news.
    pub(in crate::actors) fn keep(&self, telegram: TelegramChatId, reason: &str) -> bool {
        let mut kept = self.kept();
        let room = kept.len() < REMEMBERED || kept.contains_key(&telegram);
        room && kept.insert(telegram, reason.to_owned()).as_deref() != Some(reason)
    }

    pub(in crate::actors) fn forget(&self, telegram: TelegramChatId) {
        self.kept().remove(&telegram);
    }

    /// Returns why the fleet stays in a chat that the manifest does not name.
    pub fn reason(&self, telegram: TelegramChatId) -> Option<String> {
        self.kept().get(&telegram).cloned()
    }

    /// Returns all these chats, less those that are known by now.
    pub fn all(&self, is_known: impl Fn(TelegramChatId) -> bool) -> Vec<StrangeChat> {
        let mut kept = self.kept();
        kept.retain(|telegram, _| !is_known(*telegram));
        kept.iter().map(|(id, reason)| StrangeChat { telegram_id: id.0, reason: reason.clone() }).collect()
    }
}
