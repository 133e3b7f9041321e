//! Plans the desired owners of the leases in a cluster view. Layer `policy`. Keeps I5: a lease of a living owner
//! changes its owner only by a planned move.
//!
//! Bots and chats are placed independently, each by its own key. Only nodes that live, may own and do not drain get
//! any; bots go only to nodes that reach Telegram, as long as one does. A lease without a living owner gets a desired
//! owner at once. A living node gives away one in `moves_share` of its leases of a kind at a time: of those it owns, or
//! of its fair share when that is more, since a draining node would otherwise send its last leases off one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::placement::{Item, Seat, place, quotas};
use super::settings::OwnershipSettings;
use crate::domain::ownership::{Incarnation, Lease, LeaseKey, NodeRecord, NodeState, Picture, Wish};

/// Returns the desired owners that differ from those in the view; none when nothing is to change. Moves are as few as
/// possible.
pub fn plan(picture: &Picture, settings: &OwnershipSettings) -> Vec<Wish> {
    KINDS.iter().flat_map(|kind| Kind::of(picture, kind).wishes(settings, true)).collect()
}

/// Returns one wave of moves towards the placement of hashing alone, whoever owns the leases; none once it is reached.
/// Whole cycles of moves go together, so that every node stays within its quota and [`plan`] leaves them alone.
pub fn rebalance(picture: &Picture, settings: &OwnershipSettings) -> Vec<Wish> {
    KINDS.iter().flat_map(|kind| Kind::of(picture, kind).wishes(settings, false)).collect()
}

/// Returns how many leases of a kind (`bot`, `chat`) each node shall own.
pub fn shares(picture: &Picture, kind: &str) -> BTreeMap<Incarnation, usize> {
    let kind = Kind::of(picture, kind);
    let held = |seat: &Seat<'_>| kind.items().iter().filter(|item| kind.seat_of(item) == Some(seat.node)).count();
    let held: Vec<usize> = kind.seats.iter().map(held).collect();
    let quotas = quotas(&kind.seats, &held, kind.leases.len());
    kind.seats.iter().map(|seat| seat.node).zip(quotas).collect()
}

const KINDS: [&str; 2] = ["bot", "chat"];

/// Returns whether a node may be given bots; `any` tells whether any node reaches Telegram.
fn reaches(node: &NodeRecord, any: bool) -> bool {
    node.report.telegram || !any
}

struct Kind<'a> {
    picture: &'a Picture,
    seats: Vec<Seat<'a>>,
    leases: Vec<&'a Lease>,
}

impl<'a> Kind<'a> {
    fn of(picture: &'a Picture, kind: &str) -> Self {
        let takers = || picture.nodes.iter().filter(|node| node.takes_leases());
        let any = kind == "bot" && takers().any(|node| node.report.telegram);
        let seats = takers().filter(|node| reaches(node, any));
        Self {
            picture,
            seats: seats.map(|node| Seat { node: node.incarnation, name: &node.name }).collect(),
            leases: picture.leases.iter().filter(|lease| lease.key.kind() == kind).collect(),
        }
    }

    fn items(&self) -> Vec<Item> {
        let living = |node: Option<Incarnation>| node.filter(|node| self.picture.lives(*node));
        let item = |lease: &&Lease| Item { key: lease.key, owner: living(lease.owner), desired: living(lease.desired) };
        self.leases.iter().map(item).collect()
    }

    fn may_have(&self, node: Incarnation) -> bool {
        self.seats.iter().any(|seat| seat.node == node)
    }

    /// Returns the desired owner of a lease, or else its owner, among the nodes that may have the lease.
    fn seat_of(&self, item: &Item) -> Option<Incarnation> {
        item.desired.filter(|node| self.may_have(*node)).or(item.owner.filter(|node| self.may_have(*node)))
    }

