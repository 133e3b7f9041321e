//! Frames of the present state. Layer `runtime`. Pure, but for what the node's memory says of the cluster.

use std::borrow::Cow;
use std::collections::BTreeMap;

use botfleet_actors::actors::node::Node;
use botfleet_actors::domain::ids::ChatId;
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey, NodeState, Picture};
use botfleet_actors::domain::watching::AtWork;
use botfleet_actors::ports::store::QueueDepths;

use super::frame::{Frame, Source};
use super::views::{AlertsNow, BotAtWork, ClusterNow, HealthNow, NodeNow, PartDown, TypingNow};
use crate::runtime::cluster_view::Names;
use crate::runtime::view::Health;

/// A state of the fleet with its name.
type Named = (&'static str, Frame);

fn named(name: &'static str, data: &impl serde::Serialize) -> Option<Named> {
    Frame::plain(name, Source::Fleet, data).map(|frame| (name, frame))
}

/// Makes the frames of bots at work, one for each chat, and says whether nobody is at work there.
pub(super) fn typing(chats: &[ChatId], found: &[AtWork], names: &Names) -> Vec<(ChatId, (Frame, bool))> {
    let mut by_chat: BTreeMap<ChatId, Vec<BotAtWork>> = chats.iter().map(|chat| (*chat, Vec::new())).collect();
    for AtWork { chat, bot, step } in found {
        if let Some(at_work) = by_chat.get_mut(chat) {
            at_work.push(BotAtWork { bot: names.of(LeaseKey::Bot(*bot)), step: *step });
        }
    }
    let frame = |(chat, at_work): (ChatId, Vec<BotAtWork>)| {
        let nobody = at_work.is_empty();
        let now = TypingNow { chat: names.of(LeaseKey::Chat(chat)), at_work };
        Some((chat, (Frame::plain("typing", Source::ChatState(chat), &now)?, nobody)))
    };
    by_chat.into_iter().filter_map(frame).collect()
}

/// Makes the frames of the node's health and of what is wrong.
pub(super) fn health(node: &str, health: &Health) -> Vec<Named> {
    let wrong = health.checks.iter().filter(|check| !check.ok);
    let wrong = wrong.map(|check| PartDown { part: check.name.clone(), fault: check.detail.clone() }).collect();
    let alerts = AlertsNow { node: node.to_owned(), wrong };
    let health = HealthNow { node: node.to_owned(), status: Cow::Borrowed(health.status) };
    [named("health", &health), named("alerts", &alerts)].into_iter().flatten().collect()
}

/// Makes the frame of the numbers of rows that wait.
pub(super) fn queues(depths: &QueueDepths) -> Option<Named> {
    named("queues", depths)
}

/// Makes the frame of the cluster, as this node saw it last.
pub(super) fn cluster(node: &Node) -> Option<Named> {
    let now = if let Some(picture) = node.leases.picture() {
        of_picture(&picture)
    } else {
        let known = node.directory.known();
        let (bots, chats) = (known.bots.len(), known.chats.len());
        let alone = NodeNow { name: node.name.clone(), state: NodeState::Alive, bots, chats };
        ClusterNow { nodes: vec![alone], moves: 0, unowned: 0 }
    };
    named("cluster", &now)
}

fn of_picture(picture: &Picture) -> ClusterNow {
    let mut owned: BTreeMap<(Incarnation, &str), usize> = BTreeMap::new();
    for lease in &picture.leases {
        if let Some(owner) = lease.owner {
            *owned.entry((owner, lease.key.kind())).or_default() += 1;
        }
    }
    let living = |owner| picture.node(owner).is_some_and(|node| node.state != NodeState::Dead);
    let of = |owner, kind| owned.get(&(owner, kind)).copied().unwrap_or(0);
    let alive = picture.nodes.iter().filter(|node| node.state != NodeState::Dead);
    let mut nodes: Vec<NodeNow> = alive
        .map(|node| NodeNow {
            name: node.name.clone(),
            state: node.state,
            bots: of(node.incarnation, "bot"),
            chats: of(node.incarnation, "chat"),
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    ClusterNow {
        nodes,
        moves: picture.leases.iter().filter(|lease| lease.desired.is_some() && lease.desired != lease.owner).count(),
        unowned: picture.leases.iter().filter(|lease| !lease.owner.is_some_and(living)).count(),
    }
}
