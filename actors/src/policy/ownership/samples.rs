//! Pictures for the tests of this folder. Layer `policy`.

use std::time::Duration;

use crate::domain::ids::{BotId, Epoch};
use crate::domain::ownership::{
    Incarnation, Lease, LeaseKey, NodeRecord, NodeReport, NodeRole, NodeState, Picture, Wish,
};
use crate::domain::time::Timestamp;

/// So many milliseconds.
pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A living node that reaches Telegram.
pub(super) fn node(incarnation: i64, name: &str) -> NodeRecord {
    NodeRecord {
        incarnation: Incarnation(incarnation),
        name: name.to_owned(),
        role: NodeRole::All,
        state: NodeState::Alive,
        beat: 1,
        report: NodeReport { telegram: true, ..NodeReport::default() },
        address: None,
        version: "1".to_owned(),
        joined_at: Timestamp::default(),
    }
}

/// A bot.
pub(super) fn bot(id: i64) -> LeaseKey {
    LeaseKey::Bot(BotId(id))
}

/// The lease of a bot.
pub(super) fn lease(id: i64, owner: Option<i64>, epoch: i64) -> Lease {
    Lease { key: bot(id), owner: owner.map(Incarnation), desired: None, ready: false, epoch: Epoch(epoch) }
}

/// Nodes `n1`.. and free leases of bots.
pub(super) fn picture(nodes: i64, bots: i64) -> Picture {
    Picture {
        nodes: (1..=nodes).map(|n| node(n, &format!("n{n}"))).collect(),
        leases: (1..=bots).map(|id| lease(id, None, 0)).collect(),
        config_seq: crate::domain::ids::ConfigSeq(1),
    }
}

/// Writes wishes.
pub(super) fn wish(picture: &mut Picture, wishes: &[Wish]) {
    for wish in wishes {
        let lease = picture.leases.iter_mut().find(|lease| lease.key == wish.key).unwrap();
        (lease.desired, lease.ready) = (wish.desired, false);
    }
}

/// Lets every wish come true; gives how many leases of living owners moved.
pub(super) fn fulfil(picture: &mut Picture) -> usize {
    let dead: Vec<_> = picture.nodes.iter().filter(|n| n.state == NodeState::Dead).map(|n| n.incarnation).collect();
    let mut moved = 0;
    for lease in &mut picture.leases {
        if let Some(desired) = lease.desired.take() {
            moved += usize::from(lease.owner.is_some_and(|owner| !dead.contains(&owner)));
            (lease.owner, lease.epoch) = (Some(desired), Epoch(lease.epoch.0 + 1));
        }
    }
    moved
}
