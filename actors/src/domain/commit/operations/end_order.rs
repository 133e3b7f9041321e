//! An order of an operator ends. Layer `domain`. Keeps I4, I6.

use crate::domain::commit::bench::Bench;
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
        let head = bench.order(&self.step)?;
        let begun_here = head.epoch == Some(self.step.epoch);
        let (state, failure) = match (head.state, self.ending) {
            (OrderState::Waiting, _) if head.late => (OrderState::Expired, None),
            (OrderState::Waiting, OrderEnding::Done) => (OrderState::Done, None),
            (OrderState::Waiting, OrderEnding::Failed(failure)) => (OrderState::Failed, Some(failure)),
            (OrderState::Begun, OrderEnding::Done) if begun_here => (OrderState::Done, None),
            (OrderState::Begun, OrderEnding::Failed(failure)) if begun_here => (OrderState::Failed, Some(failure)),
            (OrderState::Begun, OrderEnding::Unknown) => (OrderState::Unknown, None),
            (state, _) => return conflict(format!("order {} is {}", self.step.order, state.as_str())),
        };
        bench.order_moves(self.step, state, failure.as_ref());
        Ok(Applied::Ordered(state))
    }
}
