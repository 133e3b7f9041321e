//! Results of the operations of a group commit. Layer `domain`.

use crate::domain::control::{Stop, StopScope};
use crate::domain::operator_order::OrderState;
use crate::domain::time::Timestamp;

/// Effect of a committed operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Everything that the operation contains was done.
    Done,
    /// The rows that were not stored before are stored.
    Ingested {
        /// Number of rows that another delivery had stored.
        already_there: usize,
    },
    /// The messages are in the outbox. The verdict tells whether the first may be sent; `None` when it was not to
    /// begin.
    Said(Option<Verdict>),
    /// Verdict on beginning to send the message.
    Begun(Verdict),
    /// A stop was set or lifted; the resulting stop of the scope.
    StopSet(Option<Stop>),
    /// A right is in force.
    RightSet {
        /// The right was in force already.
        already: bool,
    },
    /// A newer order of the person says the opposite, and stays in force.
    RightOutdated,
    /// An amount was taken from a budget.
    Allowance {
        /// Amount taken; zero when the budget does not have it.
        taken: i64,
        /// Amount that all nodes took so far, this included.
        granted: i64,
    },
    /// The turn was dropped instead of claimed: this stop keeps the bot silent.
    Stopped(StopScope),
    /// The turn was dropped instead of claimed: an operator has taken the bot over.
    GaveWay,
    /// The state in which an operator's order is now.
    Ordered(OrderState),
    /// The turn failed, and is queued again or dead.
    Failed {
        /// The turn will not be tried again.
        dead: bool,
    },
}

/// The judge's answer to a request to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `sending` is committed: the message may be sent.
    Send,
    /// The message waits until then.
    Wait(Timestamp),
    /// The message was cancelled, with the reason.
    Cancelled(String),
}

/// Reason why an operation dropped out of its batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another epoch owns the bot or chat: the caller must stop acting for it.
    #[error("fenced: the lease is held under another epoch")]
    Fenced,
    /// A row is missing, in another state or at another number: the caller's view of it is stale.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The operator of that name has taken the bot over.
    #[error("{0} has taken the bot over")]
    TakenOver(String),
    /// The operation holds words of somebody who does not want them stored.
    #[error("unwanted: {0}")]
    Unwanted(&'static str),
}

pub(super) fn conflict<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Conflict(what.into()))
}
