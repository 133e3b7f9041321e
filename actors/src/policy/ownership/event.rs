//! What the machine of a node hears, and what it asks for. Layer `policy`.
//!
//! Instants are boot times: comparable within one process only.

use std::time::Duration;

use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey, NodeRecord, NodeState, Picture};

/// What the machine hears. Each comes with the boot time at which it is heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time passed: what is due?
    Tick,
    /// A beat ended that was sent at `sent_at`; `None` when the store did not answer.
    Beaten {
        /// When it was sent.
        sent_at: Duration,
        /// What the store says that this node is.
        state: Option<NodeState>,
    },
    /// A look at the beats that was begun at `asked_at` ended; `None` when the store did not answer.
    Observed {
        /// When it was begun.
        asked_at: Duration,
        /// The nodes that are not dead.
        nodes: Option<Vec<NodeRecord>>,
    },
    /// A look at nodes and leases that was begun at `asked_at` ended; `None` when the store did not answer.
    Read {
        /// When it was begun.
        asked_at: Duration,
        /// The picture.
        picture: Option<Picture>,
    },
    /// A hint says that leases or nodes changed.
    Hinted,
    /// A planning ended, in which this node planned or another did; the leases may have changed.
    Planned,
    /// A burial ended, whatever it came to.
    Buried,
    /// Leases were taken; those asked for and not among them belong to somebody else.
    Taken {
        /// What was asked for.
        asked: Vec<LeaseKey>,
        /// What was got; empty when the store did not answer.
        taken: Vec<(LeaseKey, Epoch)>,
    },
    /// This node is warm for the lease: it may tell so.
    Warmed(LeaseKey),
    /// It could not be warmed, or not tell: again with the next look.
    NotWarmed(LeaseKey),
    /// The lease was handed over: the actor takes nothing any more and its last write is stored.
    HandedOver(LeaseKey),
    /// The lease could not be handed over now: the actor goes on.
    NotHandedOver(LeaseKey),
    /// A write of the lease's actor was refused: somebody else owns it.
    Fenced(LeaseKey, Epoch),
    /// The process shall end: give everything up.
    Drain,
}

/// What the machine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a beat.
    Beat,
    /// Look at the beats of all.
    Observe,
    /// Look at nodes and leases.
    Read,
    /// Declare these dead, if their beats are still those.
    Bury(Vec<(Incarnation, i64)>),
    /// Plan, if nobody else does.
    Plan,
    /// Take these leases, which nobody alive owns.
    Take(Vec<LeaseKey>),
    /// Warm up for a lease that is to come, then tell the store that this node is ready.
    Warm(LeaseKey),
    /// Start the actor under this epoch.
    Start(LeaseKey, Epoch),
    /// The lease is somebody else's: end the actor at once; nothing that it would still write counts.
    Stop(LeaseKey, Epoch),
    /// The desired owner waits: stop taking work, hand over, tell.
    HandOver(LeaseKey, Epoch, Incarnation),
    /// Cause no effect from here on: polls end, no send begins.
    Suspend,
    /// Effects are allowed again.
    Resume,
    /// Tell the store that this node gives everything up.
    Drain,
    /// Nothing is left to give up: the process may end.
    Drained,
    /// The store says that this incarnation is dead: the process must end and start as another.
    Superseded,
}
