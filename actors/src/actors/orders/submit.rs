//! Stores orders of people, again and again until the store has them, and lets bots ask about their authors. Layer
//! `actors`. Keeps I9.

use std::sync::Arc;

use crate::actors::bot::messages::BotMsg;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::actors::node::committer::STORE_RETRY;
use crate::actors::orders::doubt::{Doubt, Order};
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::Applied;
use crate::domain::control::{Stop, StopOrder};
use crate::domain::ids::BotId;
use crate::domain::people::{Right, SetRight};
use crate::ports::bus::Hint;

/// Claims a right for a person: stores the claim as soon as the store takes it. A repeated claim changes nothing, and
/// nobody is told.
pub(in crate::actors) fn claim(node: &Arc<Node>, right: SetRight) {
    node.people.ordered(right.person, right.right, right.at);
    let claiming = Arc::clone(node);
    node.committer.submit(Operation::SetRight(right.clone()), move |result| match result {
        Ok(Applied::RightSet { already: true }) => claiming.people.stored(right.person, right.right),
        Ok(Applied::RightOutdated) => claiming.people.settle(right.person, right.right == Right::OptIn),
        Ok(_) => claiming.right_stored(&right),
        Err(error) => {
            tracing::error!(error = %error, right = right.right.as_str(), "a person's right cannot be stored yet, it is tried again");
            if let Some(fleet) = claiming.directory.fleet() {
                drop(fleet.send_after(STORE_RETRY, move || FleetMsg::Claim(right)));
            }
        }
    });
}

impl Node {
    /// Puts a right that is in the store in force here, and tells the other nodes.
    pub fn right_stored(&self, right: &SetRight) {
        self.people.ordered(right.person, right.right, right.at);
        self.people.stored(right.person, right.right);
        self.hear(Hint::People);
        self.tell([Hint::People]);
    }
}

/// Commits an order about a stop, again and again until the store has it, and then lets this node know at once.
pub(in crate::actors) fn order(node: &Arc<Node>, order: Order) {
    let ordering = Arc::clone(node);
    node.committer.submit(Operation::SetStop(order.stop.clone()), move |result| match result {
        Ok(Applied::StopSet(stop)) => {
            let lifts = matches!(order.stop.order, StopOrder::Lift { .. });
            if lifts && stop.as_ref().is_some_and(Stop::is_operators) {
                tracing::warn!(stop = ?order.stop.scope, "an operator stopped the chat: its administrators do not start it");
            }
            ordering.people.stop_set(order.stop.scope, stop);
            if let Some((bot, doubt)) = order.then
                && ordering.orders.may_ask(doubt.chat, doubt.author)
            {
                ask(&ordering, bot, doubt);
            }
        }
        Ok(_) => {}
        Err(error) => {
            tracing::error!(stop = ?order.stop.scope, error = %error, "a person's order cannot be stored yet, it is tried again");
            // The root of the node has the order from here on: bots come and go.
            match (ordering.directory.fleet(), order.said) {
                (Some(fleet), _) => drop(fleet.send_after(STORE_RETRY, move || FleetMsg::Order(order))),
                (None, Some(said)) => ordering.orders.forget(said),
                (None, None) => {}
            }
        }
    });
}

/// Lets a bot of the chat ask Telegram who administers it: at first the bot that brought the order, then others.
pub(in crate::actors) fn ask(node: &Arc<Node>, first: BotId, doubt: Doubt) {
    let askers = doubt.askers(node, first);
    let here: Vec<_> = askers.iter().filter_map(|bot| node.directory.bot(*bot)).collect();
    let turn = doubt.asked as usize;
    if let Some(asker) = here.get(turn % here.len().max(1)) {
        let _ = asker.cast(BotMsg::Doubted(doubt));
    } else if let (Some(asker), Some(fleet)) = (askers.get(turn % askers.len().max(1)), node.directory.fleet()) {
        // No bot of the chat lives here, as on a node that received a webhook: the fleet asks for one of them.
        let _ = fleet.cast(FleetMsg::Doubted(*asker, doubt));
    }
}

impl Doubt {
    /// Returns the bots that may still ask, `first` before all others.
    pub(super) fn askers(&self, node: &Node, first: BotId) -> Vec<BotId> {
        let known = node.directory.known();
        let members = known.chats.get(&self.chat).map_or(&[][..], |chat| &chat.members);
        let others = members.iter().copied().filter(|member| *member != first);
        std::iter::once(first).chain(others).filter(|bot| !self.refused.contains(bot)).collect()
    }
}
