//! Builds the view of the cluster for operators. Layer `runtime`. Pure: turns a `Picture` and names into a view.

use std::borrow::Cow;
use std::collections::BTreeMap;

use botfleet_actors::actors::node::directory::Directory;
use botfleet_actors::domain::ids::{BotId, ChatId, ConfigSeq};
use botfleet_actors::domain::ownership::{Incarnation, Lease, LeaseKey, NodeRecord, NodeRole, NodeState, Picture};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::policy::ownership::planner::shares;
use serde::{Deserialize, Serialize};

/// Names of bots and chats in the configuration.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Bots.
    pub bots: BTreeMap<BotId, String>,
    /// Chats.
    pub chats: BTreeMap<ChatId, String>,
}

impl Names {
    /// Returns the names that the configuration in force gives.
    pub fn of_directory(directory: &Directory) -> Self {
        let known = directory.known();
        Self {
            bots: known.bots.iter().map(|(id, bot)| (*id, bot.spec.name.clone())).collect(),
            chats: known.chats.iter().map(|(id, chat)| (*id, chat.spec.name.clone())).collect(),
        }
    }

    /// Returns the name of a bot or chat, or its id when the configuration does not name it.
    pub fn of(&self, key: LeaseKey) -> String {
        let name = match key {
            LeaseKey::Bot(id) => self.bots.get(&id),
            LeaseKey::Chat(id) => self.chats.get(&id),
        };
        name.cloned().unwrap_or_else(|| key.id().to_string())
    }
}

/// The node that tells of the cluster, and its own state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Teller {
    /// Name of the node.
    pub node: String,
    /// `cluster`, or `embedded` where one process owns everything.
    pub mode: Cow<'static, str>,
    /// Set while the node may act: the database takes its beats.
    pub acting: bool,
    /// Set while news between the nodes goes through.
    pub bus_up: bool,
    /// Set when the database did not answer: the view is the one that the node saw last.
    pub stale: bool,
    /// The configuration that the node works by.
    pub config_seq: ConfigSeq,
}

/// The cluster view for operators.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClusterView {
    /// The node that tells it.
    #[serde(flatten)]
    pub teller: Teller,
    /// The configuration in force.
    pub config_seq_stored: ConfigSeq,
    /// Living nodes, and dead ones that still own something; by name.
    pub nodes: Vec<NodeView>,
    /// All leases with their owners, in key order.
    pub leases: Vec<LeaseView>,
    /// Moves under way.
    pub moves: Vec<MoveView>,
    /// Number of bots and chats that no living node owns.
    pub unowned: usize,
}

/// A node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeView {
    /// Name of the node.
    pub name: String,
    /// Number of the node's start.
    pub incarnation: Incarnation,
    /// Role of the node.
    pub role: NodeRole,
    /// State of the node.
    pub state: NodeState,
    /// Address of the node's API, as others reach it.
    pub address: Option<String>,
    /// Version of the node's program.
    pub version: String,
    /// Time at which the node joined, in milliseconds since 1970.
    pub joined_at: Timestamp,
    /// Set when the node reaches Telegram.
    pub telegram: bool,
    /// Number of bots that the node owns.
    pub bots: usize,
    /// Number of bots that the node shall own.
    pub bots_quota: usize,
    /// Number of chats that the node owns.
    pub chats: usize,
    /// Number of chats that the node shall own.
    pub chats_quota: usize,
    /// Updates taken in the last minute.
    pub updates_per_minute: u64,
    /// Messages sent in the last minute.
    pub sends_per_minute: u64,
    /// Most milliseconds that a piece of the node's work has waited beyond its time.
    pub lag_ms: u64,
}

/// A lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LeaseView {
    /// `bot` or `chat`.
    pub kind: Cow<'static, str>,
    /// Id in the store.
    pub id: i64,
    /// Name in the manifest.
    pub name: String,
    /// The owner, if that node lives.
    pub owner: Option<String>,
    /// Number of the owner's start.
    pub incarnation: Option<Incarnation>,
    /// Number that rises with every change of owner.
    pub epoch: i64,
}

/// A move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MoveView {
    /// `bot` or `chat`.
    pub kind: Cow<'static, str>,
    /// Name in the manifest.
    pub name: String,
    /// The owner; absent when no living node is.
    pub from: Option<String>,
    /// The desired owner.
    pub to: Option<String>,
    /// Set when the desired owner is warm.
    pub ready: bool,
}

