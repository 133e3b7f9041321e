//! A bot stores the updates of a poll with its offset. Layer `domain`. Keeps I1, I2.

use std::time::Duration;

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, MOMENT, Priority, Rule};
use crate::domain::ids::{BotId, Epoch};
use crate::domain::inbox::InboxRow;
use crate::domain::ownership::LeaseKey;

/// Rows received by a bot, and the offset that may be confirmed once they are stored (I1).
#[derive(Clone, Debug, PartialEq)]
pub struct Ingest {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// Last id seen + 1, not the highest id + 1: after a quiet week Telegram restarts update ids at random.
    pub next_offset: i64,
    /// The rows; those already stored are left alone (I2).
    pub rows: Vec<InboxRow>,
}

impl Rule for Ingest {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.received(&self.rows);
    }

    /// The chats of this node have the rows already, and the next poll is in no hurry.
    fn patience(&self) -> Duration {
        MOMENT
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let mut already_there = 0;
        for row in self.rows {
            already_there += usize::from(!bench.insert_inbox(row));
        }
        bench.changes.offsets.insert(self.bot, self.next_offset);
        Ok(Applied::Ingested { already_there })
    }
}
