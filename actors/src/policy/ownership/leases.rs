//! Keeps the leases as one node knows them: its own, those on their way to it, and the owners of the others. Layer
//! `policy`. Keeps I5, I6; the table of transitions is in `machine`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::Effect;
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, Lease, LeaseKey, Picture};

/// A cluster view that was read.
pub(super) struct Read<'a> {
    /// When the read began.
    pub(super) asked_at: Duration,
    /// The view.
    pub(super) picture: &'a Picture,
    /// Set while the node may act.
    pub(super) acting: bool,
}

/// The leases as one node knows them.
#[derive(Debug)]
pub(super) struct Leases {
    me: Incarnation,
    held: BTreeMap<LeaseKey, Held>,
    /// Leases to come, with the time at which the store was told that this node is warm.
    warming: BTreeMap<LeaseKey, Option<Duration>>,
    /// Leases asked for.
    taking: BTreeSet<LeaseKey>,
    /// The highest known epoch of each lease.
    known: BTreeMap<LeaseKey, Epoch>,
    owners: BTreeMap<LeaseKey, Incarnation>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    epoch: Epoch,
    /// The node that the lease is being handed over to.
    leaving_to: Option<Incarnation>,
}

impl Leases {
    pub(super) fn new(me: Incarnation) -> Self {
        Self {
            me,
            held: BTreeMap::new(),
            warming: BTreeMap::new(),
            taking: BTreeSet::new(),
            known: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    pub(super) fn held(&self) -> impl Iterator<Item = (LeaseKey, Epoch)> + '_ {
        self.held.iter().map(|(key, held)| (*key, held.epoch))
    }

    pub(super) fn epoch_of(&self, key: LeaseKey) -> Option<Epoch> {
        self.held.get(&key).map(|held| held.epoch)
    }

    pub(super) fn owner_of(&self, key: LeaseKey) -> Option<Incarnation> {
        self.owners.get(&key).copied()
    }

    pub(super) fn owners(&self) -> &BTreeMap<LeaseKey, Incarnation> {
        &self.owners
    }

    /// Returns whether no lease is held or being taken.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.taking.is_empty()
    }

    pub(super) fn warmed(&mut self, key: LeaseKey, now: Duration) {
        if let Some(told_at) = self.warming.get_mut(&key) {
            *told_at = Some(now);
        }
    }

    pub(super) fn not_warmed(&mut self, key: LeaseKey) {
        self.warming.remove(&key);
    }

    pub(super) fn handed_over(&mut self, key: LeaseKey) {
        if let Some(Held { epoch, leaving_to: Some(to) }) = self.held.remove(&key) {
            self.know(key, Epoch(epoch.0 + 1));
            self.owners.insert(key, to);
        }
    }

    pub(super) fn not_handed_over(&mut self, key: LeaseKey) {
        if let Some(held) = self.held.get_mut(&key) {
            held.leaving_to = None;
        }
    }

    /// Records that another node owns the lease; returns whether this node held it.
    pub(super) fn fenced(&mut self, key: LeaseKey, epoch: Epoch) -> bool {
        self.know(key, Epoch(epoch.0 + 1));
        let news = self.held.get(&key).is_some_and(|held| held.epoch <= epoch);
        if news {
            self.held.remove(&key);
            self.owners.remove(&key);
        }
        news
    }

    pub(super) fn taken(
        &mut self,
        asked: &[LeaseKey],
        taken: &[(LeaseKey, Epoch)],
        acting: bool,
        effects: &mut Vec<Effect>,
    ) {
        for key in asked {
            self.taking.remove(key);
        }
        for (key, epoch) in taken {
            let latest = self.known.get(key).is_none_or(|known| known <= epoch);
            if latest && acting {
                self.hold(*key, *epoch, effects);
            }
            self.know(*key, *epoch);
        }
    }

