//! One name for a chat that became another. Layer: load test; pure.

use std::collections::HashMap;

use crate::ledger::{LedgerEvent, LedgerRecord};

/// Which chats became which.
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

    /// The present name of a chat.
    pub(super) fn now(&self, chat: i64) -> i64 {
        self.became.get(&chat).copied().unwrap_or(chat)
    }
}