    fn wishes(&self, settings: &OwnershipSettings, sticky: bool) -> Vec<Wish> {
        let items = self.items();
        let targets = place(&self.seats, &items, sticky);
        let mut budget = self.budget(settings, &items);
        let mut wanted: BTreeMap<LeaseKey, Option<Incarnation>> = BTreeMap::new();
        // First free leases, moves under way that stay, and leases that stay with their owners.
        let mut moves = Vec::new();
        for item in &items {
            let target = targets.get(&item.key).copied();
            let pending = item.desired.filter(|node| self.may_have(*node) && item.owner != Some(*node));
            match (item.owner, target) {
                (None, target) => drop(wanted.insert(item.key, target)), // at once: nobody answers for it
                (Some(_), Some(target)) if !sticky && pending.is_some_and(|pending| pending != target) => {
                    // A move under way is done before another one is asked for.
                    wanted.insert(item.key, pending);
                }
                (Some(owner), Some(target)) if target != owner => {
                    if pending == Some(target) {
                        wanted.insert(item.key, pending);
                    } else {
                        moves.push((item.key, owner, target));
                    }
                }
                // Its owner keeps the lease; so too while no other node may have it.
                (Some(_), _) => drop(wanted.insert(item.key, None)),
            }
        }
        for item in &items {
            if let (Some(owner), Some(Some(_))) = (item.owner, wanted.get(&item.key)) {
                spend(&mut budget, owner);
            }
        }
        if sticky {
            for (key, owner, target) in moves {
                wanted.insert(key, spend(&mut budget, owner).then_some(target));
            }
        } else {
            for part in cycles(moves) {
                if part.iter().all(|(_, owner, _)| left(&budget, *owner)) {
                    for (key, owner, target) in part {
                        spend(&mut budget, owner);
                        wanted.insert(key, Some(target));
                    }
                }
            }
        }
        let differs = |lease: &&&Lease| wanted.get(&lease.key).is_some_and(|desired| *desired != lease.desired);
        self.leases.iter().filter(differs).map(|l| Wish { key: l.key, desired: wanted[&l.key] }).collect()
    }

    /// Returns how many leases each living owner may have on the move.
    fn budget(&self, settings: &OwnershipSettings, items: &[Item]) -> BTreeMap<Incarnation, usize> {
        let mut owned: BTreeMap<Incarnation, usize> = BTreeMap::new();
        for owner in items.iter().filter_map(|item| item.owner) {
            *owned.entry(owner).or_default() += 1;
        }
        let living = self.picture.nodes.iter().filter(|node| node.role.owns() && node.state != NodeState::Dead).count();
        let fair = items.len() / living.max(1);
        let share = settings.moves_share.get() as usize;
        owned.into_iter().map(|(owner, owned)| (owner, owned.max(fair).div_ceil(share))).collect()
    }
}

fn left(budget: &BTreeMap<Incarnation, usize>, owner: Incarnation) -> bool {
    budget.get(&owner).is_some_and(|left| *left > 0)
}

fn spend(budget: &mut BTreeMap<Incarnation, usize>, owner: Incarnation) -> bool {
    let Some(left) = budget.get_mut(&owner).filter(|left| **left > 0) else { return false };
    *left -= 1;
    true
}

type Move = (LeaseKey, Incarnation, Incarnation);

/// Splits moves into cycles, in which every node gives as many as it gets, and into paths from nodes that give more to
/// nodes that get more. No part passes a node twice.
fn cycles(moves: Vec<Move>) -> Vec<Vec<Move>> {
    let mut from: BTreeMap<Incarnation, Vec<Move>> = BTreeMap::new();
    let mut surplus: BTreeMap<Incarnation, i64> = BTreeMap::new();
    for step in moves.into_iter().rev() {
        *surplus.entry(step.1).or_default() += 1;
        *surplus.entry(step.2).or_default() -= 1;
        from.entry(step.1).or_default().push(step);
    }
    let mut parts = Vec::new();
    let starts = surplus.iter().filter(|(_, more)| **more > 0).flat_map(|(node, more)| vec![*node; *more as usize]);
    let starts: Vec<Incarnation> = starts.chain(surplus.keys().copied()).collect();
    for start in starts {
        loop {
            let (mut path, mut passed, mut at): (Vec<Move>, _, _) = (Vec::new(), BTreeSet::from([start]), start);
            while let Some(step) = from.get_mut(&at).and_then(Vec::pop) {
                at = step.2;
                path.push(step);
                if !passed.insert(at) {
                    let begun = path.iter().position(|step| step.1 == at).unwrap_or(0);
                    for step in &path[begun + 1..] {
                        passed.remove(&step.1);
                    }
                    parts.push(path.split_off(begun));
                }
            }
            if path.is_empty() {
                break;
            }
            parts.push(path);
        }
    }
    parts
}

#[cfg(test)]
mod tests;
