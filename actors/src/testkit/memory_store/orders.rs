//! Keeps orders of operators in memory. Part of the testkit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::state::State;
use crate::domain::audit::{AuditEntry, AuditId};
use crate::domain::commit::rows::{OrderChange, OrderHead};
use crate::domain::ids::Epoch;
use crate::domain::operator_order::{
    NewOrder, OPEN_ORDERS_MAX, OperatorOrder, OrderId, OrderPlace, OrderState, OrderTarget, outcome_of,
};
use crate::domain::ownership::Incarnation;
use crate::domain::time::Timestamp;
use crate::ports::store::ORDER_DAYS;

impl State {
    pub(super) fn give_order(&mut self, order: &NewOrder) -> Option<OperatorOrder> {
        let of_target = || self.orders.values().filter(|given| given.target == order.target);
        if of_target().filter(|given| !given.state.is_over()).count() >= OPEN_ORDERS_MAX as usize {
            return None;
        }
        let number = of_target().map(|given| given.number).max().unwrap_or(0) + 1;
        let (kind, arguments) = order.task.parts();
        let created_at = self.ownings.now;
        let given = OperatorOrder {
            id: order.id,
            target: order.target,
            number,
            kind,
            arguments,
            principal: order.principal().to_owned(),
            created_at,
            expires_at: created_at + order.lives,
            state: OrderState::Waiting,
            result: None,
            node: None,
            epoch: None,
            ended_at: None,
        };
        self.orders.insert(order.id, given.clone());
        self.acts.push(order.intent().clone());
        Some(given)
    }

    pub(super) fn next_order(&self, target: OrderTarget) -> Option<OperatorOrder> {
        let open = self.orders.values().filter(|order| order.target == target && !order.state.is_over());
        open.min_by_key(|order| order.number).cloned()
    }

    pub(super) fn operator_order(&self, id: OrderId) -> Option<OperatorOrder> {
        self.orders.get(&id).cloned()
    }

    pub(super) fn operator_orders(&self, before: Option<OrderPlace>, limit: usize) -> Vec<OperatorOrder> {
        let place = |order: &OperatorOrder| (order.created_at, order.id);
        let mut orders: Vec<_> = self.orders.values().cloned().collect();
        orders.retain(|order| before.is_none_or(|before| place(order) < (before.created_at, before.id)));
        orders.sort_by_key(|order| std::cmp::Reverse(place(order)));
        orders.truncate(limit);
        orders
    }

    pub(super) fn order_head(&self, id: OrderId) -> Option<(OrderId, OrderHead)> {
        let order = self.orders.get(&id)?;
        let late = order.expires_at <= self.ownings.now;
        let (now, intent) = (self.ownings.now, self.open_intent(id).map(Box::new));
        Some((id, OrderHead { target: order.target, state: order.state, epoch: order.epoch, late, now, intent }))
    }

    /// Returns the intent of an order in the audit, while it has no outcome.
    fn open_intent(&self, id: OrderId) -> Option<AuditEntry> {
        let entry = |of: AuditId| self.acts.iter().find(|entry| entry.id == of);
        entry(id.intent()).filter(|_| entry(id.outcome()).is_none()).cloned()
    }

    pub(super) fn orders_move(&mut self, changes: BTreeMap<OrderId, OrderChange>) {
        let now = self.ownings.now;
        for (id, OrderChange { state, result, step }) in changes {
            let order = self.orders.get_mut(&id).expect("the judge has seen it");
            (order.state, order.result) = (state, result);
            (order.node, order.epoch) = (Some(step.node), Some(step.epoch));
            order.ended_at = state.is_over().then_some(now);
            if state.is_over() {
                order.arguments = order.arguments_without_words();
            }
        }
    }

    /// Returns the targets that `me` owns with orders that wait, or that another owner left behind.
    pub(super) fn orders_for(&self, me: Option<Incarnation>) -> Vec<OrderTarget> {
        let wants = |order: &&OperatorOrder| match (order.target, order.target.lease()) {
            (OrderTarget::Node(node), _) => {
                let here = me.unwrap_or(Incarnation(self.epoch));
                node == here && order.state == OrderState::Waiting
            }
            (_, Some(key)) => {
                let epoch = self.ownings.leases.get(&key).map_or(Epoch(0), |lease| lease.epoch);
                let left = order.state == OrderState::Begun && order.epoch != Some(epoch);
                self.owned_by(me, key) && (order.state == OrderState::Waiting || left)
            }
            (_, None) => false,
        };
        let targets: BTreeSet<_> = self.orders.values().filter(wants).map(|order| order.target).collect();
        targets.into_iter().collect()
    }

    pub(super) fn prune_orders(&mut self, now: Timestamp) {
        let clock = self.ownings.now;
        let mut left = Vec::new();
        for order in self.orders.values_mut() {
            let over = match order.state {
                OrderState::Waiting if order.expires_at <= clock => OrderState::Expired,
                OrderState::Begun if order.expires_at <= clock - Duration::from_mins(1) => OrderState::Unknown,
                _ => continue,
            };
            (order.state, order.ended_at) = (over, Some(clock));
            order.arguments = order.arguments_without_words();
            left.push((order.id, over, order.node.clone()));
        }
        for (id, over, node) in left {
            let outcome = |intent: AuditEntry| outcome_of(id, &intent, over, node.as_deref(), clock);
            self.acts.extend(self.open_intent(id).and_then(outcome));
        }
        let day = Duration::from_hours(24) * ORDER_DAYS;
        self.orders.retain(|_, order| !order.state.is_over() || order.created_at >= now - day);
    }
}
