//! An order of an operator ends. Layer `domain`. Keeps I4, I6.

use crate::domain::commit::bench::{Bench, OpenOrder};
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, conflict};
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::operator_order::{OrderFailure, OrderState, OrderStep};
use crate::domain::ownership::LeaseKey;

/// How an order ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEnding {
    /// The effect took place.
    Done,
    /// The effect did not take place.
    Failed(OrderFailure),
    /// Nobody knows whether the effect took place.
    Unknown,
}

/// Ends an order whose effect is no operation: one that was begun, one that cannot be carried out, and one that another
/// owner left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndOrder {
    /// The order, and its owner.
    pub step: OrderStep,
    /// How it ends.
    pub ending: OrderEnding,
}

impl Rule for EndOrder {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        self.step.fence()
    }

    fn needs(&self, needs: &mut Needs) {
        needs.order(Some(&self.step));
    }

    /// An order whose time was over before anybody began it expires, however it was to end. Of an order that was begun under
    /// another epoch nobody knows how it ended.
    fn judge(self, bench: &mut Bench) -> Judgement {
        let (state, failure) = match (bench.open_order(&self.step)?, self.ending) {
            (OpenOrder::Late, _) => (OrderState::Expired, None),
            (OpenOrder::Waiting | OpenOrder::Begun { here: true }, OrderEnding::Done) => (OrderState::Done, None),
            (OpenOrder::Waiting | OpenOrder::Begun { here: true }, OrderEnding::Failed(failure)) => {
                (OrderState::Failed, Some(failure))
            }
            (OpenOrder::Begun { .. }, OrderEnding::Unknown) => (OrderState::Unknown, None),
            (OpenOrder::Begun { here: false }, _) => {
                return conflict(format!("order {} was begun under another epoch", self.step.order));
            }
            (OpenOrder::Waiting, OrderEnding::Unknown) => {
                return conflict(format!("order {} is waiting", self.step.order));
            }
        };
        bench.order_moves(self.step, state, failure.as_ref());
        Ok(Applied::Ordered(state))
    }
}
