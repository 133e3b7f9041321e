//! The ownership machine of one node: which leases it owns, when it may act, which nodes it observes. Layer `policy`.
//! Keeps I5, I6.
//!
//! | state of a lease | event ("view": a `Read` with a cluster view) | becomes | effects |
//! |---|---|---|---|
//! | another's | view: no living owner, desired owner is this node | taking | `Take` |
//! | another's | view: owned by another, desired owner is this node, not ready | warming | `Warm` |
//! | warming | `Warmed` | warm | |
//! | warming | `NotWarmed`, or a later view still says not ready | another's | `Warm` again with the next view |
//! | taking | `Taken` with it | held | `Start` |
//! | taking | `Taken` without it | another's | `Read` |
//! | another's, warming, warm | view: owned by this node | held | `Start` |
//! | held | view: ready, desired owner is another living node | leaving | `HandOver` |
//! | leaving | `HandedOver` | another's | `Read` |
//! | leaving | `NotHandedOver` | held | `HandOver` again with the next view |
//! | held | view: another's, missing, or this node's under a later epoch | another's (held) | `Stop` (and `Start`) |
//! | held, leaving | `Fenced` | another's | `Read` |
//!
//! | state of the node | event | becomes | effects |
//! |---|---|---|---|
//! | suspended | `Beaten` with an answer, sent less than `act_within` ago | acting | `Resume`, `Read` |
//! | acting | `act_within` passed since the last successful beat was sent | suspended | `Suspend` |
//! | any | the store says that the node is dead | superseded, for good | `Suspend`, `Superseded` |
//! | any | `Drain` | draining | `Drain` (again while the store says alive), `Read` |
//! | draining | nothing owned or on its way, no other node to own it, or suspended | drained | `Drained` |
//!
//! The machine starts suspended, and while suspended takes, warms, starts and hands over nothing. A cluster view counts
//! for a lease only if the epoch that it shows is at least the highest known one: an answer read before a change never
//! revives an actor under an old epoch. At most one each of `Beat`, `Observe`, `Read`, `Plan` and `Take` is under way.
//! The caller must answer each of them, with `None` (or nothing taken) when a deadline has passed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{Effect, Event};
use super::leases::{Leases, Read};
use super::observer::Observer;
use super::planner;
use super::settings::OwnershipSettings;
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey, NodeState, Picture};

/// The ownership machine of one node, from its joining to its end.
#[derive(Debug)]
pub struct Ownership {
    me: Incarnation,
    settings: OwnershipSettings,
    phase: Phase,
    /// Boot time until which effects are allowed.
    acts_until: Duration,
    suspended: bool,
    /// The node's state according to the store.
    state: NodeState,
    beat: Errand,
    observe: Errand,
    read: Errand,
    /// Set when something changed since the read under way began.
    read_again: bool,
    planning: bool,
    /// Boot time before which no plan is asked for, so that plans that change nothing do not follow each other at once.
    plan_at: Duration,
    observer: Observer,
    leases: Leases,
    picture: Option<Picture>,
}

/// Phase of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    Draining,
    Drained,
    Superseded,
}

/// A repeated task, of which one run at a time is under way.
#[derive(Clone, Copy, Debug, Default)]
struct Errand {
    under_way: bool,
    due_at: Duration,
}

impl Errand {
    fn begin(&mut self, now: Duration, every: Duration) -> bool {
        let due = !self.under_way && self.due_at <= now;
        if due {
            *self = Self { under_way: true, due_at: now + every };
        }
        due
    }

    fn next(self) -> Option<Duration> {
        (!self.under_way).then_some(self.due_at)
    }
}

impl Ownership {
    /// Creates the machine of a node that has joined and not beaten yet.
    pub fn new(me: Incarnation, settings: OwnershipSettings) -> Self {
        Self {
            me,
            settings,
            phase: Phase::Working,
            acts_until: Duration::ZERO,
            suspended: true,
            state: NodeState::Alive,
            beat: Errand::default(),
            observe: Errand::default(),
            read: Errand::default(),
            read_again: false,
            planning: false,
            plan_at: Duration::ZERO,
            observer: Observer::default(),
            leases: Leases::new(me),
            picture: None,
        }
    }

