//! Injects faults by a schedule, and heals each when its time is over. Layer: harness.
//!
//! A fault of a single node strikes only a node that no lasting fault strikes, and at most half of the nodes, rounded
//! up, are struck at the same time. Before all nodes are restarted or their number changes, lasting faults are healed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use botfleet_world::checker::origins::Pause;
use tokio::time::Instant;

use super::schedule::{Fault, Link, Step};
use crate::harness::cluster::node::{Node, Role};
use crate::harness::cluster::stage::ClusterStage;
use crate::harness::error::HarnessError;
use crate::servers::proxy::{Mode, TcpProxy};

/// How long a node may take to end by SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The record of the injected faults.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// How often each fault struck.
    pub faults: BTreeMap<String, u64>,
    /// Faults that could not be injected on this machine, and why.
    pub skipped: BTreeSet<String>,
    /// When processes were killed.
    pub kills_us: Vec<u64>,
    /// When processes were stopped by SIGSTOP.
    pub pauses: Vec<Pause>,
    /// How long nodes took to end by SIGTERM.
    pub ends: Vec<Duration>,
}

/// The action that ends a fault.
#[derive(Debug, Clone)]
enum Undo {
    Start(String),
    Thaw(String, u64),
    Pass(String, Link),
    HintsPass,
    StartRedis,
    StartDatabase,
    ContDatabase,
}

impl Undo {
    fn node(&self) -> Option<&str> {
        match self {
            Self::Start(node) | Self::Thaw(node, _) | Self::Pass(node, _) => Some(node),
            _ => None,
        }
    }
}

/// Returns one of the links of a node.
fn link_of(node: &Node, link: Link) -> &TcpProxy {
    match link {
        Link::Database => &node.links.database,
        Link::Redis => &node.links.redis,
        Link::Telegram => &node.links.telegram,
    }
}

/// Performs a schedule on a stage.
#[derive(Debug)]
pub struct Performer<'s> {
    stage: &'s mut ClusterStage,
    done: Done,
    lasting: Vec<(Instant, Undo)>,
}

impl<'s> Performer<'s> {
    /// Creates a performer for a stage.
    pub fn new(stage: &'s mut ClusterStage) -> Self {
        Self { stage, done: Done::default(), lasting: Vec::new() }
    }

    /// Performs the schedule, heals everything at `until`, and returns the record.
    ///
    /// # Errors
    /// A server or a node does not come back.
    pub async fn perform(mut self, steps: &[Step], until: Instant) -> Result<Done, HarnessError> {
        let began = Instant::now();
        for step in steps {
            self.wait_until((began + Duration::from_millis(step.at_ms)).min(until)).await?;
            self.strike(step.fault).await?;
        }
        self.wait_until(until).await?;
        self.heal().await?;
        Ok(self.done)
    }

