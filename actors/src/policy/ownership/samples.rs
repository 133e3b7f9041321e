//! Builds cluster views for the tests of this folder. Layer `policy`.

use std::time::Duration;

use crate::domain::ids::{BotId, Epoch};
use crate::domain::ownership::{
    Incarnation, Lease, LeaseKey, NodeRecord, NodeReport, NodeRole, NodeState, Picture, Wish,
};
use crate::domain::time::Timestamp;

/// Returns a duration of so many milliseconds.
pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a living node that reaches Telegram.
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

/// Returns the lease key of a bot.
pub(super) fn bot(id: i64) -> LeaseKey {
    LeaseKey::Bot(BotId(id))
}

/// Returns the lease of a bot.
pub(super) fn lease(id: i64, owner: Option<i64>, epoch: i64) -> Lease {
    Lease { key: bot(id), owner: owner.map(Incarnation), desired: None, ready: false, epoch: Epoch(epoch) }
}

/// Returns a view of nodes `n1`.. and free leases of bots.
pub(super) fn picture(nodes: i64, bots: i64) -> Picture {
    Picture {
        nodes: (1..=nodes).map(|n| node(n, &format!("n{n}"))).collect(),
        leases: (1..=bots).map(|id| lease(id, None, 0)).collect(),
        config_seq: crate::domain::ids::ConfigSeq(1),
    }
}

/// Writes desired owners.
pub(super) fn wish(picture: &mut Picture, wishes: &[Wish]) {
    for wish in wishes {
        let lease = picture.leases.iter_mut().find(|lease| lease.key == wish.key).unwrap();
        (lease.desired, lease.ready) = (wish.desired, false);
    }
}

/// Gives every lease to its desired owner; returns how many leases of living owners moved.
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
