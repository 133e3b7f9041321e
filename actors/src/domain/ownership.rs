//! Who owns what: nodes, their incarnations, and the leases of bots and chats. Layer `domain`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, ConfigSeq, Epoch};
use super::time::Timestamp;

/// One start of one process. Numbers rise over the life of the cluster and are never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub i64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is leased. The order is the order in which locks are taken: bots before chats, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseKey {
    /// A bot.
    Bot(BotId),
    /// A chat.
    Chat(ChatId),
}

impl LeaseKey {
    /// Its kind in the database and the API.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Bot(_) => "bot",
            Self::Chat(_) => "chat",
        }
    }

    /// Its id within its kind.
    pub fn id(self) -> i64 {
        match self {
            Self::Bot(id) => id.0,
            Self::Chat(id) => id.0,
        }
    }

    /// Reads kind and id back.
    pub fn parse(kind: &str, id: i64) -> Option<Self> {
        match kind {
            "bot" => Some(Self::Bot(BotId(id))),
            "chat" => Some(Self::Chat(ChatId(id))),
            _ => None,
        }
    }
}

impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

/// What a node is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Bots, chats and the HTTP API.
    #[default]
    All,
    /// Bots and chats; of the HTTP API only health and metrics.
    Worker,
    /// The HTTP API and the receiver of webhooks; owns nothing.
    Api,
}

impl NodeRole {
    /// The name in the configuration, the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Worker => "worker",
            Self::Api => "api",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::All, Self::Worker, Self::Api].into_iter().find(|role| role.as_str() == name)
    }

    /// Whether it owns bots and chats.
    pub fn owns(self) -> bool {
        self != Self::Api
    }
}

/// How far a node is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It owns its share.
    #[default]
    Alive,
    /// It gives up what it owns.
    Draining,
    /// Its process ended, or others gave it up: whatever it still does is fenced.
    Dead,
}

impl NodeState {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Draining => "draining",
            Self::Dead => "dead",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Alive, Self::Draining, Self::Dead].into_iter().find(|state| state.as_str() == name)
    }
}

/// What a node tells with each beat, besides that it lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeReport {
    /// Whether it reaches Telegram. One that alone does not gives its bots up.
    pub telegram: bool,
    /// Updates taken in the last minute.
    pub updates_per_minute: u64,
    /// Messages sent in the last minute.
    pub sends_per_minute: u64,
    /// Most milliseconds that a piece of its work has waited beyond its time.
    pub lag_ms: u64,
}

/// A node as the store knows it: one row for each incarnation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its name, kept over restarts.
    pub name: String,
    /// What it is for.
    pub role: NodeRole,
    /// How far it is.
    pub state: NodeState,
    /// Rises while it lives.
    pub beat: i64,
    /// What it told last.
    pub report: NodeReport,
    /// Where its HTTP API listens, as others can reach it.
    pub address: Option<String>,
    /// Its version of the program.
    pub version: String,
    /// When it joined, on the database's clock.
    pub joined_at: Timestamp,
}

impl NodeRecord {
    /// Whether it may be given bots and chats.
    pub fn takes_leases(&self) -> bool {
        self.role.owns() && self.state == NodeState::Alive
    }
}

/// A process that wants to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: NodeRole,
    /// Where its HTTP API listens.
    pub address: Option<String>,
    /// Its version of the program.
    pub version: String,
    /// A number that its launcher made up for this start, so that it can tell of its end.
    pub launch: Option<i64>,
}

/// A lease as the store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Of what.
    pub key: LeaseKey,
    /// Who has it; a dead incarnation is as good as none.
    pub owner: Option<Incarnation>,
    /// Who shall have it, when that is another.
    pub desired: Option<Incarnation>,
    /// Whether the desired owner is warm: the owner may hand over.
    pub ready: bool,
    /// Rises whenever the owner changes; never falls.
    pub epoch: Epoch,
}

/// The cluster at one glance.
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
    /// The node of that incarnation.
    pub fn node(&self, incarnation: Incarnation) -> Option<&NodeRecord> {
        self.nodes.iter().find(|node| node.incarnation == incarnation)
    }

    /// Whether that incarnation lives, as far as the store knows.
    pub fn lives(&self, incarnation: Incarnation) -> bool {
        self.node(incarnation).is_some_and(|node| node.state != NodeState::Dead)
    }
}

/// What the planner wants of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of what.
    pub key: LeaseKey,
    /// Who shall have it; `None` when its owner shall keep it.
    pub desired: Option<Incarnation>,
}
