//! The port to what the nodes of a fleet share about one another: beats, leases, plans. Layer `ports`. Keeps I5, I6.
//!
//! The lease itself changes hands in two ways only: [`Cluster::take`], when nobody alive owns it, and the operation
//! `HandOver` of a group commit, by which its owner gives it to the node that waits for it.

use async_trait::async_trait;

use crate::domain::ids::{BotId, ConfigSeq, Epoch};
use crate::domain::ownership::{Incarnation, LeaseKey, NewNode, NodeRecord, NodeReport, NodeState, Picture, Wish};
use crate::domain::time::Timestamp;
use crate::ports::store::StoreError;

/// What the store answers to a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatAnswer {
    /// How far the store says that this node is. `Dead` is final for the incarnation.
    pub state: NodeState,
    /// The database's clock.
    pub now: Timestamp,
    /// The configuration in force.
    pub config_seq: ConfigSeq,
}

/// Decides under the planner's lock what is wanted of the leases; pure.
pub type Planner<'a> = &'a (dyn Fn(&Picture) -> Vec<Wish> + Send + Sync);

/// What the nodes of a fleet share about one another.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// Registers a new incarnation; older ones of its name must be dead.
    ///
    /// # Errors
    /// `Busy` as `StoreError::Unavailable` when a node of that name still lives; ask again, or choose another name.
    async fn join(&self, node: &NewNode) -> Result<Incarnation, StoreError>;

    /// Tells that `me` lives. A dead incarnation is not revived.
    async fn beat(&self, me: Incarnation, report: &NodeReport) -> Result<BeatAnswer, StoreError>;

    /// All nodes that are not dead: what observers look at.
    async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError>;

    /// Nodes and leases in one consistent look.
    async fn picture(&self) -> Result<Picture, StoreError>;

    /// Declares incarnations dead whose beat is still the one that the observer saw; gives those that it was true of.
    async fn bury(&self, silent: &[(Incarnation, i64)]) -> Result<Vec<Incarnation>, StoreError>;

    /// A launcher saw its process end: whatever incarnation that start had is dead.
    async fn bury_launch(&self, launch: i64) -> Result<(), StoreError>;

    /// Asks a node to give up what it owns, or no longer; `me` or any other. False when no such node lives.
    async fn set_draining(&self, node: &str, draining: bool) -> Result<bool, StoreError>;

    /// Lets `planner` decide about a fresh picture under the planner's lock, and writes its wishes; false when another
    /// node plans at the moment.
    async fn plan(&self, planner: Planner<'_>) -> Result<bool, StoreError>;

    /// Tells that `me`, the desired owner of these leases, is warm. Others than the desired owner change nothing.
    async fn ready(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<(), StoreError>;

    /// Takes those of the leases that are wished for `me` and that nobody alive owns, each under its epoch + 1; gives
    /// those taken. In the same transaction what their dead owners had in hand goes back: claimed turns to the queue
    /// or, after too many attempts, to the dead; what they were sending becomes unknown, or due again where its policy
    /// says so (I4, I8).
    async fn take(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<Vec<(LeaseKey, Epoch)>, StoreError>;

    /// Looks after what other incarnations were sending for a bot that `me` owns now: of dead ones it becomes unknown,
    /// or due again where its policy says so; of living ones only when `overdue`, since they settle it themselves (I6).
    /// Gives how many are still being sent by others.
    async fn settle_abandoned(&self, me: Incarnation, bot: BotId, overdue: bool) -> Result<u64, StoreError>;

    /// `me` ends: it is dead from here on, and what it still owns is free.
    async fn leave(&self, me: Incarnation) -> Result<(), StoreError>;
}
