//! The messages about a bot's turns. Layer `actors`.

use std::sync::Arc;

use crate::actors::bot::ticket::Ticket;
use crate::actors::node::committer::CommitResult;
use crate::actors::provider::call::{Answered, CallError};
use crate::behaviour::identity::claim::Claim;
use crate::behaviour::objection::Objection;
use crate::domain::commit::start::Start;
use crate::domain::ids::{OutboxId, TurnId};
use crate::domain::transcript::TranscriptEntry;
use crate::ports::telegram::TelegramError;

/// The end of a transcript; `None` when the store did not give it.
pub(crate) type Tail = Option<Vec<Arc<TranscriptEntry>>>;

/// A text that a model wrote for a turn and that the guards of `behaviour::review` look at before the bot says it.
#[derive(Debug)]
pub struct Draft {
    pub(super) turn: TurnId,
    pub(super) ticket: Ticket,
    pub(super) text: String,
    /// The claim that the firewall found in the text.
    pub(super) claim: Option<Claim>,
}

/// The messages about turns; an answer under a ticket that is no longer awaited is ignored.
pub enum TurnMsg {
    /// A waiting turn may be due.
    Due,
    /// A claim was committed, or not.
    Claimed(TurnId, Ticket, CommitResult),
    /// The provider answered.
    Completed(TurnId, Ticket, Result<Answered, CallError>),
    /// The end of the transcript, read after a model wrote a text.
    NewsRead(Draft, Tail),
    /// Models judged a text; the objection of one of them, if any.
    Judged(Draft, Option<Objection>),
    /// The bot's own earlier texts, oldest first; `None` when the store did not answer.
    Recalled(Ticket, Option<Vec<String>>),
    /// Telegram answered a reaction.
    Reacted(TurnId, Ticket, Result<(), TelegramError>),
    /// Try a turn again after a wait.
    Retry(TurnId, Ticket),
    /// The end of a turn was committed, or not.
    Finished(TurnId, Ticket, Option<(OutboxId, Box<Start>)>, CommitResult),
    /// The end of a turn must be committed again: the store did not answer.
    FinishAgain(TurnId, Ticket),
    /// A turn must be given back again: the store did not answer.
    GiveBackAgain(TurnId),
    /// A turn was given back, or not.
    GivenBack(TurnId, CommitResult),
}
