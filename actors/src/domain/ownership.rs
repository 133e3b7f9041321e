//! Ownership: nodes, their incarnations, and the leases of bots and chats. Layer `domain`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, ConfigSeq, Epoch};
use super::keys::choice::choices;
use super::names::{kinds, names};
use super::time::Timestamp;

/// One start of one process. Numbers rise over the life of the cluster and are never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Incarnation(pub i64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a leased bot or chat. The order is the order in which locks are taken: bots before chats, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseKey {
    /// A bot.
    Bot(BotId),
    /// A chat.
    Chat(ChatId),
}

kinds! { LeaseKey { Bot(BotId) = "bot", Chat(ChatId) = "chat" } }

impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

choices! { NodeRole }

/// Role of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum NodeRole {
    /// Bots, chats and the HTTP API.
    #[default]
    All,
    /// Bots and chats; of the HTTP API only health and metrics.
    Worker,
    /// The HTTP API and the receiver of webhooks; owns nothing.
    Api,
}

names! { NodeRole { All = "all", Worker = "worker", Api = "api" } }

impl NodeRole {
    /// Returns whether a node of this role owns bots and chats.
    pub fn owns(self) -> bool {
        self != Self::Api
    }
}

/// Stage of a node's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum NodeState {
    /// The node owns its share of bots and chats.
    #[default]
    Alive,
    /// The node gives up what it owns.
    Draining,
    /// The process ended, or another node declared it dead: whatever it still writes is fenced.
    Dead,
}

names! { NodeState { Alive = "alive", Draining = "draining", Dead = "dead" } }

/// Report that a node sends with each beat, besides being alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeReport {
    /// The node reaches Telegram. A node that alone does not reach it gives its bots up.
    pub telegram: bool,
    /// Updates taken in the last minute.
    pub updates_per_minute: u64,
    /// Messages sent in the last minute.
    pub sends_per_minute: u64,
    /// Most milliseconds that a piece of the node's work has waited beyond its due time.
    pub lag_ms: u64,
    /// Number of the last rise of the chats' low-water marks that the node has heard of; older versions hear of none.
    #[serde(default)]
    pub low_water: i64,
}

/// A node as the store knows it: one row for each incarnation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Incarnation of the node.
    pub incarnation: Incarnation,
    /// Name of the node, kept over restarts.
    pub name: String,
    /// Role of the node.
    pub role: NodeRole,
    /// Stage of the node's life.
    pub state: NodeState,
    /// Counter that rises while the node lives.
    pub beat: i64,
    /// Last report of the node.
    pub report: NodeReport,
    /// Address of the node's HTTP API, as others can reach it.
    pub address: Option<String>,
    /// Version of the program.
    pub version: String,
    /// Time of joining, on the database's clock.
    pub joined_at: Timestamp,
}

impl NodeRecord {
    /// Returns whether the node may be given bots and chats.
    pub fn takes_leases(&self) -> bool {
        self.role.owns() && self.state == NodeState::Alive
    }
}

/// A process that wants to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Name of the node.
    pub name: String,
    /// Role of the node.
    pub role: NodeRole,
    /// Address of the node's HTTP API.
    pub address: Option<String>,
    /// Version of the program.
    pub version: String,
    /// Number that the launcher made up for this start, by which it can report that the process ended.
    pub launch: Option<i64>,
}

/// A lease as the store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The leased bot or chat.
    pub key: LeaseKey,
    /// The owner; a dead incarnation counts as none.
    pub owner: Option<Incarnation>,
    /// The desired owner, when another incarnation is to own the lease.
    pub desired: Option<Incarnation>,
    /// The desired owner is warm: the owner may hand over.
    pub ready: bool,
    /// Rises whenever the owner changes; never falls.
    pub epoch: Epoch,
}

/// Cluster view: nodes, leases and configuration at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Nodes: all that are not dead, and the dead that still own something.
    pub nodes: Vec<NodeRecord>,
    /// The lease of every bot and chat in use, in key order.
    pub leases: Vec<Lease>,
    /// The configuration in force.
    pub config_seq: ConfigSeq,
}

impl Picture {
    /// Returns the node of that incarnation.
    pub fn node(&self, incarnation: Incarnation) -> Option<&NodeRecord> {
        self.nodes.iter().find(|node| node.incarnation == incarnation)
    }

    /// Returns whether that incarnation lives, as far as the store knows.
    pub fn lives(&self, incarnation: Incarnation) -> bool {
        self.node(incarnation).is_some_and(|node| node.state != NodeState::Dead)
    }
}

/// Desired owner that the planner chose for one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The leased bot or chat.
    pub key: LeaseKey,
    /// The desired owner; `None` when the owner keeps the lease.
    pub desired: Option<Incarnation>,
}
