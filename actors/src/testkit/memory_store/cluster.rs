//! Keeps nodes and leases in memory. Part of the testkit.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::State;
use crate::domain::ids::{BotId, ChatId, ConfigSeq, Epoch, OutboxId};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::ownership::{
    Incarnation, Lease, LeaseKey, NewNode, NodeRecord, NodeReport, NodeState, Picture, Wish,
};
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::ports::cluster::{BeatAnswer, Cluster, Planner};
use crate::ports::store::{StoreError, Tenure};

/// The nodes and leases.
#[derive(Default)]
pub(super) struct Ownings {
    pub(super) nodes: BTreeMap<Incarnation, Node>,
    pub(super) leases: BTreeMap<LeaseKey, Lease>,
    /// True when a test wants another planner to be at work.
    pub(super) planner_is_busy: bool,
    last_incarnation: i64,
    pub(super) now: Timestamp,
}

/// A node, with the launch number of its process.
pub(super) struct Node {
    pub(super) record: NodeRecord,
    launch: Option<i64>,
}

impl Ownings {
    fn living(&self, node: Incarnation) -> bool {
        self.nodes.get(&node).is_some_and(|node| node.record.state != NodeState::Dead)
    }

    /// Returns the owner of a lease, while that incarnation lives.
    pub(super) fn living_owner(&self, key: LeaseKey) -> Option<Incarnation> {
        self.leases.get(&key).and_then(|lease| lease.owner).filter(|owner| self.living(*owner))
    }

    /// Returns the epoch that a write must carry; `None` when nobody has the lease.
    pub(super) fn fence(&self, key: LeaseKey) -> Option<Epoch> {
        self.leases.get(&key).filter(|lease| lease.owner.is_some()).map(|lease| lease.epoch)
    }

    fn add(&mut self, node: &NewNode) -> Incarnation {
        self.last_incarnation += 1;
        let incarnation = Incarnation(self.last_incarnation);
        let record = NodeRecord {
            incarnation,
            name: node.name.clone(),
            role: node.role,
            state: NodeState::Alive,
            beat: 0,
            report: NodeReport::default(),
            address: node.address.clone(),
            version: node.version.clone(),
            joined_at: self.now,
        };
        self.nodes.insert(incarnation, Node { record, launch: node.launch });
        incarnation
    }

    fn record(&mut self, node: Incarnation) -> Option<&mut NodeRecord> {
        self.nodes.get_mut(&node).map(|node| &mut node.record)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &NodeRecord> {
        self.nodes.values().map(|node| &node.record)
    }
}

impl State {
    /// Adds leases for new bots and chats: owned by `tenure`, or by nobody.
    pub(super) fn lease_newcomers(&mut self, tenure: Option<(Incarnation, Epoch)>) {
        let bots = self.bots.keys().map(|bot| LeaseKey::Bot(*bot));
        for key in bots.chain(self.chats.keys().map(|chat| LeaseKey::Chat(*chat))) {
            let (owner, epoch) = (tenure.map(|(owner, _)| owner), tenure.map_or(Epoch(0), |(_, epoch)| epoch));
            self.ownings.leases.entry(key).or_insert(Lease { key, owner, desired: None, ready: false, epoch });
        }
    }

    /// Gives every lease to a new incarnation under one epoch. Work that others had in hand goes back, or is dead or
    /// unknown.
    pub(super) fn begin_tenure(&mut self, node: &str, now: Timestamp) -> (Incarnation, Tenure) {
        self.pauses.forget_ended(now);
        for node in self.ownings.nodes.values_mut() {
            node.record.state = NodeState::Dead;
        }
        let me = self.ownings.add(&NewNode {
            name: node.to_owned(),
            role: crate::domain::ownership::NodeRole::All,
            address: None,
            version: String::new(),
            launch: None,
        });
        self.lease_newcomers(None);
        let epoch =
            Epoch(self.ownings.leases.values().map(|lease| lease.epoch.0).max().unwrap_or(0).max(self.epoch) + 1);
        self.epoch = epoch.0;
        for lease in self.ownings.leases.values_mut() {
            *lease = Lease { owner: Some(me), desired: None, ready: false, epoch, ..*lease };
        }
        (me, self.give_back(epoch, |_| true, |_| true))
    }

    fn in_use(&self, key: LeaseKey) -> bool {
        match key {
            LeaseKey::Bot(bot) => self.bots.get(&bot).is_some_and(|(_, in_use)| *in_use),
            LeaseKey::Chat(chat) => self.chats.get(&chat).is_some_and(|(_, in_use)| *in_use),
        }
    }

