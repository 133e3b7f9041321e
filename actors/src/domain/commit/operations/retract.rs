//! An operator deletes messages of the fleet. Layer `domain`. Keeps I4, I6.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rows::NewRetractions;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::{ChatId, Epoch};
use crate::domain::operator_order::{OrderFruit, OrderStep};
use crate::domain::ownership::LeaseKey;
use crate::domain::retraction::Said;
use crate::domain::time::Timestamp;

/// The fleet forgets the words of its own messages, keeps their numbers, and is to ask Telegram to delete them. The
/// operator's order ends with it. A message that is being deleted already is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retract {
    /// The chat.
    pub chat: ChatId,
    /// Epoch of the chat's lease: only the owner changes a transcript (I3).
    pub epoch: Epoch,
    /// The messages.
    pub said: Vec<Said>,
    /// Name of whoever ordered it.
    pub by: String,
    /// The order that this carries out.
    pub order: OrderStep,
    /// Current time, on the database's clock.
    pub now: Timestamp,
}

impl Rule for Retract {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Chat(self.chat), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.order(Some(&self.order));
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let Self { chat, said, by: principal, order, now: at, .. } = self;
        bench.order_waits(Some(&order))?;
        for entry in &mut bench.changes.entries {
            if said.iter().any(|said| said.is_entry(entry)) {
                entry.delete(at);
            }
        }
        let count = u32::try_from(said.len()).unwrap_or(u32::MAX);
        bench.changes.orders.retractions.push(NewRetractions { chat, principal, at, said });
        bench.order_bears(order, OrderFruit::Retracted(count));
        Ok(Applied::Done)
    }
}
