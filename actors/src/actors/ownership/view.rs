//! The cluster at one glance, as this node sees it. Layer `actors`.

use serde::Serialize;

use super::actor::OwnershipState;
use crate::actors::fleet::actor::Child;
use crate::domain::ids::{ConfigSeq, Epoch};
use crate::domain::ownership::{Incarnation, LeaseKey, NodeRecord, NodeState};
use crate::policy::ownership::planner::shares;

/// Nodes, leases, moves.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterView {
    /// The node that shows it.
    pub node: String,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Whether it may act: its beats reach the store.
    pub acting: bool,
    /// Whether it gives everything up.
    pub draining: bool,
    /// Whether hints go through.
    pub bus_up: bool,
    /// The configuration that it works by, and the one in force as the store said last.
    pub config_seq: ConfigSeq,
    /// The configuration in force as the store said last.
    pub config_seq_stored: ConfigSeq,
    /// All nodes, by name.
    pub nodes: Vec<NodeView>,
    /// All leases, by kind and name.
    pub leases: Vec<LeaseView>,
    /// Moves under way.
    pub moves: Vec<MoveView>,
}

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeView {
    /// As the store knows it, with what it told last.
    #[serde(flatten)]
    pub record: NodeRecord,
    /// Bots that it owns.
    pub bots: usize,
    /// Bots that it shall own.
    pub bot_quota: usize,
    /// Chats that it owns.
    pub chats: usize,
    /// Chats that it shall own.
    pub chat_quota: usize,
}

/// A lease.
#[derive(Clone, Debug, Serialize)]
pub struct LeaseView {
    /// `bot` or `chat`.
    pub kind: &'static str,
    /// The name in the manifest.
    pub name: String,
    /// Who owns it: a node's name.
    pub owner: Option<String>,
    /// Which start of that node.
    pub incarnation: Option<Incarnation>,
    /// Its epoch.
    pub epoch: Epoch,
}

/// A lease on its way.
#[derive(Clone, Debug, Serialize)]
pub struct MoveView {
    /// `bot` or `chat`.
    pub kind: &'static str,
    /// The name in the manifest.
    pub name: String,
    /// Who owns it still; absent when nobody alive does.
    pub from: Option<String>,
    /// Who shall have it.
    pub to: String,
    /// Whether that one is ready for it.
    pub ready: bool,
}

impl OwnershipState {
    pub(super) fn view(&self) -> ClusterView {
        let node = &self.args.node;
        let picture = node.leases.picture().unwrap_or_default();
        let names = |incarnation: Incarnation| picture.node(incarnation).map(|node| node.name.clone());
        let name = |key: LeaseKey| {
            let full = Child::from(key).name(&node.directory);
            full.split_once(' ').map_or_else(|| full.clone(), |(_, name)| name.to_owned())
        };
        let living = |owner: Option<Incarnation>| owner.filter(|owner| picture.lives(*owner));
        let (bot_quotas, chat_quotas) = (shares(&picture, "bot"), shares(&picture, "chat"));
        let owned = |of: Incarnation, kind: &str| {
            picture.leases.iter().filter(|lease| lease.owner == Some(of) && lease.key.kind() == kind).count()
        };
        let mut nodes: Vec<NodeView> = picture
            .nodes
            .iter()
            .map(|node| NodeView {
                bots: owned(node.incarnation, "bot"),
                bot_quota: bot_quotas.get(&node.incarnation).copied().unwrap_or(0),
                chats: owned(node.incarnation, "chat"),
                chat_quota: chat_quotas.get(&node.incarnation).copied().unwrap_or(0),
                record: node.clone(),
            })
            .collect();
        nodes.sort_by(|a, b| (&a.record.name, a.record.incarnation).cmp(&(&b.record.name, b.record.incarnation)));
        let mut leases: Vec<LeaseView> = picture
            .leases
            .iter()
            .map(|lease| LeaseView {
                kind: lease.key.kind(),
                name: name(lease.key),
                owner: living(lease.owner).and_then(names),
                incarnation: living(lease.owner),
                epoch: lease.epoch,
            })
            .collect();
        leases.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let moving = picture.leases.iter().filter(|lease| lease.desired.is_some() && lease.desired != lease.owner);
        let moves = moving.filter_map(|lease| {
            Some(MoveView {
                kind: lease.key.kind(),
                name: name(lease.key),
                from: living(lease.owner).and_then(names),
                to: lease.desired.and_then(names)?,
                ready: lease.ready,
            })
        });
        ClusterView {
            node: node.name.clone(),
            incarnation: node.me,
            acting: node.may_act(),
            draining: self.machine.is_draining() || self.machine.state() == NodeState::Draining,
            bus_up: node.bus.is_up(),
            config_seq: node.directory.known().config_seq,
            config_seq_stored: picture.config_seq,
            moves: moves.collect(),
            nodes,
            leases,
        }
    }
}
