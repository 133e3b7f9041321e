//! The port to the state that the nodes of a fleet share: beats, leases, plans. Layer `ports`. Keeps I5, I6.
//!
//! A lease changes its owner in two ways only: by [`Cluster::take`], when nobody alive owns it, and by the operation
//! `HandOver` of a group commit, with which the owner gives it to the node that waits for it.

use async_trait::async_trait;

use crate::domain::ids::{BotId, ConfigSeq, Epoch};
use crate::domain::ownership::{Incarnation, LeaseKey, NewNode, NodeRecord, NodeReport, NodeState, Picture, Wish};
use crate::domain::time::Timestamp;
use crate::ports::store::StoreError;

/// The store's answer to a beat, which is the sign of life that a node writes: whether the node still counts as alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatAnswer {
    /// State of this node in the store. `Dead` is final for the incarnation.
    pub state: NodeState,
    /// Time on the database's clock.
    pub now: Timestamp,
    /// Number of the configuration in force.
    pub config_seq: ConfigSeq,
    /// Number of the last rise of the chats' low-water marks. The node's next report repeats it.
    pub low_water: i64,
}

/// Decides under the planner's lock which leases shall change their desired owner; pure.
pub type Planner<'a> = &'a (dyn Fn(&Picture) -> Vec<Wish> + Send + Sync);

/// The state that the nodes of a fleet share.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// Registers a new incarnation; older ones of its name must be dead.
    ///
    /// # Errors
    /// `StoreError::Unavailable` when a node of that name still lives: ask again, or choose another name.
    async fn join(&self, node: &NewNode) -> Result<Incarnation, StoreError>;

    /// Reports that `me` lives. A dead incarnation is not revived.
    async fn beat(&self, me: Incarnation, report: &NodeReport) -> Result<BeatAnswer, StoreError>;

    /// Returns all nodes that are not dead, for the observers.
    async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError>;

    /// Returns the cluster view: nodes and leases in one consistent read.
    async fn picture(&self) -> Result<Picture, StoreError>;

    /// Declares dead those incarnations whose beat is still the one that the observer saw. Returns the ones declared
    /// dead.
    async fn bury(&self, silent: &[(Incarnation, i64)]) -> Result<Vec<Incarnation>, StoreError>;

    /// Declares dead every incarnation of a start whose process has ended, as its launcher saw.
    async fn bury_launch(&self, launch: i64) -> Result<(), StoreError>;

    /// Asks a node, `me` or another, to give up its leases, or withdraws that. Returns false when no such node lives.
    async fn set_draining(&self, node: &str, draining: bool) -> Result<bool, StoreError>;

    /// Lets `planner` decide about a fresh cluster view under the planner's lock, and writes the desired owners that it
    /// returns. Returns false when another node is planning.
    async fn plan(&self, planner: Planner<'_>) -> Result<bool, StoreError>;

    /// Reports that `me` is warm for those of these leases whose desired owner is `me`; leaves the others unchanged.
    async fn ready(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<(), StoreError>;

    /// Takes those of the leases whose desired owner is `me` and that nobody alive owns, each under its epoch + 1.
    /// Returns the leases taken. The same transaction gives back the work of their dead owners: claimed turns go back
    /// to the queue, or become dead after too many attempts; sends become unknown, or due again where the message's
    /// policy says so (I4, I8).
    async fn take(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<Vec<(LeaseKey, Epoch)>, StoreError>;

    /// Settles the sends that other incarnations began for a bot that `me` owns. Sends of dead incarnations become
    /// unknown, or due again where the message's policy says so. Sends of living incarnations do so only when
    /// `overdue`, since their senders settle them themselves (I6). Returns how many messages others are still sending.
    async fn settle_abandoned(&self, me: Incarnation, bot: BotId, overdue: bool) -> Result<u64, StoreError>;

    /// Ends `me`: the incarnation is dead, and the leases that it still owns are free.
    async fn leave(&self, me: Incarnation) -> Result<(), StoreError>;
}
