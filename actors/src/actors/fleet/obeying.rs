//! Has the orders of operators carried out whose targets this node owns: one task a target. Layer `actors`. Keeps I4, I8.
//!
//! A hint tells of an order at once, and reconciling finds it when the hint was lost.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use ractor::ActorRef;

use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::state::FleetState;
use crate::actors::operator::carry_out::carry_out;
use crate::domain::operator_order::OrderTarget;

impl FleetState {
    /// Carries out the orders of a target that this node owns. A node that ends takes no further ones.
    pub(super) fn look_at_orders(&mut self, myself: &ActorRef<FleetMsg>, target: OrderTarget) {
        let node = Arc::clone(&self.args.node);
        if self.quiescing || node.leases.obeys(target).is_none() {
            return;
        }
        match self.obeying.entry(target) {
            Entry::Occupied(mut under_way) => drop(under_way.insert(true)),
            Entry::Vacant(free) => {
                free.insert(false);
                let fleet = myself.clone();
                self.tasks.spawn(async move {
                    carry_out(&node, &fleet, target).await;
                    let _ = fleet.cast(FleetMsg::Obeyed(target));
                });
            }
        }
    }

    pub(super) fn on_obeyed(&mut self, myself: &ActorRef<FleetMsg>, target: OrderTarget) {
        if self.obeying.remove(&target) == Some(true) {
            self.look_at_orders(myself, target);
        }
    }
}
