//! Settings of a node in a cluster. Part of `config`.

use std::num::NonZeroU32;
use std::time::Duration;

use botfleet_actors::domain::ownership::NodeRole;
use botfleet_actors::policy::ownership::settings::OwnershipSettings;
use serde::Deserialize;

use super::fault::Fault;

/// Longest name of a node: it becomes a label of metrics and a line of tables.
const NODE_NAME_MAX: usize = 63;

/// Name and role of this node, and how nodes watch one another.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSettings {
    /// Name of this node, kept over restarts and shared with no other; the host's name when absent.
    pub node: Option<String>,
    /// Role of this node.
    pub role: NodeRole,
    /// Address of this node's HTTP API as other machines reach it; told to people whose order belongs to this node.
    pub address: Option<String>,
    /// Lets `botfleet run` supervise its worker process.
    pub launcher: bool,
    /// Interval at which a node writes its beat.
    #[serde(with = "humantime_serde")]
    pub beat_every: Duration,
    /// Interval at which a node looks at the beats of the others.
    #[serde(with = "humantime_serde")]
    pub observe_every: Duration,
    /// Interval at which a node looks at the leases when no hint asks for a look.
    #[serde(with = "humantime_serde")]
    pub reconcile_every: Duration,
    /// Time after which a node whose beat stayed the same is declared dead.
    #[serde(with = "humantime_serde")]
    pub dead_after: Duration,
    /// Time after the last beat that the database took, after which a node does nothing more.
    #[serde(with = "humantime_serde")]
    pub act_within: Duration,
    /// At most one in this many of a living node's bots moves at a time.
    pub moves_share: NonZeroU32,
    /// Time after which a send of another living node counts as unknown.
    #[serde(with = "humantime_serde")]
    pub send_patience: Duration,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        let ownership = OwnershipSettings::default();
        Self {
            node: None,
            role: NodeRole::All,
            address: None,
            launcher: true,
            beat_every: ownership.beat_every,
            observe_every: ownership.observe_every,
            reconcile_every: ownership.reconcile_every,
            dead_after: ownership.dead_after,
            act_within: ownership.act_within,
            moves_share: ownership.moves_share,
            send_patience: ownership.send_patience,
        }
    }
}

impl ClusterSettings {
    /// Returns how nodes watch one another and share the work.
    pub fn ownership(&self) -> OwnershipSettings {
        OwnershipSettings {
            beat_every: self.beat_every,
            observe_every: self.observe_every,
            reconcile_every: self.reconcile_every,
            dead_after: self.dead_after,
            act_within: self.act_within,
            moves_share: self.moves_share,
            send_patience: self.send_patience,
        }
    }

    /// Returns the node's name.
    pub fn node_name(&self) -> String {
        self.node.clone().unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
    }

    /// Returns the faults of single values, named under `source`.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(node) = &self.node
            && !is_node_name(node)
        {
            let remedy = "1 to 63 letters, digits, dots, dashes and underscores";
            faults.push(Fault::new(source, "cluster.node", format!("{node:?} is no name of a node"), remedy));
        }
        if let Some(address) = &self.address
            && (address.is_empty() || address.contains([' ', '/', '@']))
        {
            let remedy = "write HOST:PORT, without http://";
            faults.push(Fault::new(source, "cluster.address", "is no address", remedy));
        }
        let ms = Duration::from_millis;
        for (key, value, least, most) in [
            ("beat_every", self.beat_every, ms(50), ms(10_000)),
            ("observe_every", self.observe_every, ms(20), ms(10_000)),
            ("reconcile_every", self.reconcile_every, ms(10), ms(500)),
            ("dead_after", self.dead_after, ms(300), ms(120_000)),
            ("act_within", self.act_within, ms(200), ms(100_000)),
            ("send_patience", self.send_patience, ms(1000), ms(3_600_000)),
        ] {
            if value < least || value > most {
                let what = format!("{value:?} is out of bounds");
                faults.push(Fault::new(source, format!("cluster.{key}"), what, format!("from {least:?} to {most:?}")));
            }
        }
        faults
    }

    /// Returns the faults of values that do not fit one another, or the store.
    pub(super) fn check_together(&self, many_nodes: bool) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, what: String, remedy: &str| {
            faults.push(Fault::new("configuration", format!("cluster.{key}"), what, remedy));
        };
        if !many_nodes && self.role != NodeRole::All {
            let what = format!("the role {} needs other nodes, and SQLite is for one", self.role.as_str());
            fault("role", what, "set store.backend = \"postgres\" and store.url, or role = \"all\"");
        }
        if self.act_within >= self.dead_after {
            let what = format!(
                "{:?} is no shorter than cluster.dead_after, {:?}: two nodes could poll one bot",
                self.act_within, self.dead_after
            );
            fault("act_within", what, "lower it, or raise dead_after; 2s and 3s are the built-in values");
        }
        if self.beat_every * 2 > self.act_within {
            let what =
                format!("{:?} is longer than half of cluster.act_within, {:?}", self.beat_every, self.act_within);
            fault("beat_every", what, "beat at least twice within act_within: one lost beat must stop nobody");
        }
        if self.observe_every * 4 > self.dead_after {
            let what = format!(
                "{:?} is longer than a quarter of cluster.dead_after, {:?}",
                self.observe_every, self.dead_after
            );
            fault("observe_every", what, "look more often, or raise dead_after");
        }
        if self.node.is_none() && !is_node_name(&self.node_name()) {
            fault("node", "the host's name is no name of a node".to_owned(), "set cluster.node or --node");
        }
        faults
    }
}

fn is_node_name(name: &str) -> bool {
    (1..=NODE_NAME_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}
