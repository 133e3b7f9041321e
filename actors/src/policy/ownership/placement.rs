//! Decides which node shall own which lease. Rendezvous hashing (highest random weight) with exact quotas. Layer
//! `policy`.
//!
//! Every node computes the same placement from the same cluster view. Each node's quota is the floor or the ceiling of
//! K/N. A node that owns a lease, or is its desired owner, keeps the lease while the node is within its quota. Each
//! lease left over goes to the node with room where its weight is highest. The moves are thus as few as the quotas
//! allow.
//!
//! The weight must never change between versions, or two versions running side by side would plan against each
//! other. It is FNV-1a (Fowler, Noll, Vo; 64 bits) over the node's name, the kind and the id, finished by the mixer of
//! `SplitMix64` (Steele, Lea, Flood 2014), since FNV alone leaves the upper bits of short inputs poorly mixed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::ownership::{Incarnation, LeaseKey};

/// A node that may be given leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat<'a> {
    /// The node's incarnation.
    pub node: Incarnation,
    /// The node's name. Weights depend on it, so that a restarted node is given the leases that it had.
    pub name: &'a str,
}

/// A lease to be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The lease's key.
    pub key: LeaseKey,
    /// The node that owns the lease.
    pub owner: Option<Incarnation>,
    /// The node that shall own the lease.
    pub desired: Option<Incarnation>,
}

