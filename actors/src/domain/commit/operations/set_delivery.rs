//! The delivery mode of a bot changes. Layer `domain`. Keeps I1.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{BotId, Epoch};
use crate::domain::operator_order::OrderStep;
use crate::domain::ownership::LeaseKey;
use crate::domain::roster::DeliveryChoice;

/// Changes the delivery mode of a bot. The bot's offset is forgotten in the same step: after a webhook, ids may have
/// started anew, and an old offset would confirm updates that nobody has seen (I1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDelivery {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The delivery mode, with the address that Telegram is told when it is a webhook.
    pub choice: DeliveryChoice,
    /// The order of an operator that this carries out; it ends in the same commit.
    pub order: Option<OrderStep>,
}

impl Rule for SetDelivery {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Bot(self.bot), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.order(self.order.as_ref());
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        bench.order_waits(self.order.as_ref())?;
        // A poll earlier in the same batch must not bring the offset back.
        bench.changes.offsets.remove(&self.bot);
        bench.changes.orders.deliveries.insert(self.bot, self.choice);
        bench.order_done(self.order);
        Ok(Applied::Done)
    }
}
