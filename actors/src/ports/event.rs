//! Live events of the fleet, for whoever watches. Layer `ports`.
//!
//! Events may be lost, with the bus or by a watcher that does not read; the truth is in the store.

use serde::{Deserialize, Serialize};

use crate::domain::names::names;
use crate::domain::time::Timestamp;

/// Kind of a live event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A node joined the cluster; the node tells it itself.
    NodeJoined,
    /// A node left the cluster; the node tells it itself.
    NodeLeft,
    /// A node was declared dead; the node that declared it tells it.
    NodeDead,
    /// A node gives up what it owns; the node that took the order tells it.
    NodeDraining,
    /// A node takes bots and chats again; the node that took the order tells it.
    NodeUndrained,
    /// A bot or chat moved; the new owner tells it.
    LeaseMoved,
    /// A scope was stopped; the node that took the order tells it.
    StopSet,
    /// A stop was lifted; the node that took the order tells it.
    StopLifted,
    /// Another manifest is in force; the node that took the order tells it.
    ConfigurationApplied,
}

names! { EventKind {
    NodeJoined = "node.joined", NodeLeft = "node.left", NodeDead = "node.dead", NodeDraining = "node.draining",
    NodeUndrained = "node.undrained", LeaseMoved = "lease.moved", StopSet = "stop.set", StopLifted = "stop.lifted",
    ConfigurationApplied = "configuration.applied",
} }

/// Something that happened, for live observers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LiveEvent {
    /// When it happened, on the database's clock.
    pub at: Timestamp,
    /// Name of the node that reports it.
    pub node: String,
    /// Name of the kind: one of this version, or one that a node of another version knows.
    pub kind: String,
    /// The object of the event, by the name that people know.
    pub subject: String,
}
