//! Carries out the orders of one target in their order, and stores how each ends. Layer `actors`. Keeps I4, I6.
//!
//! | on | what happens |
//! |---|---|
//! | an effect in the store | it and the end of the order are one commit: neither is there without the other |
//! | another effect | `begun` is committed before it, the end after it |
//! | an order that was begun before, by a dead process or by an owner that lost the lease | it ends as unknown, and nobody repeats it |
//! | the store does not answer | the order is looked at again: what was committed is known from its row |
//! | a fence | the next owner goes on |
//! | a dropped future | the order waits, or is begun: as above |

use std::sync::Arc;

use ractor::ActorRef;

use super::effects::cause;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::actors::node::committer::{CommitError, STORE_RETRY};
use crate::actors::node::deadline::in_time;
use crate::domain::commit::operations::{EndOrder, Operation, OrderEnding};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::operator_order::{OperatorOrder, OrderFailure, OrderState, OrderStep, OrderTarget};
use crate::ports::metrics;

/// How far the effect of an order came.
pub(super) enum Came {
    /// The order ended with the commit of its effect, in this state.
    Ended(OrderState),
    /// The order is to end like this.
    Ends(OrderEnding),
    /// Nothing is known: the order's row tells.
    Again,
    /// Another node owns the target.
    Lost,
}

impl Came {
    /// Returns the failure of an order that cannot be carried out.
    pub(super) fn failed(code: &str, detail: impl Into<String>) -> Self {
        Self::Ends(OrderEnding::Failed(OrderFailure { code: code.to_owned(), detail: detail.into() }))
    }

    /// Returns what a commit that holds the effect and the end of an order came to.
    pub(super) fn by(committed: Result<Applied, CommitError>) -> Self {
        match committed {
            Ok(Applied::Ordered(state)) => Self::Ended(state),
            Ok(_) => Self::Ended(OrderState::Done),
            Err(CommitError::Refused(Refusal::Fenced)) => Self::Lost,
            Err(CommitError::Refused(held @ Refusal::TakenOver(_))) => Self::failed("taken_over", held.to_string()),
            Err(CommitError::Refused(Refusal::Conflict(why))) => Self::failed("conflict", why),
            Err(CommitError::Refused(refusal)) => Self::failed("conflict", refusal.to_string()),
            Err(CommitError::Unavailable(_)) => Self::Again,
        }
    }
}

/// Carries out the orders of a target until none waits, or another node owns the target.
pub(in crate::actors) async fn carry_out(node: &Arc<Node>, fleet: &ActorRef<FleetMsg>, target: OrderTarget) {
    while let Some(epoch) = node.leases.obeys(target) {
        // Reconciling finds the orders again when the store does not answer.
        let Ok(Some(order)) = in_time(node.store.next_order(target)).await else { return };
        let step = OrderStep { order: order.id, target, node: node.name.clone(), epoch };
        let came = match order.state {
            // One task at a time works on a target, so whoever began it is gone.
            OrderState::Begun => Came::Ends(OrderEnding::Unknown),
            _ => cause(node, fleet, &order, &step).await,
        };
        let came = match came {
            Came::Ends(ending) => end(node, step, ending).await,
            came => came,
        };
        match came {
            Came::Ended(state) => note(node, &order, state),
            Came::Again | Came::Ends(_) => tokio::time::sleep(STORE_RETRY).await,
            Came::Lost => return,
        }
    }
}

/// Stores the end of an order, however long the store does not answer.
async fn end(node: &Node, step: OrderStep, ending: OrderEnding) -> Came {
    let end = EndOrder { step, ending };
    loop {
        match Came::by(node.committer.commit(Operation::EndOrder(end.clone())).await) {
            Came::Again => tokio::time::sleep(STORE_RETRY).await,
            // The order is over already: its row tells how.
            Came::Ends(_) => return Came::Again,
            came => return came,
        }
    }
}

fn note(node: &Node, order: &OperatorOrder, state: OrderState) {
    let state = state.as_str();
    metrics::operator_orders_ended_total { kind: order.kind.clone(), state }.increment(1);
    tracing::warn!(
        order.id = %order.id, order.target = %order.target, kind = order.kind, by = order.principal, state,
        "control: an order ended"
    );
    node.orders_ended.notify_waiters();
}