/// Returns the weight of a node for a lease; the node with the highest weight wins.
pub fn weight(name: &str, key: LeaseKey) -> u64 {
    mix(hash(hash(hash(FNV_OFFSET, name.as_bytes()), key.kind().as_bytes()), &key.id().to_le_bytes()))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Places `items`, all of one kind, on `seats`; without seats, places nothing. Unless `sticky`, the result is the
/// placement of hashing alone under the quotas, whoever owns the leases.
pub fn place(seats: &[Seat<'_>], items: &[Item], sticky: bool) -> BTreeMap<LeaseKey, Incarnation> {
    let mut seats = seats.to_vec();
    seats.sort_by_key(|seat| (seat.name, seat.node));
    let mut table = Table::new(&seats, items.len());
    if sticky {
        table.keep(items);
    }
    table.fill(items);
    table.taken.into_iter().map(|(key, at)| (key, seats[at].node)).collect()
}

/// Returns how many of `leases` each of `seats` gets, given the number that each holds. Seats that hold the most get
/// the ceiling, so that as few leases as possible move.
pub fn quotas(seats: &[Seat<'_>], held: &[usize], leases: usize) -> Vec<usize> {
    let (floor, ceilings) = (leases / seats.len().max(1), leases % seats.len().max(1));
    let mut order: Vec<usize> = (0..seats.len()).collect();
    order.sort_by_key(|at| (Reverse(held[*at]), mix(hash(FNV_OFFSET, seats[*at].name.as_bytes())), *at));
    let mut quotas = vec![floor; seats.len()];
    for at in order.into_iter().take(ceilings) {
        quotas[at] += 1;
    }
    quotas
}

struct Table<'a> {
    seats: &'a [Seat<'a>],
    quotas: Vec<usize>,
    held: Vec<usize>,
    taken: BTreeMap<LeaseKey, usize>,
}

impl<'a> Table<'a> {
    fn new(seats: &'a [Seat<'a>], leases: usize) -> Self {
        let held = vec![0; seats.len()];
        Self { seats, quotas: quotas(seats, &held, leases), held, taken: BTreeMap::new() }
    }

    fn seat(&self, node: Option<Incarnation>) -> Option<usize> {
        self.seats.iter().position(|seat| Some(seat.node) == node)
    }

    fn has_room(&self, at: usize) -> bool {
        self.held[at] < self.quotas[at]
    }

    fn sit(&mut self, key: LeaseKey, at: usize) {
        self.taken.insert(key, at);
        self.held[at] += 1;
    }

    /// Leaves every lease with its desired owner, or else with its owner, as far as the quotas allow.
    fn keep(&mut self, items: &[Item]) {
        let mut kept: Vec<Vec<(&Item, Option<usize>)>> = vec![Vec::new(); self.seats.len()];
        for item in items {
            let (owner, desired) = (self.seat(item.owner), self.seat(item.desired));
            if let Some(at) = desired.or(owner) {
                kept[at].push((item, owner.filter(|owner| *owner != at)));
            }
        }
        let held: Vec<usize> = kept.iter().map(Vec::len).collect();
        self.quotas = quotas(self.seats, &held, items.len());
        let roomy: Vec<usize> = (0..self.seats.len()).filter(|at| held[*at] < self.quotas[*at]).collect();
        let mut back = Vec::new();
        for (at, mut kept) in kept.into_iter().enumerate() {
            if kept.len() > self.quotas[at] {
                // The first ones stay: those with the least longing to leave. Moves not done yet are the cheapest to
                // call off.
                kept.sort_by_cached_key(|(item, owner)| {
                    (owner.is_some(), self.longing(item.key, at, &roomy), item.key)
                });
                back.extend(kept.split_off(self.quotas[at]).into_iter().filter_map(|(i, owner)| Some((i.key, owner?))));
            }
            for (item, _) in kept {
                self.sit(item.key, at);
            }
        }
        for (key, owner) in back {
            if self.has_room(owner) {
                self.sit(key, owner);
            }
        }
    }

    /// Returns by how much the best weight of a lease among seats with room exceeds its weight where it is.
    fn longing(&self, key: LeaseKey, at: usize, roomy: &[usize]) -> i128 {
        let best = roomy.iter().map(|roomy| weight(self.seats[*roomy].name, key)).max().unwrap_or(0);
        i128::from(best) - i128::from(weight(self.seats[at].name, key))
    }

    /// Places the leases without a place: the heaviest pair of lease and node first, and so on while there is room.
    fn fill(&mut self, items: &[Item]) {
        let mut pairs: Vec<(Reverse<u64>, LeaseKey, usize)> = Vec::new();
        for item in items.iter().filter(|item| !self.taken.contains_key(&item.key)) {
            for (at, seat) in self.seats.iter().enumerate() {
                if self.has_room(at) {
                    pairs.push((Reverse(weight(seat.name, item.key)), item.key, at));
                }
            }
        }
        pairs.sort_unstable();
        for (_, key, at) in pairs {
            if self.has_room(at) && !self.taken.contains_key(&key) {
                self.sit(key, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BotId, ChatId};

    #[test]
    fn weights_never_change_between_versions() {
        let weights = [
            weight("n1", LeaseKey::Bot(BotId(1))),
            weight("n1", LeaseKey::Chat(ChatId(1))),
            weight("node-b", LeaseKey::Bot(BotId(200))),
        ];
        assert_eq!(weights, WEIGHTS, "a cluster of two versions would plan against itself");
    }

    const WEIGHTS: [u64; 3] = [12_050_937_449_646_728_495, 2_414_047_702_077_664_005, 8_023_497_250_381_200_403];

    #[test]
    fn without_seats_nothing_is_placed() {
        let item = Item { key: LeaseKey::Bot(BotId(1)), owner: None, desired: None };
        assert!(place(&[], &[item], true).is_empty());
    }

    #[test]
    fn a_restarted_node_is_given_what_its_name_had() {
        let items: Vec<Item> =
            (0..200).map(|id| Item { key: LeaseKey::Bot(BotId(id)), owner: None, desired: None }).collect();
        let names = ["a", "b", "c", "d"];
        let seats = |first: i64| -> Vec<Seat<'_>> {
            names.iter().zip(first..).map(|(name, node)| Seat { node: Incarnation(node), name }).collect()
        };
        let before = place(&seats(1), &items, false);
        let after = place(&seats(101), &items, false);
        assert!(before.iter().all(|(key, node)| after[key].0 == node.0 + 100));
    }
}