    /// Handles an event at boot time `now`; returns the effects to carry out, in order.
    pub fn handle(&mut self, now: Duration, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.phase == Phase::Superseded {
            return effects;
        }
        self.mind_the_bound(now, &mut effects);
        match event {
            Event::Tick => {}
            Event::Beaten { sent_at, state } => self.beaten(now, sent_at, state, &mut effects),
            Event::Observed { asked_at, nodes } => {
                self.observe.under_way = false;
                match nodes {
                    None => self.observer.failed(),
                    Some(nodes) => {
                        let silent = self.observer.looked(&self.settings, Some(self.me), asked_at, now, &nodes);
                        let known = |picture: &Picture| {
                            picture
                                .nodes
                                .iter()
                                .filter(|node| node.state != NodeState::Dead)
                                .map(|n| n.incarnation)
                                .collect()
                        };
                        let known: std::collections::BTreeSet<_> = self.picture.as_ref().map(known).unwrap_or_default();
                        if nodes.len() != known.len() || nodes.iter().any(|node| !known.contains(&node.incarnation)) {
                            self.look(now);
                        }
                        if !silent.is_empty() {
                            effects.push(Effect::Bury(silent));
                        }
                    }
                }
            }
            Event::Read { asked_at, picture } => self.read(now, asked_at, picture, &mut effects),
            Event::Hinted | Event::Buried => self.look(now),
            Event::Planned => {
                self.planning = false;
                self.look(now);
            }
            Event::Taken { asked, taken } => {
                self.leases.taken(&asked, &taken, !self.suspended, &mut effects);
                if taken.len() < asked.len() {
                    self.look(now);
                }
            }
            Event::Warmed(key) => self.leases.warmed(key, now),
            Event::NotWarmed(key) => self.leases.not_warmed(key),
            Event::HandedOver(key) => {
                self.leases.handed_over(key);
                self.look(now);
            }
            Event::NotHandedOver(key) => self.leases.not_handed_over(key),
            Event::Fenced(key, epoch) => {
                if self.leases.fenced(key, epoch) {
                    self.look(now);
                }
            }
            Event::Drain => {
                if self.phase == Phase::Working {
                    self.phase = Phase::Draining;
                    effects.push(Effect::Drain);
                    self.look(now);
                }
            }
        }
        self.end_of_drain(&mut effects);
        self.errands(now, &mut effects);
        effects
    }

    /// Returns the latest boot time for the next `Event::Tick`; never later than the bound on effects.
    pub fn next_due(&self) -> Duration {
        if self.phase == Phase::Superseded {
            return Duration::MAX;
        }
        let errands = [self.beat, self.observe, self.read].into_iter().filter_map(Errand::next);
        let bound = (!self.suspended).then_some(self.acts_until);
        errands.chain(bound).min().unwrap_or(Duration::MAX)
    }

    /// Returns this node's incarnation.
    pub fn me(&self) -> Incarnation {
        self.me
    }

    /// Returns the boot time from which no effect may be caused. None may be caused either while
    /// [`Self::is_suspended`].
    pub fn acts_until(&self) -> Duration {
        self.acts_until
    }

    /// Returns whether effects are forbidden.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Returns the node's state as the store told it last.
    pub fn state(&self) -> NodeState {
        self.state
    }