    fn picture(&self) -> Picture {
        let leases: Vec<Lease> = self.ownings.leases.values().filter(|lease| self.in_use(lease.key)).copied().collect();
        let owns = |node: &NodeRecord| leases.iter().any(|lease| lease.owner == Some(node.incarnation));
        let nodes = self.ownings.records().filter(|node| node.state != NodeState::Dead || owns(node));
        Picture { nodes: nodes.cloned().collect(), leases, config_seq: ConfigSeq(self.config_seq) }
    }

    fn wish(&mut self, wish: Wish) {
        if let Some(lease) = self.ownings.leases.get_mut(&wish.key)
            && lease.desired != wish.desired
        {
            (lease.desired, lease.ready) = (wish.desired, false);
        }
    }

    fn take(&mut self, me: Incarnation, key: LeaseKey) -> Option<Epoch> {
        let free = self.ownings.living(me) && self.ownings.living_owner(key).is_none();
        let lease = self.ownings.leases.get_mut(&key).filter(|lease| free && lease.desired == Some(me))?;
        let epoch = Epoch(lease.epoch.0 + 1);
        *lease = Lease { owner: Some(me), desired: None, ready: false, epoch, ..*lease };
        if let LeaseKey::Bot(bot) = key {
            let dead = self.sent_by(|state, sender| !state.ownings.living(sender));
            self.give_back(epoch, |of| of == bot, |message| dead.contains(&message));
        }
        Some(epoch)
    }

    /// Returns the messages being sent by incarnations of which `of` is true.
    fn sent_by(&self, of: impl Fn(&Self, Incarnation) -> bool) -> Vec<OutboxId> {
        self.senders.iter().filter(|(_, sender)| of(self, **sender)).map(|(message, _)| *message).collect()
    }

    fn settle_abandoned(&mut self, me: Incarnation, bot: BotId, overdue: bool) -> u64 {
        if self.ownings.living_owner(LeaseKey::Bot(bot)) == Some(me) {
            let abandoned = self.sent_by(|state, sender| sender != me && (overdue || !state.ownings.living(sender)));
            self.give_back_sends(|of| of == bot, |message| abandoned.contains(&message));
        }
        let sending = self.outbox.values().filter(|message| message.bot == bot);
        let sending = sending.filter(|message| message.progress.state == OutboxState::Sending);
        sending.filter(|message| self.senders.get(&message.id).is_some_and(|sender| *sender != me)).count() as u64
    }

    /// Counts the work that this incarnation had in hand for a bot as failed.
    pub(super) fn reclaim(&mut self, me: Option<Incarnation>, bot: BotId) {
        let mine = self.sent_by(|_, sender| Some(sender) == me);
        self.give_back(Epoch(0), |other| other == bot, |message| mine.contains(&message));
    }

    /// Returns whether `me` owns the lease; without `me`, every lease counts as owned.
    pub(super) fn owned_by(&self, me: Option<Incarnation>, key: LeaseKey) -> bool {
        me.is_none() || self.ownings.leases.get(&key).and_then(|lease| lease.owner) == me
    }

    pub(super) fn hand_over_lease(&mut self, key: LeaseKey, to: Incarnation, epoch: Epoch) {
        let lease = self.ownings.leases.get_mut(&key).expect("the judge has seen it");
        *lease = Lease { owner: Some(to), desired: None, ready: false, epoch, ..*lease };
    }

    pub(super) fn bot_fence(&self, bot: BotId) -> Option<Epoch> {
        self.ownings.fence(LeaseKey::Bot(bot))
    }

    pub(super) fn chat_fence(&self, chat: ChatId) -> Option<Epoch> {
        self.ownings.fence(LeaseKey::Chat(chat))
    }
}

impl MemoryStore {
    /// Sets the database's clock, which answers to beats carry.
    pub fn set_now(&self, now: Timestamp) {
        self.state().ownings.now = now;
    }

    /// Cuts this process off from the store, or connects it again.
    pub fn set_reachable(&self, reachable: bool) {
        self.cut_off.store(!reachable, std::sync::atomic::Ordering::SeqCst);
    }

    /// Makes every attempt to plan find another planner at work, or no longer.
    pub fn set_planner_busy(&self, busy: bool) {
        self.state().ownings.planner_is_busy = busy;
    }

    /// Returns a lease.
    pub fn lease(&self, key: LeaseKey) -> Option<Lease> {
        self.state().ownings.leases.get(&key).copied()
    }

    /// Returns the messages being sent, each with its sender.
    pub fn being_sent(&self) -> Vec<(OutboxId, Option<Incarnation>)> {
        let state = self.state();
        let sending = state.outbox.values().filter(|message| message.progress.state == OutboxState::Sending);
        sending.map(|message| (message.id, state.senders.get(&message.id).copied())).collect()
    }

