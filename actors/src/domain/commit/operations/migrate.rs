//! A chat gets another id at Telegram. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{ChatId, Epoch, TelegramChatId};
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;

/// A group became a supergroup: the chat keeps its history under a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrate {
    /// The chat.
    pub chat: ChatId,
    /// Epoch of the chat's lease.
    pub epoch: Epoch,
    /// Telegram's new id of the chat.
    pub to: TelegramChatId,
    /// Time of the migration.
    pub at: Timestamp,
}

impl Rule for Migrate {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Chat(self.chat), self.epoch))
    }

    fn needs(&self, _: &mut Needs) {}

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.changes.migrations.insert(self.chat, (self.to, self.at));
        Ok(Applied::Done)
    }
}