/// Turns a `Picture` into the view for people.
pub fn view(teller: Teller, picture: &Picture, names: &Names) -> ClusterView {
    let living =
        |of: Option<Incarnation>| of.and_then(|node| picture.node(node)).filter(|node| node.state != NodeState::Dead);
    let lease = |lease: &Lease| LeaseView {
        kind: lease.key.kind().into(),
        id: lease.key.id(),
        name: names.of(lease.key),
        owner: living(lease.owner).map(|node| node.name.clone()),
        incarnation: living(lease.owner).map(|node| node.incarnation),
        epoch: lease.epoch.0,
    };
    let leases: Vec<LeaseView> = picture.leases.iter().map(lease).collect();
    let moving = picture.leases.iter().filter(|lease| lease.desired.is_some() && lease.desired != lease.owner);
    let moves = moving.map(|lease| MoveView {
        kind: lease.key.kind().into(),
        name: names.of(lease.key),
        from: living(lease.owner).map(|node| node.name.clone()),
        to: living(lease.desired).map(|node| node.name.clone()),
        ready: lease.ready,
    });
    let mut nodes = nodes(picture);
    nodes.sort_by(|a, b| (&a.name, a.incarnation).cmp(&(&b.name, b.incarnation)));
    ClusterView {
        teller,
        config_seq_stored: picture.config_seq,
        moves: moves.collect(),
        unowned: leases.iter().filter(|lease| lease.owner.is_none()).count(),
        nodes,
        leases,
    }
}

fn nodes(picture: &Picture) -> Vec<NodeView> {
    let quotas = ["bot", "chat"].map(|kind| shares(picture, kind));
    let mut owned: BTreeMap<(Incarnation, &str), usize> = BTreeMap::new();
    for lease in &picture.leases {
        if let Some(owner) = lease.owner {
            *owned.entry((owner, lease.key.kind())).or_default() += 1;
        }
    }
    let owned = |node: &NodeRecord, kind| owned.get(&(node.incarnation, kind)).copied().unwrap_or(0);
    let shown = |node: &NodeRecord| NodeView {
        name: node.name.clone(),
        incarnation: node.incarnation,
        role: node.role,
        state: node.state,
        address: node.address.clone(),
        version: node.version.clone(),
        joined_at: node.joined_at,
        telegram: node.report.telegram,
        bots: owned(node, "bot"),
        bots_quota: quotas[0].get(&node.incarnation).copied().unwrap_or(0),
        chats: owned(node, "chat"),
        chats_quota: quotas[1].get(&node.incarnation).copied().unwrap_or(0),
        updates_per_minute: node.report.updates_per_minute,
        sends_per_minute: node.report.sends_per_minute,
        lag_ms: node.report.lag_ms,
    };
    picture.nodes.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::ids::Epoch;
    use botfleet_actors::domain::ownership::NodeReport;

    use super::*;

    fn record(incarnation: i64, name: &str, state: NodeState) -> NodeRecord {
        NodeRecord {
            incarnation: Incarnation(incarnation),
            name: name.to_owned(),
            role: NodeRole::All,
            state,
            beat: 1,
            report: NodeReport { telegram: true, ..NodeReport::default() },
            address: None,
            version: "0.1.0".to_owned(),
            joined_at: Timestamp::from_millis(0),
        }
    }

    fn lease(bot: i64, owner: i64, desired: Option<i64>) -> Lease {
        Lease {
            key: LeaseKey::Bot(BotId(bot)),
            owner: Some(Incarnation(owner)),
            desired: desired.map(Incarnation),
            ready: false,
            epoch: Epoch(3),
        }
    }

    #[test]
    fn what_a_dead_node_owned_is_unowned_and_moves_name_both_ends() {
        let picture = Picture {
            nodes: vec![record(2, "n2", NodeState::Alive), record(1, "n1", NodeState::Dead)],
            leases: vec![lease(1, 1, Some(2)), lease(2, 2, None)],
            config_seq: ConfigSeq(4),
        };
        let names = Names { bots: [(BotId(1), "Ada".to_owned())].into(), ..Names::default() };
        let teller = Teller {
            node: "n2".to_owned(),
            mode: "cluster".into(),
            acting: true,
            bus_up: true,
            stale: false,
            config_seq: ConfigSeq(4),
        };
        let view = view(teller, &picture, &names);
        let owners: Vec<_> = view.leases.iter().map(|lease| lease.owner.as_deref()).collect();
        assert_eq!((view.unowned, owners), (1, vec![None, Some("n2")]));
        let expected =
            MoveView { kind: "bot".into(), name: "Ada".into(), from: None, to: Some("n2".into()), ready: false };
        assert_eq!(view.moves, [expected]);
        assert_eq!((view.nodes[0].bots, view.nodes[0].bots_quota), (1, 0), "what the dead one left behind");
        assert_eq!((view.nodes[1].bots, view.nodes[1].bots_quota), (1, 2), "both are due to the only one alive");
    }
}