    /// Returns every turn, with the number of its messages.
    pub fn every_turn(&self) -> Vec<(Turn, usize)> {
        let state = self.state();
        let mut messages: BTreeMap<_, usize> = BTreeMap::new();
        for message in state.outbox.values() {
            *messages.entry(message.turn).or_default() += 1;
        }
        state.turns.values().map(|turn| (turn.clone(), messages.get(&turn.id).copied().unwrap_or(0))).collect()
    }

    /// Returns every message.
    pub fn every_message(&self) -> Vec<OutboxMessage> {
        self.state().outbox.values().cloned().collect()
    }

    /// Returns every node that ever joined, the dead ones too.
    pub fn every_node(&self) -> Vec<NodeRecord> {
        self.state().ownings.records().cloned().collect()
    }
}

#[async_trait]
impl Cluster for MemoryStore {
    async fn join(&self, node: &NewNode) -> Result<Incarnation, StoreError> {
        let mut state = self.reach()?;
        if state.ownings.records().any(|known| known.state != NodeState::Dead && known.name == node.name) {
            return Err(StoreError::Unavailable(format!("a node named {} still lives", node.name)));
        }
        let me = state.ownings.add(node);
        drop(state);
        *self.place() = super::Place { tenure: None, me: Some(me), in_cluster: true };
        Ok(me)
    }

    async fn beat(&self, me: Incarnation, report: &NodeReport) -> Result<BeatAnswer, StoreError> {
        let mut state = self.reach()?;
        let (now, config_seq, low_water) = (state.ownings.now, ConfigSeq(state.config_seq), state.low_water.0);
        let told = state.ownings.record(me).map_or(NodeState::Dead, |record| {
            if record.state != NodeState::Dead {
                record.beat += 1;
                record.report = *report;
            }
            record.state
        });
        Ok(BeatAnswer { state: told, now, config_seq, low_water })
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        let state = self.reach()?;
        Ok(state.ownings.records().filter(|node| node.state != NodeState::Dead).cloned().collect())
    }

    async fn picture(&self) -> Result<Picture, StoreError> {
        Ok(self.reach()?.picture())
    }

    async fn bury(&self, silent: &[(Incarnation, i64)]) -> Result<Vec<Incarnation>, StoreError> {
        let mut state = self.reach()?;
        let mut buried = Vec::new();
        for (node, beat) in silent {
            if let Some(record) = state.ownings.record(*node)
                && record.beat == *beat
                && record.state != NodeState::Dead
            {
                record.state = NodeState::Dead;
                buried.push(*node);
            }
        }
        Ok(buried)
    }

    async fn bury_launch(&self, launch: i64) -> Result<(), StoreError> {
        for node in self.reach()?.ownings.nodes.values_mut().filter(|node| node.launch == Some(launch)) {
            node.record.state = NodeState::Dead;
        }
        Ok(())
    }

    async fn set_draining(&self, node: &str, draining: bool) -> Result<bool, StoreError> {
        let mut found = false;
        for node in self.reach()?.ownings.nodes.values_mut().filter(|known| known.record.name == node) {
            if node.record.state != NodeState::Dead {
                node.record.state = if draining { NodeState::Draining } else { NodeState::Alive };
                found = true;
            }
        }
        Ok(found)
    }

    async fn plan(&self, planner: Planner<'_>) -> Result<bool, StoreError> {
        let mut state = self.reach()?;
        if state.ownings.planner_is_busy {
            return Ok(false);
        }
        for wish in planner(&state.picture()) {
            state.wish(wish);
        }
        Ok(true)
    }

    async fn ready(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<(), StoreError> {
        let mut state = self.reach()?;
        for key in keys {
            if let Some(lease) = state.ownings.leases.get_mut(key).filter(|lease| lease.desired == Some(me)) {
                lease.ready = true;
            }
        }
        Ok(())
    }

    async fn take(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<Vec<(LeaseKey, Epoch)>, StoreError> {
        let mut state = self.reach()?;
        Ok(keys.iter().filter_map(|key| Some((*key, state.take(me, *key)?))).collect())
    }

    async fn settle_abandoned(&self, me: Incarnation, bot: BotId, overdue: bool) -> Result<u64, StoreError> {
        Ok(self.reach()?.settle_abandoned(me, bot, overdue))
    }

    async fn leave(&self, me: Incarnation) -> Result<(), StoreError> {
        if let Some(record) = self.reach()?.ownings.record(me) {
            record.state = NodeState::Dead;
        }
        Ok(())
    }
}
