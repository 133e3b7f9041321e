//! Maps a chat that migrated to the chat it became. Layer: world; pure.

use std::collections::HashMap;

use crate::ledger::{LedgerEvent, LedgerRecord};

/// The migrated chats and the chats they became.
#[derive(Debug, Default)]
pub(super) struct Chats {
    became: HashMap<i64, i64>,
}

impl Chats {
    pub(super) fn of(ledger: &[LedgerRecord]) -> Self {
        let became = ledger
            .iter()
            .filter_map(|record| match record.event {
                LedgerEvent::ChatMigrated { from, to } => Some((from, to)),
                _ => None,
            })
            .collect();
        Self { became }
    }

    /// Returns the present id of a chat.
    pub(super) fn now(&self, chat: i64) -> i64 {
        self.became.get(&chat).copied().unwrap_or(chat)
    }
}
