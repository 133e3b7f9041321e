//! Events and effects of a node's ownership machine. Layer `policy`.
//!
//! Instants are boot times: comparable within one process only.

use std::time::Duration;

use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey, NodeRecord, NodeState, Picture};

/// An event for the machine. Each comes with the boot time at which the machine hears it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time has passed: some task may be due.
    Tick,
    /// A beat ended; `state` is `None` when the store did not answer.
    Beaten {
        /// When the beat was sent.
        sent_at: Duration,
        /// The node's state according to the store.
        state: Option<NodeState>,
    },
    /// An observation of the beats ended; `nodes` is `None` when the store did not answer.
    Observed {
        /// When the observation began.
        asked_at: Duration,
        /// The nodes that are not dead.
        nodes: Option<Vec<NodeRecord>>,
    },
    /// A read of nodes and leases ended; `picture` is `None` when the store did not answer.
    Read {
        /// When the read began.
        asked_at: Duration,
        /// The cluster view.
        picture: Option<Picture>,
    },
    /// A hint said that leases or nodes changed.
    Hinted,
    /// A run of the planner ended, by this node or by another; the leases may have changed.
    Planned,
    /// An attempt to declare nodes dead ended, with any result.
    Buried,
    /// A take ended; leases that were asked for and not taken belong to another node.
    Taken {
        /// The leases asked for.
        asked: Vec<LeaseKey>,
        /// The leases taken; empty when the store did not answer.
        taken: Vec<(LeaseKey, Epoch)>,
    },
    /// This node is warm for the lease, and the store was told.
    Warmed(LeaseKey),
    /// The lease could not be warmed, or the store not told: try again with the next view.
    NotWarmed(LeaseKey),
    /// The lease was handed over: its actor takes no more work, and its last write is stored.
    HandedOver(LeaseKey),
    /// The lease could not be handed over at present: its actor goes on.
    NotHandedOver(LeaseKey),
    /// A write of the lease's actor was refused: another node owns the lease.
    Fenced(LeaseKey, Epoch),
    /// The process shall end: give up all leases.
    Drain,
}

/// An effect that the machine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a beat.
    Beat,
    /// Read the beats of all nodes.
    Observe,
    /// Read nodes and leases.
    Read,
    /// Declare these nodes dead, if their beats are still the given ones.
    Bury(Vec<(Incarnation, i64)>),
    /// Plan, unless another node does.
    Plan,
    /// Take these leases, which have no living owner.
    Take(Vec<LeaseKey>),
    /// Warm up for a lease that this node shall own, then tell the store that this node is ready.
    Warm(LeaseKey),
    /// Start the lease's actor under this epoch.
    Start(LeaseKey, Epoch),
    /// The lease belongs to another node: end its actor at once. Its further writes are refused.
    Stop(LeaseKey, Epoch),
    /// The desired owner waits: stop taking work, hand the lease over, and report.
    HandOver(LeaseKey, Epoch, Incarnation),
    /// Cause no more effects: polls end, no send begins.
    Suspend,
    /// Effects are allowed again.
    Resume,
    /// Tell the store that this node gives up all its leases.
    Drain,
    /// Nothing is left to give up: the process may end.
    Drained,
    /// The store says that this incarnation is dead: the process must end and start as another.
    Superseded,
}