    /// Returns whether the process was asked to end.
    pub fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining | Phase::Drained)
    }

    /// Returns the leases held, with their epochs, including those being handed over.
    pub fn held(&self) -> impl Iterator<Item = (LeaseKey, Epoch)> + '_ {
        self.leases.held()
    }

    /// Returns the epoch under which a lease is held.
    pub fn epoch_of(&self, key: LeaseKey) -> Option<Epoch> {
        self.leases.epoch_of(key)
    }

    /// Returns the owner of a lease as far as is known, to address hints.
    pub fn owner_of(&self, key: LeaseKey) -> Option<Incarnation> {
        self.leases.owner_of(key)
    }

    /// Returns all known owners.
    pub fn owners(&self) -> &BTreeMap<LeaseKey, Incarnation> {
        self.leases.owners()
    }

    /// Returns the last cluster view.
    pub fn picture(&self) -> Option<&Picture> {
        self.picture.as_ref()
    }

    /// Returns the settings.
    pub fn settings(&self) -> &OwnershipSettings {
        &self.settings
    }

    fn look(&mut self, now: Duration) {
        self.read_again |= self.read.under_way;
        self.read.due_at = self.read.due_at.min(now);
    }

    fn mind_the_bound(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if !self.suspended && now >= self.acts_until {
            self.suspended = true;
            effects.push(Effect::Suspend);
        }
    }

    fn beaten(&mut self, now: Duration, sent_at: Duration, state: Option<NodeState>, effects: &mut Vec<Effect>) {
        self.beat.under_way = false;
        let Some(state) = state else { return };
        self.state = state;
        if state == NodeState::Dead {
            return self.superseded(effects);
        }
        if self.phase == Phase::Draining && state == NodeState::Alive {
            effects.push(Effect::Drain);
        }
        self.acts_until = self.acts_until.max(sent_at + self.settings.act_within);
        if self.suspended && now < self.acts_until {
            self.suspended = false;
            effects.push(Effect::Resume);
            self.look(now);
        }
    }

    fn superseded(&mut self, effects: &mut Vec<Effect>) {
        if !self.suspended {
            effects.push(Effect::Suspend);
        }
        self.suspended = true;
        self.state = NodeState::Dead;
        self.phase = Phase::Superseded;
        effects.push(Effect::Superseded);
    }

    fn read(&mut self, now: Duration, asked_at: Duration, picture: Option<Picture>, effects: &mut Vec<Effect>) {
        self.read.under_way = false;
        if std::mem::take(&mut self.read_again) {
            self.look(now);
        }
        let Some(picture) = picture else { return };
        if !picture.lives(self.me) {
            return self.superseded(effects);
        }
        self.leases.seen(&Read { asked_at, picture: &picture, acting: !self.suspended }, effects);
        if !self.suspended && !self.planning && !planner::plan(&picture, &self.settings).is_empty() {
            if self.plan_at <= now {
                self.planning = true;
                self.plan_at = now + self.settings.reconcile_every / 5;
                effects.push(Effect::Plan);
            } else {
                self.read.due_at = self.read.due_at.min(self.plan_at);
            }
        }
        self.picture = Some(picture);
    }

    fn end_of_drain(&mut self, effects: &mut Vec<Effect>) {
        if self.phase != Phase::Draining {
            return;
        }
        let Some(picture) = &self.picture else { return };
        let mine = |node: Option<Incarnation>| node == Some(self.me);
        let said = picture.node(self.me).is_some_and(|node| node.state == NodeState::Draining);
        let nothing_left = said
            && self.leases.is_empty()
            && !picture.leases.iter().any(|lease| mine(lease.owner) || mine(lease.desired));
        let alone = !picture.nodes.iter().any(|node| node.incarnation != self.me && node.takes_leases());
        if nothing_left || alone || self.suspended {
            self.phase = Phase::Drained;
            effects.push(Effect::Drained);
        }
    }

    fn errands(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Superseded {
            return;
        }
        if self.beat.begin(now, self.settings.beat_every) {
            effects.push(Effect::Beat);
        }
        if self.observe.begin(now, self.settings.observe_every) {
            effects.push(Effect::Observe);
        }
        if self.read.begin(now, self.settings.reconcile_every) {
            effects.push(Effect::Read);
        }
    }
}

#[cfg(test)]
mod tests;
