//! The owner of an order's target is about to carry the order out. Layer `domain`. Keeps I4, I6.

use crate::domain::commit::bench::{Bench, OpenOrder};
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, conflict};
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::operator_order::{OrderState, OrderStep};
use crate::domain::ownership::LeaseKey;

/// The owner is about to cause an effect outside the store that an operator ordered. A second beginning is refused, so
/// that nobody causes the effect twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginOrder {
    /// The order, and its owner.
    pub step: OrderStep,
}

impl Rule for BeginOrder {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        self.step.fence()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.order(Some(&self.step));
    }

    /// Begins an order that waits; one whose time is over expires instead.
    fn judge(self, bench: &mut Bench) -> Judgement {
        let state = match bench.open_order(&self.step)? {
            OpenOrder::Late => OrderState::Expired,
            OpenOrder::Waiting => OrderState::Begun,
            OpenOrder::Begun { .. } => return conflict(format!("order {} is begun", self.step.order)),
        };
        bench.order_moves(self.step, state, None);
        Ok(Applied::Ordered(state))
    }
}