    /// Compares with a cluster view: starts, stops, warms, takes, hands over.
    pub(super) fn seen(&mut self, read: &Read<'_>, effects: &mut Vec<Effect>) {
        let mut take = Vec::new();
        let (mut named, mut coming) = (BTreeSet::new(), BTreeSet::new());
        for lease in &read.picture.leases {
            named.insert(lease.key);
            if self.known.get(&lease.key).is_some_and(|known| *known > lease.epoch) {
                continue;
            }
            self.know(lease.key, lease.epoch);
            let owner = lease.owner.filter(|owner| read.picture.lives(*owner));
            match owner {
                Some(owner) => drop(self.owners.insert(lease.key, owner)),
                None => drop(self.owners.remove(&lease.key)),
            }
            if owner == Some(self.me) {
                self.mine(lease, read, effects);
            } else {
                self.anothers(lease.key, lease.epoch, effects);
                if lease.desired == Some(self.me) && read.acting {
                    if owner.is_none() && !self.taking.contains(&lease.key) {
                        take.push(lease.key);
                    } else if owner.is_some() {
                        coming.insert(lease.key);
                        self.warm(lease, read, effects);
                    }
                }
            }
        }
        let gone: Vec<_> = self.held.keys().filter(|key| !named.contains(key)).copied().collect();
        for key in gone {
            self.drop_held(key, effects);
        }
        self.owners.retain(|key, _| named.contains(key));
        if read.acting {
            // A warm-up under way must end first, or the lease would be warmed twice.
            self.warming.retain(|key, told_at| told_at.is_none() || coming.contains(key));
        }
        if !take.is_empty() && self.taking.is_empty() {
            self.taking.extend(&take);
            effects.push(Effect::Take(take));
        }
    }

    fn mine(&mut self, lease: &Lease, read: &Read<'_>, effects: &mut Vec<Effect>) {
        match self.held.get_mut(&lease.key) {
            Some(held) if held.epoch == lease.epoch => {
                let to = lease.desired.filter(|to| *to != self.me && lease.ready && read.picture.lives(*to));
                if let (Some(to), None, true) = (to, held.leaving_to, read.acting) {
                    held.leaving_to = Some(to);
                    effects.push(Effect::HandOver(lease.key, lease.epoch, to));
                }
            }
            // Started with the next view once the node may act, or by the answer to the take under way.
            None if !read.acting || self.taking.contains(&lease.key) => {}
            _ => self.hold(lease.key, lease.epoch, effects),
        }
    }

    /// Handles a lease of another or of no node. A lease being handed over ends by itself: its actor still settles its
    /// sends.
    fn anothers(&mut self, key: LeaseKey, epoch: Epoch, effects: &mut Vec<Effect>) {
        if self.held.get(&key).is_some_and(|held| held.leaving_to.is_none() && held.epoch <= epoch) {
            self.drop_held(key, effects);
        }
    }

    fn warm(&mut self, lease: &Lease, read: &Read<'_>, effects: &mut Vec<Effect>) {
        let begin = match self.warming.get(&lease.key) {
            None => !lease.ready,
            // Told before this view was asked for, and still not ready: the desired owner was another one in between.
            Some(Some(told_at)) => !lease.ready && *told_at < read.asked_at,
            Some(None) => false,
        };
        if begin {
            self.warming.insert(lease.key, None);
            effects.push(Effect::Warm(lease.key));
        }
    }

    fn hold(&mut self, key: LeaseKey, epoch: Epoch, effects: &mut Vec<Effect>) {
        match self.held.get(&key) {
            Some(held) if held.epoch >= epoch => return,
            Some(_) => self.drop_held(key, effects),
            None => {}
        }
        self.warming.remove(&key);
        self.held.insert(key, Held { epoch, leaving_to: None });
        self.owners.insert(key, self.me);
        effects.push(Effect::Start(key, epoch));
    }

    fn drop_held(&mut self, key: LeaseKey, effects: &mut Vec<Effect>) {
        if let Some(held) = self.held.remove(&key) {
            effects.push(Effect::Stop(key, held.epoch));
        }
    }

    fn know(&mut self, key: LeaseKey, epoch: Epoch) {
        let known = self.known.entry(key).or_insert(epoch);
        *known = (*known).max(epoch);
    }
}
