//! Reads the product's cluster view and sends orders over the cluster API. Layer: harness.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use botfleet_world::api::Api;
use botfleet_world::people::http::HttpError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long the answer to an order may take; the answer to a rebalance comes only after the rebalance.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The answer to `GET /api/v1/cluster`, as far as the harness reads it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClusterView {
    /// The nodes.
    pub nodes: Vec<NodeView>,
    /// The leases.
    pub leases: Vec<LeaseView>,
    /// The moves under way.
    #[serde(default)]
    pub moves: Vec<Value>,
    /// The number of leases without a living owner.
    #[serde(default)]
    pub unowned: u64,
}

/// A node of the cluster view.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeView {
    /// The node's name.
    pub name: String,
    /// The node's incarnation.
    pub incarnation: i64,
    /// The node's state: alive, draining or dead.
    pub state: String,
    /// Bots that the node owns.
    pub bots: u64,
    /// The node's quota of bots.
    pub bots_quota: u64,
    /// Chats that the node owns.
    pub chats: u64,
    /// Updates taken in the last minute.
    pub updates_per_minute: u64,
    /// Messages sent in the last minute.
    pub sends_per_minute: u64,
}

/// A lease of the cluster view.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseView {
    /// `bot` or `chat`.
    pub kind: String,
    /// The name of the bot or chat in the manifest.
    pub name: String,
    /// The name of the living node that owns the lease, if any.
    pub owner: Option<String>,
    /// The lease's epoch.
    pub epoch: i64,
}

impl ClusterView {
    /// Returns the owner of each owned lease of a kind, by the lease's name.
    pub fn owners(&self, kind: &str) -> BTreeMap<String, String> {
        let of_kind = self.leases.iter().filter(|lease| lease.kind == kind);
        of_kind.filter_map(|lease| Some((lease.name.clone(), lease.owner.clone()?))).collect()
    }

    /// Returns how many bots each living node owns.
    pub fn bots(&self) -> BTreeMap<String, u64> {
        let alive = self.nodes.iter().filter(|node| node.state != "dead");
        let mut bots: BTreeMap<String, u64> = alive.map(|node| (node.name.clone(), 0)).collect();
        for owner in self.owners("bot").into_values() {
            *bots.entry(owner).or_default() += 1;
        }
        bots
    }

    /// Returns whether there are leases, all of them have owners, and no move is under way.
    pub fn is_settled(&self) -> bool {
        !self.leases.is_empty() && self.moves.is_empty() && self.leases.iter().all(|lease| lease.owner.is_some())
    }

    /// Returns the names of leases of a kind whose owner differs from the one in an earlier view.
    pub fn moved_since(&self, earlier: &Self, kind: &str) -> BTreeSet<String> {
        let before = earlier.owners(kind);
        let now = self.owners(kind).into_iter();
        now.filter(|(name, owner)| before.get(name).is_some_and(|old| old != owner)).map(|(name, _)| name).collect()
    }
}

/// A client of the cluster API of one node.
#[derive(Debug, Clone)]
pub struct ClusterApi {
    api: Api,
}

impl ClusterApi {
    /// Creates a client.
    pub fn new(api: Api) -> Self {
        Self { api }
    }

    /// Reads the cluster view.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn view(&self) -> Result<ClusterView, HttpError> {
        self.api.json("/api/v1/cluster").await
    }

    /// Starts or ends the draining of a node.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn drain(&self, node: &str, draining: bool) -> Result<(), HttpError> {
        self.post("/api/v1/cluster/drain", &json!({"node": node, "draining": draining})).await
    }

    /// Orders a rebalance of the fleet.
    ///
    /// # Errors
    /// The product does not answer, or answers with an error.
    pub async fn rebalance(&self) -> Result<(), HttpError> {
        self.post("/api/v1/cluster/rebalance", &json!({"dry_run": false})).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), HttpError> {
        self.api.order_within(path, body, ANSWER_WITHIN).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn owners_moves_and_spread_are_read() {
        let view = |owner: &str| -> ClusterView {
            serde_json::from_value(json!({
                "nodes": [{"name": "n1", "incarnation": 1, "state": "alive", "extra": 1},
                          {"name": "n2", "incarnation": 2, "state": "alive"}],
                "leases": [{"kind": "bot", "name": "a", "owner": "n1", "epoch": 1},
                           {"kind": "bot", "name": "b", "owner": owner, "epoch": 2},
                           {"kind": "chat", "name": "c", "owner": "n2", "epoch": 1}],
                "moves": [], "unowned": 0
            }))
            .unwrap()
        };
        let (before, after) = (view("n1"), view("n2"));
        assert_eq!(before.bots(), [("n1".to_owned(), 2), ("n2".to_owned(), 0)].into());
        assert_eq!(after.moved_since(&before, "bot"), ["b".to_owned()].into());
        assert!(after.is_settled());
    }
}
