//! Keeps the leases that this node owns, and the other owners from the last cluster view. Layer `actors`. Keeps I6.
//!
//! The contents only serve as hints: every owning write carries the epoch of its lease, and the store judges it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::ids::Epoch;
use crate::domain::operator_order::OrderTarget;
use crate::domain::ownership::{Incarnation, LeaseKey, NodeState, Picture};

/// The leases of a node.
pub struct Leases {
    me: Incarnation,
    held: RwLock<Held>,
}

enum Held {
    /// One process owns everything, under one epoch.
    All(Epoch),
    /// One node among others.
    Some { held: HashMap<LeaseKey, Epoch>, picture: Arc<Picture>, owners: HashMap<LeaseKey, Incarnation> },
}

impl Leases {
    /// Creates a node that holds all leases, under the epoch of a tenure.
    pub fn all(epoch: Epoch) -> Self {
        Self { me: Incarnation::default(), held: RwLock::new(Held::All(epoch)) }
    }

    /// Creates a node that holds no lease yet.
    pub fn none(me: Incarnation) -> Self {
        let held = Held::Some { held: HashMap::new(), picture: Arc::default(), owners: HashMap::new() };
        Self { me, held: RwLock::new(held) }
    }

    fn read<T>(&self, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the epoch under which this node owns the lease; `None` when it does not.
    pub fn epoch(&self, key: LeaseKey) -> Option<Epoch> {
        self.read(|held| match held {
            Held::All(epoch) => Some(*epoch),
            Held::Some { held, .. } => held.get(&key).copied(),
        })
    }

    /// Returns the incarnation under which this node is given orders; where one process owns everything, its epoch.
    pub fn place(&self) -> Incarnation {
        self.read(|held| match held {
            Held::All(epoch) => Incarnation(epoch.0),
            Held::Some { .. } => self.me,
        })
    }

    /// Returns the epoch under which this node carries out the target's orders; `None` when it does not.
    pub fn obeys(&self, target: OrderTarget) -> Option<Epoch> {
        match target {
            OrderTarget::Node(node) => (node == self.place()).then_some(Epoch(node.0)),
            OrderTarget::Bot(bot) => self.epoch(LeaseKey::Bot(bot)),
            OrderTarget::Chat(chat) => self.epoch(LeaseKey::Chat(chat)),
        }
    }

    /// Returns the other node that owns the lease, as far as is known.
    pub fn elsewhere(&self, key: LeaseKey) -> Option<Incarnation> {
        self.read(|held| match held {
            Held::All(_) => None,
            Held::Some { held, owners, .. } => {
                owners.get(&key).copied().filter(|owner| *owner != self.me && !held.contains_key(&key))
            }
        })
    }

    /// Records that this node owns the lease.
    pub fn hold(&self, key: LeaseKey, epoch: Epoch) {
        self.write(|all| {
            if let Held::Some { held, owners, .. } = all {
                held.insert(key, epoch);
                owners.insert(key, self.me);
            }
        });
    }

    /// Records that this node has lost the lease under that epoch, or an older one, and to which node, if that is
    /// known.
    pub fn release(&self, key: LeaseKey, epoch: Epoch, to: Option<Incarnation>) {
        self.write(|all| {
            if let Held::Some { held, owners, .. } = all
                && held.get(&key).is_some_and(|held| *held <= epoch)
            {
                held.remove(&key);
                match to {
                    Some(to) => owners.insert(key, to),
                    None => owners.remove(&key),
                };
            }
        });
    }

    /// Takes over a new cluster view.
    pub fn see(&self, picture: Arc<Picture>) {
        self.write(|held| {
            if let Held::Some { owners, picture: seen, .. } = held {
                let owner = |lease: &crate::domain::ownership::Lease| Some((lease.key, lease.owner?));
                *owners = picture.leases.iter().filter_map(owner).collect();
                *seen = picture;
            }
        });
    }

    /// Returns the last cluster view; `None` where one process owns everything.
    pub fn picture(&self) -> Option<Arc<Picture>> {
        self.read(|held| match held {
            Held::All(_) => None,
            Held::Some { picture, .. } => Some(Arc::clone(picture)),
        })
    }

    /// Returns how many nodes share the work, this one included: limits of the fleet as a whole are split among them.
    pub fn sharers(&self) -> u64 {
        let Some(picture) = self.picture() else {
            return 1;
        };
        let works = picture.nodes.iter().filter(|node| node.role.owns() && node.state != NodeState::Dead);
        (works.count() as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use crate::actors::node::leases::*;
    use crate::domain::ids::BotId;

    const KEY: LeaseKey = LeaseKey::Bot(BotId(1));

    #[test]
    fn an_old_epochs_end_does_not_end_a_newer_lease() {
        let leases = Leases::none(Incarnation(1));
        leases.hold(KEY, Epoch(3));
        leases.release(KEY, Epoch(2), None);
        assert_eq!(leases.epoch(KEY), Some(Epoch(3)));
        leases.release(KEY, Epoch(3), Some(Incarnation(2)));
        assert_eq!((leases.epoch(KEY), leases.elsewhere(KEY)), (None, Some(Incarnation(2))));
    }
}
