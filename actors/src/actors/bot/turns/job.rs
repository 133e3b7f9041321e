//! A turn at work. Layer `actors`.

use std::time::Duration;

use tokio::time::Instant;

use crate::actors::bot::ticket::Ticket;
use crate::actors::provider::call::Wanted;
use crate::behaviour::firewall::Span;
use crate::behaviour::job::TurnJob;
use crate::behaviour::objection::Objection;
use crate::domain::commit::operations::Finish;
use crate::domain::commit::start::Start;
use crate::domain::ids::OutboxId;
use crate::domain::turn::Usage;
use crate::ports::llm::CompletionRequest;

/// A turn at work.
pub(super) struct Job {
    /// The turn and its context.
    pub(super) given: TurnJob,
    /// The ticket of the turn's claim and end.
    pub(super) ticket: Ticket,
    pub(super) phase: Phase,
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
    /// The text under review with its marked parts, for a persona that may mark words.
    pub(super) marked: Option<(String, Vec<Span>)>,
    /// Tells calls whether they are still of use.
    pub(super) wanted: Wanted,
    pub(super) started: Instant,
    /// The first message and the start of its attempt, when the turn's end begins that attempt.
    pub(super) begun: Option<(OutboxId, Box<Start>)>,
}

/// The answer that a turn at work waits for.
pub(super) enum Phase {
    /// For its claim: nothing was asked for the turn.
    Claiming,
    /// For the answer to what was asked under that ticket: of a model, of the store, of Telegram, or of a timer.
    Asking(Ticket),
    /// For the commit of its end.
    Ending(Finish),
    /// For the commit that gives it back; anything that a model still says comes too late.
    GivingBack,
}

impl Job {
    /// Creates a turn whose claim is being committed.
    pub(super) fn new(given: TurnJob, ticket: Ticket) -> Self {
        Self {
            given,
            ticket,
            phase: Phase::Claiming,
            request: None,
            model: 0,
            tries: 0,
            rounds: 0,
            kept_back: 0,
            worth_waiting: false,
            retry_after: None,
            usage: None,
            objections: Vec::new(),
            marked: None,
            wanted: Wanted::default(),
            started: Instant::now(),
            begun: None,
        }
    }

    /// Returns whether the turn waits for the answer under that ticket.
    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        matches!(self.phase, Phase::Asking(asked) if asked == ticket)
    }

    /// Returns whether the turn's end is being committed.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending(_))
    }
}
