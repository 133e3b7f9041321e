//! A turn at work. Layer `actors`.

use std::time::{Duration, Instant};

use tokio::time::Instant as Moment;

use crate::actors::bot::messages::TurnJob;
use crate::actors::provider::call::Wanted;
use crate::behaviour::objection::Objection;
use crate::domain::commit::operations::Finish;
use crate::domain::commit::start::Start;
use crate::domain::ids::OutboxId;
use crate::domain::turn::Usage;
use crate::ports::llm::CompletionRequest;

/// The store's latest answer to a claim.
#[derive(Clone, Copy, Debug)]
pub(super) enum Claims {
    /// The store took the claim, or refused it.
    Committed,
    /// The store did not answer; no turn begins before that time.
    Failed(Moment),
}

/// A turn at work.
pub(super) struct Job {
    /// The turn and its context.
    pub(super) given: TurnJob,
    /// Distinguishes calls of this try from those of an earlier try.
    pub(super) generation: u64,
    pub(super) request: Option<CompletionRequest>,
    /// Place in the chain of models, and tries there.
    pub(super) model: usize,
    pub(super) tries: u32,
    pub(super) rounds: u32,
    /// Texts for the turn that the firewall kept back.
    pub(super) kept_back: u32,
    /// True when a model of this round may answer later; `retry_after` is the shortest pause that one asked for.
    pub(super) worth_waiting: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) usage: Option<Usage>,
    /// The reasons why texts for the turn were not said.
    pub(super) objections: Vec<Objection>,
    /// Tells calls whether they are still of use.
    pub(super) wanted: Wanted,
    pub(super) started: Instant,
    /// Distinguishes this job from an earlier job of the same turn.
    pub(super) serial: u64,
    /// The first message and the start of its attempt, when the turn's end begins that attempt.
    pub(super) begun: Option<(OutboxId, Box<Start>)>,
    /// The end of the turn, while its commit is under way.
    pub(super) finish: Option<Finish>,
}
