//! Pauses of a bot end sooner. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, Epoch};
use crate::domain::operator_order::OrderStep;
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;

/// Ends longer pauses of a bot at `until`: a person lifted them, or they are longer than `PAUSE_MAX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiftPauses {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// Latest end of the pauses.
    pub until: Timestamp,
    /// The order of an operator that this carries out; it ends in the same commit.
    pub order: Option<OrderStep>,
}

impl Rule for LiftPauses {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.order(self.order.as_ref());
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.order_waits(self.order.as_ref())?;
        bench.loaded.pauses.shorten(self.bot, self.until);
        for pause in bench.changes.pauses.iter_mut().filter(|pause| pause.bot == self.bot) {
            pause.until = pause.until.min(self.until);
        }
        bench.changes.orders.pauses.insert(self.bot, self.until);
        bench.order_done(self.order);
        Ok(Applied::Done)
    }
}