    /// Waits until a time, and heals faults whose time is over meanwhile.
    async fn wait_until(&mut self, until: Instant) -> Result<(), HarnessError> {
        loop {
            let next =
                self.lasting.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(place, (at, _))| (place, *at));
            match next {
                Some((place, at)) if at <= until => {
                    tokio::time::sleep_until(at).await;
                    let (_, undo) = self.lasting.remove(place);
                    self.undo(undo).await?;
                }
                _ => {
                    tokio::time::sleep_until(until).await;
                    return Ok(());
                }
            }
        }
    }

    async fn heal(&mut self) -> Result<(), HarnessError> {
        for (_, undo) in std::mem::take(&mut self.lasting) {
            self.undo(undo).await?;
        }
        for node in &mut self.stage.nodes {
            node.heal().await?;
            if !node.runs() {
                node.spawn()?;
            }
        }
        Ok(())
    }

    /// Returns the first started node from `place` on that no lasting fault strikes; `None` if half of them are struck.
    fn free(&mut self, place: usize) -> Option<usize> {
        let count = self.stage.nodes.len();
        let struck: BTreeSet<String> =
            self.lasting.iter().filter_map(|(_, undo)| undo.node().map(str::to_owned)).collect();
        if count == 0 || struck.len() * 2 >= count {
            return None;
        }
        (0..count)
            .map(|step| (place + step) % count)
            .find(|index| !struck.contains(&self.stage.nodes[*index].name) && self.stage.nodes[*index].is_started())
    }

    fn last(&mut self, for_ms: u64, undo: Undo) {
        self.lasting.push((Instant::now() + Duration::from_millis(for_ms), undo));
    }

    fn lasts(&self, is_it: impl Fn(&Undo) -> bool) -> bool {
        self.lasting.iter().any(|(_, undo)| is_it(undo))
    }

    async fn strike(&mut self, fault: Fault) -> Result<(), HarnessError> {
        let name = fault.name();
        let struck = match fault {
            Fault::KillWorker { node }
            | Fault::KillAll { node, .. }
            | Fault::Freeze { node, .. }
            | Fault::Partition { node, .. } => match self.free(node) {
                Some(place) => self.strike_node(place, fault).await?,
                None => false,
            },
            Fault::RollingRestart | Fault::Scale { .. } => self.change_all(fault).await?,
            Fault::ClockJump { seconds } => {
                let Some(first) = self.stage.nodes.first() else { return Ok(()) };
                let shifted = first.shift_clock(seconds)?;
                if !shifted {
                    self.done.skipped.insert("clock jump: libfaketime is not on this machine".to_owned());
                }
                shifted
            }
            _ => self.strike_servers(fault).await?,
        };
        if struck {
            *self.done.faults.entry(name).or_default() += 1;
        }
        Ok(())
    }

    async fn strike_node(&mut self, place: usize, fault: Fault) -> Result<bool, HarnessError> {
        let now_us = self.stage.now_us();
        let node = &mut self.stage.nodes[place];
        let name = node.name.clone();
        match fault {
            Fault::KillWorker { .. } => {
                node.kill_worker().await?;
                self.done.kills_us.push(now_us);
            }
            Fault::KillAll { for_ms, .. } => {
                node.kill_all().await?;
                self.done.kills_us.push(now_us);
                self.last(for_ms, Undo::Start(name));
            }
            Fault::Freeze { for_ms, .. } => {
                node.freeze().await?;
                self.last(for_ms, Undo::Thaw(name, now_us));
            }
            Fault::Partition { link, cut, for_ms, .. } => {
                link_of(node, link).set(cut.mode());
                self.last(for_ms, Undo::Pass(name, link));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn strike_servers(&mut self, fault: Fault) -> Result<bool, HarnessError> {
        let database_is_away = self.lasts(|undo| matches!(undo, Undo::StartDatabase | Undo::ContDatabase));
        let redis_is_away = self.lasts(|undo| matches!(undo, Undo::StartRedis));
        match fault {
            Fault::HintsLost { for_ms } => {
                for node in self.stage.nodes.iter().filter(|node| node.links.redis.mode() == Mode::Pass) {
                    node.links.redis.set(Mode::DropMessages);
                }
                self.last(for_ms, Undo::HintsPass);
            }
            Fault::FlushAll if !redis_is_away => self.stage.redis.flush_all().await?,
            Fault::RedisRestart { for_ms } if !redis_is_away => {
                self.stage.redis.kill_9().await?;
                self.last(for_ms, Undo::StartRedis);
            }
            Fault::DatabaseCrash { for_ms } if !database_is_away => {
                self.stage.postgres.kill_9().await?;
                self.last(for_ms, Undo::StartDatabase);
            }
            Fault::DatabaseFreeze { for_ms } if !database_is_away => {
                self.stage.postgres.stop().await?;
                self.last(for_ms, Undo::ContDatabase);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Performs a fault of all nodes, after healing everything else.
    async fn change_all(&mut self, fault: Fault) -> Result<bool, HarnessError> {
        self.heal().await?;
        for node in &mut self.stage.nodes {
            node.wait_until_listening().await?;
        }
        match fault {
            Fault::RollingRestart => {
                for node in &mut self.stage.nodes {
                    self.done.ends.push(node.stop(STOP_WITHIN).await?.1);
                    node.start().await?;
                }
            }
            Fault::Scale { nodes } => {
                while self.stage.nodes.len() > nodes.max(1) {
                    self.done.ends.push(self.stage.remove_last().await?);
                }
                while self.stage.nodes.len() < nodes {
                    self.stage.add(Role::All).await?.spawn()?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn undo(&mut self, undo: Undo) -> Result<(), HarnessError> {
        let now_us = self.stage.now_us();
        let find = |stage: &mut ClusterStage, name: &str| stage.nodes.iter().position(|node| node.name == name);
        match undo {
            Undo::Start(name) => {
                if let Some(place) = find(self.stage, &name)
                    && !self.stage.nodes[place].runs()
                {
                    self.stage.nodes[place].spawn()?;
                }
            }
            Undo::Thaw(name, from_us) => {
                if let Some(place) = find(self.stage, &name) {
                    // A frozen worker may have been declared dead and killed by its launcher meanwhile.
                    let _ = self.stage.nodes[place].thaw().await;
                }
                self.done.pauses.push(Pause { node: name, from_us, to_us: now_us });
            }
            Undo::Pass(name, link) => {
                if let Some(place) = find(self.stage, &name) {
                    link_of(&self.stage.nodes[place], link).set(Mode::Pass);
                }
            }
            Undo::HintsPass => {
                for node in self.stage.nodes.iter().filter(|node| node.links.redis.mode() == Mode::DropMessages) {
                    node.links.redis.set(Mode::Pass);
                }
            }
            Undo::StartRedis => self.stage.redis.restart().await?,
            Undo::StartDatabase => self.stage.postgres.restart().await?,
            Undo::ContDatabase => self.stage.postgres.cont().await?,
        }
        Ok(())
    }
}
