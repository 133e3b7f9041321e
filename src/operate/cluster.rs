//! Operations on the cluster. Layer `operate`.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use serde_json::{Value, json};

use super::failure::Failure;
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ReadCluster, SteerCluster};
use crate::runtime::cluster_orders::Rebalanced;
use crate::runtime::cluster_view::ClusterView;

impl Operations {
    /// Returns the nodes, the leases and the moves under way.
    ///
    /// # Errors
    /// `OutOfReach` for whoever reaches a part of the fleet alone.
    pub async fn cluster(&self, by: &Granted<ReadCluster>) -> Result<ClusterView, Failure> {
        by.everything()?;
        Ok(self.fleet.cluster_view().await)
    }

    /// Asks a node to give up everything that it owns, or takes that order back. The order is durable when the call
    /// returns; the moves come later.
    ///
    /// # Errors
    /// `UnknownNode` when no node of that name lives, `Conflict` when the fleet has one node.
    pub async fn set_draining(&self, by: &Granted<SteerCluster>, node: &str, draining: bool) -> Result<(), Failure> {
        by.everything()?;
        let act = if draining { Act::DrainNode } else { Act::UndrainNode };
        let entry = self.entry(by, act, AuditObject::new(ObjectKind::Node, node))?;
        let order = json!({ "draining": draining });
        self.outward(entry, order, self.fleet.set_draining(node, draining, by.by())).await
    }

    /// Moves bots and chats to where hashing places them, or only tells which moves that takes.
    ///
    /// # Errors
    /// `Conflict` when the fleet has one node, `Unavailable`.
    pub async fn rebalance(&self, by: &Granted<SteerCluster>, dry_run: bool) -> Result<Rebalanced, Failure> {
        by.everything()?;
        if dry_run {
            return Ok(self.fleet.rebalance(true, by.by()).await?);
        }
        let entry = self.entry(by, Act::Rebalance, AuditObject::only(ObjectKind::Fleet))?;
        self.outward(entry, Value::Null, self.fleet.rebalance(false, by.by())).await
    }
}
