//! Settings of a node in a cluster. Part of `config`.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use botfleet_actors::domain::ownership::NodeRole;
use botfleet_actors::policy::ownership::settings::OwnershipSettings;

use super::fault::Fault;

/// Longest name of a node: it becomes a label of metrics and a line of tables.
const NODE_NAME_MAX: usize = 63;

fn usual() -> OwnershipSettings {
    OwnershipSettings::default()
}

fn bounds(least_ms: u64, most_ms: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(least_ms)..=Duration::from_millis(most_ms)
}

keyed! {
    /// This node's place in a cluster.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ClusterSettings {
        /// This node's name, which it keeps over restarts and shares with no other.
        pub node: Option<String> = key(None).unset("the host's name").example("\"n1\"");
        /// Role of this node: bots, chats and the API (all), bots and chats, and of the API only health, metrics and the
        /// cluster (worker), or the API and the receiver of webhooks (api, which owns nothing). SQLite has one node: all.
        pub role: NodeRole = key(NodeRole::All);
        /// Address of this node's API as other machines reach it, HOST:PORT. Orders that belong to this node name it.
        pub address: Option<String> = key(None).unset("none").example("\"n1.internal:8080\"");
        /// `botfleet run` supervises its worker process, and starts it again when it crashes.
        pub launcher: bool = key(true);
        /// Interval at which a node tells that it lives.
        pub beat_every: Duration = key(usual().beat_every).within(bounds(50, 10_000));
        /// Interval at which a node looks at the beats of the others.
        pub observe_every: Duration = key(usual().observe_every).within(bounds(20, 10_000));
        /// Interval at which a node looks at the leases when no hint asks for a look.
        pub reconcile_every: Duration = key(usual().reconcile_every).within(bounds(10, 500));
        /// A node whose beat stayed the same for this long, over successful looks, is dead to the node that looked.
        pub dead_after: Duration = key(usual().dead_after).within(bounds(300, 120_000));
        /// A node polls and sends nothing later than this after the last beat that the database took; less than
        /// `dead_after`.
        pub act_within: Duration = key(usual().act_within).within(bounds(200, 100_000));
        /// At most one in so many of a node's bots moves at a time while the node lives.
        pub moves_share: NonZeroU32 = key(usual().moves_share);
        /// Time after which a send of another living node counts as unknown.
        pub send_patience: Duration = key(usual().send_patience).within(bounds(1_000, 3_600_000));
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
