//! The machine of a node: what it owns, when it may act, whom it watches. Layer `policy`. Keeps I5, I6.
//!
//! | state of a lease | event | becomes | effects |
//! |---|---|---|---|
//! | other's | picture: nobody alive owns it, wished for me | taking | `Take` |
//! | other's | picture: another owns it, wished for me, not ready | warming | `Warm` |
//! | warming | `Warmed` | warm | |
//! | warming | `NotWarmed`, or a later picture still says not ready | other's | with the next picture again |
//! | taking | `Taken` with it | held | `Start` |
//! | taking | `Taken` without it | other's | `Read` |
//! | other's, warming, warm | picture: I own it | held | `Start` |
//! | held | picture: ready, wished for a living other | leaving | `HandOver` |
//! | leaving | `HandedOver` | other's | `Read` |
//! | leaving | `NotHandedOver` | held | with the next picture again |
//! | held | picture: another's, gone from it, or mine under a later epoch | other's (held) | `Stop` (and `Start`) |
//! | held, leaving | `Fenced` | other's | `Read` |
//!
//! | state of the node | event | becomes | effects |
//! |---|---|---|---|
//! | suspended | `Beaten` by the store, sent less than `act_within` ago | acting | `Resume`, `Read` |
//! | acting | `act_within` passed since the last good beat was sent | suspended | `Suspend` |
//! | any | the store says that it is dead | superseded, for good | `Suspend`, `Superseded` |
//! | any | `Drain` | draining | `Drain` (again while the store says alive), `Read` |
//! | draining | nothing owned or on its way, nobody else to own it, or suspended | drained | `Drained` |
//!
//! It starts suspended: nothing is taken, warmed, started or handed over while it is. A picture counts for a lease only
//! when its epoch is at least the highest one known: an answer read before a change never revives an actor under an
//! old epoch. At most one each of `Beat`, `Observe`, `Read`, `Plan` and `Take` is under way; whoever carries them out
//! must answer each, with `None` (or nothing taken) when a deadline passed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{Effect, Event};
use super::leases::{Leases, Read};
use super::observer::Observer;
use super::planner;
use super::settings::OwnershipSettings;
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey, NodeState, Picture};

/// The ownership of one node, from its joining to its end.
#[derive(Debug)]
pub struct Ownership {
    me: Incarnation,
    settings: OwnershipSettings,
    phase: Phase,
    /// Effects are allowed until then.
    acts_until: Duration,
    suspended: bool,
    /// What the store says that this node is.
    state: NodeState,
    beat: Errand,
    observe: Errand,
    read: Errand,
    /// Something changed since the read under way was begun.
    read_again: bool,
    planning: bool,
    /// Not before: a plan that changes nothing is not asked for in circles.
    plan_at: Duration,
    observer: Observer,
    leases: Leases,
    picture: Option<Picture>,
}

/// How far the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    Draining,
    Drained,
    Superseded,
}

/// Something done regularly, once at a time.
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
    /// A node that joined and has not beaten yet.
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

    /// Hears an event at boot time `now`; gives what is to be done, in order.
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

    /// When to send `Event::Tick` at the latest; never later than the bound on effects.
    pub fn next_due(&self) -> Duration {
        if self.phase == Phase::Superseded {
            return Duration::MAX;
        }
        let errands = [self.beat, self.observe, self.read].into_iter().filter_map(Errand::next);
        let bound = (!self.suspended).then_some(self.acts_until);
        errands.chain(bound).min().unwrap_or(Duration::MAX)
    }

    /// Which incarnation this is.
    pub fn me(&self) -> Incarnation {
        self.me
    }

    /// No effect may be caused at or after this boot time, nor while [`Self::is_suspended`].
    pub fn acts_until(&self) -> Duration {
        self.acts_until
    }

    /// Whether effects are forbidden.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// What the store said last that this node is.
    pub fn state(&self) -> NodeState {
        self.state
    }

    /// Whether the process was asked to end.
    pub fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining | Phase::Drained)
    }

    /// The leases held, with their epochs; those being handed over among them.
    pub fn held(&self) -> impl Iterator<Item = (LeaseKey, Epoch)> + '_ {
        self.leases.held()
    }

    /// The epoch under which a lease is held.
    pub fn epoch_of(&self, key: LeaseKey) -> Option<Epoch> {
        self.leases.epoch_of(key)
    }

    /// Who owns a lease as far as is known: whom to hint.
    pub fn owner_of(&self, key: LeaseKey) -> Option<Incarnation> {
        self.leases.owner_of(key)
    }

    /// All owners known.
    pub fn owners(&self) -> &BTreeMap<LeaseKey, Incarnation> {
        self.leases.owners()
    }

    /// The last picture.
    pub fn picture(&self) -> Option<&Picture> {
        self.picture.as_ref()
    }

    /// The settings.
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
