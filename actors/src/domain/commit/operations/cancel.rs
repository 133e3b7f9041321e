//! A message is given up before it was sent. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, Epoch, OutboxId};
use crate::domain::outbox::OutboxState;
use crate::domain::ownership::LeaseKey;

/// A message is given up before it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Cancel {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The message.
    pub outbox: OutboxId,
    /// Reason of the cancellation.
    pub reason: String,
}

impl Rule for Cancel {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.outbox.insert(self.outbox);
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.waiting(self.bot, self.outbox)?;
        if let Some(head) = bench.loaded.outbox.get_mut(&self.outbox) {
            head.progress.state = OutboxState::Cancelled;
            head.progress.error = Some(self.reason.clone());
        }
        bench.outbox_moved(self.outbox);
        Ok(Applied::Done)
    }
}
