//! A bot begins to send a message that waited. Layer `domain`. Keeps I6, I11.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::commit::start::Start;
use crate::domain::ids::{BotId, Epoch, OutboxId};
use crate::domain::ownership::LeaseKey;

/// A bot begins to send a message that waited.
#[derive(Clone, Debug, PartialEq)]
pub struct Begin {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The message, which must be queued or due again.
    pub outbox: OutboxId,
    /// The attempt.
    pub start: Start,
}

impl Rule for Begin {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.outbox.insert(self.outbox);
        needs.start(&self.start);
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.waiting(self.bot, self.outbox)?;
        Ok(Applied::Begun(self.start.rule(bench, self.outbox, self.epoch)))
    }
}
