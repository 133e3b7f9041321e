//! Carries out people's orders to the cluster: drain a node, rebalance. Layer `runtime`.
//!
//! Every node takes every order: the order is written to the store, and hints make the other nodes look.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use botfleet_actors::domain::ownership::{Lease, LeaseKey, NodeRecord, NodeState, Picture, Wish};
use botfleet_actors::policy::ownership::planner::rebalance;
use botfleet_actors::policy::ownership::settings::OwnershipSettings;
use botfleet_actors::ports::bus::{Audience, BusMessage, Hint};
use botfleet_actors::ports::cluster::Cluster;
use botfleet_actors::ports::event::EventKind;
use botfleet_actors::ports::store::StoreError;
use serde::{Deserialize, Serialize};

use super::cluster_view::{ClusterView, MoveView, Names, Teller, view};
use super::fleet::RunningFleet;
use super::orders::OrderError;

/// Time after which a rebalance answers, done or not; the next rebalance does the rest.
const REBALANCE_WITHIN: Duration = Duration::from_secs(25);

/// Time within which the store must answer; otherwise the cluster view that this node saw last is shown.
const PICTURE_WITHIN: Duration = Duration::from_secs(1);

/// Interval of looks whether a wave has landed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The result of a rebalance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rebalanced {
    /// Set when nothing was done, only told.
    pub dry_run: bool,
    /// Set when the best placement is reached; always set in a dry run.
    pub done: bool,
    /// Number of waves that were made.
    pub waves: usize,
    /// Moves that were made; in a dry run, those that would be.
    pub moves: Vec<MoveView>,
}

impl RunningFleet {
    /// Returns the names of the bots and chats in the configuration.
    pub(super) fn names(&self) -> Names {
        Names::of_directory(&self.node.directory)
    }

    fn cluster(&self) -> Result<&dyn Cluster, OrderError> {
        let alone = || OrderError::Conflict("this fleet has one node, which owns everything".to_owned());
        self.node.cluster.as_deref().ok_or_else(alone)
    }

    /// Returns the cluster view: as the store has it now or, when the store does not answer, as this node saw it last.
    pub async fn cluster_view(&self) -> ClusterView {
        let seen = self.node.leases.picture();
        let (mode, picture, stale) = match (&self.node.cluster, seen) {
            (Some(cluster), seen) => match tokio::time::timeout(PICTURE_WITHIN, cluster.picture()).await {
                Ok(Ok(picture)) => ("cluster", Arc::new(picture), false),
                _ => ("cluster", seen.unwrap_or_default(), true),
            },
            (None, _) => ("embedded", Arc::new(self.own_picture()), false),
        };
        let teller = Teller {
            node: self.node.name.clone(),
            mode: mode.into(),
            acting: self.node.may_act(),
            bus_up: self.node.bus.is_up(),
            stale,
            config_seq: self.node.directory.known().config_seq,
        };
        view(teller, &picture, &self.names())
    }

    /// Makes the view of a cluster of one: this process owns every bot and chat.
    fn own_picture(&self) -> Picture {
        let known = self.node.directory.known();
        let node = NodeRecord {
            incarnation: self.node.me,
            name: self.node.name.clone(),
            role: self.role(),
            state: if self.is_stopping() { NodeState::Draining } else { NodeState::Alive },
            beat: 0,
            report: self.node.traffic.report(),
            address: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            joined_at: self.node.clock.now() - self.since.elapsed(),
        };
        let keys = known.bots.keys().map(|id| LeaseKey::Bot(*id));
        let keys = keys.chain(known.chats.keys().map(|id| LeaseKey::Chat(*id)));
        let lease = |key| Lease {
            key,
            owner: Some(self.node.me),
            desired: None,
            ready: false,
            epoch: self.node.leases.epoch(key).unwrap_or_default(),
        };
        Picture { leases: keys.map(lease).collect(), nodes: vec![node], config_seq: known.config_seq }
    }

    /// Asks a node to give up everything that it owns, or takes that order back.
    ///
    /// # Errors
    /// `UnknownNode` when no node of that name lives, `Conflict` when the fleet has one node.
    pub async fn set_draining(&self, node: &str, draining: bool, by: &str) -> Result<(), OrderError> {
        if !self.cluster()?.set_draining(node, draining).await? {
            return Err(OrderError::UnknownNode(node.to_owned()));
        }
        self.node.bus.publish(Audience::Everybody, BusMessage::Hints(vec![Hint::Nodes]));
        self.node.announce(if draining { EventKind::NodeDraining } else { EventKind::NodeUndrained }, node);
        tracing::warn!(node, draining, by, "control: drain");
        Ok(())
    }

    /// Moves bots and chats to where hashing alone places them, in waves of at most a share of each node's bots.
    ///
    /// # Errors
    /// When the store does not answer, or the fleet has one node.
    pub async fn rebalance(&self, dry_run: bool, by: &str) -> Result<Rebalanced, OrderError> {
        let cluster = self.cluster()?;
        let names = self.names();
        if dry_run {
            // All moves at once are the sum of all waves.
            let all = OwnershipSettings { moves_share: NonZeroU32::MIN, ..self.ownership.clone() };
            let picture = cluster.picture().await?;
            let moves = shown(&rebalance(&picture, &all), &picture, &names);
            return Ok(Rebalanced { dry_run, done: true, waves: 0, moves });
        }
        tracing::warn!(by, "control: rebalance");
        let until = Instant::now() + REBALANCE_WITHIN;
        let (mut moves, mut rounds, mut done) = (Vec::new(), 0, false);
        while Instant::now() < until {
            let decided = Mutex::new((Vec::new(), Picture::default()));
            let planner = |picture: &Picture| {
                let wishes = rebalance(picture, &self.ownership);
                *decided.lock().unwrap_or_else(PoisonError::into_inner) = (wishes.clone(), picture.clone());
                wishes
            };
            if !cluster.plan(&planner).await? {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            let (wishes, picture) = decided.into_inner().unwrap_or_else(PoisonError::into_inner);
            let wave: BTreeSet<LeaseKey> = wishes.iter().filter(|wish| wish.desired.is_some()).map(|w| w.key).collect();
            let under_way = picture.leases.iter().any(|lease| lease.desired.is_some());
            if wave.is_empty() && !under_way {
                done = true;
                break;
            }
            if !wave.is_empty() {
                rounds += 1;
                moves.extend(shown(&wishes, &picture, &names));
                self.node.bus.publish(Audience::Everybody, BusMessage::Hints(vec![Hint::Nodes]));
            }
            self.until_landed(cluster, until).await?;
        }
        Ok(Rebalanced { dry_run, done, waves: rounds, moves })
    }

    /// Waits until no lease has a desired owner.
    async fn until_landed(&self, cluster: &dyn Cluster, until: Instant) -> Result<(), StoreError> {
        while Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            if cluster.picture().await?.leases.iter().all(|lease| lease.desired.is_none()) {
                break;
            }
        }
        Ok(())
    }
}

fn shown(wishes: &[Wish], picture: &Picture, names: &Names) -> Vec<MoveView> {
    let name = |of| picture.node(of).map(|node| node.name.clone());
    let moves = wishes.iter().filter(|wish| wish.desired.is_some()).map(|wish| MoveView {
        kind: wish.key.kind().into(),
        name: names.of(wish.key),
        from: picture.leases.iter().find(|lease| lease.key == wish.key).and_then(|lease| lease.owner).and_then(name),
        to: wish.desired.and_then(name),
        ready: false,
    });
    moves.collect()
}
