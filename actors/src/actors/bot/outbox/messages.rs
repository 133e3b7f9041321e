//! The messages of a bot's outbox. Layer `actors`.

use tokio::time::Instant;

use crate::actors::bot::turns::messages::Tail;
use crate::actors::node::committer::CommitResult;
use crate::behaviour::interruption::Pending;
use crate::domain::ids::{AttemptId, MessageId, OutboxId};
use crate::ports::telegram::TelegramError;

/// The messages that the outbox handles.
pub enum OutboxMsg {
    /// A waiting message may be due.
    Due(OutboxId),
    /// The end of the transcript, read after a message was typed.
    LookedAgain(OutboxId, Box<Pending>, Tail),
    /// The begin of a send was committed, or not.
    Begun(OutboxId, AttemptId, CommitResult),
    /// Telegram answered a send, at that time.
    Answered(OutboxId, AttemptId, Instant, Result<MessageId, TelegramError>),
    /// The end of an attempt was committed, or not.
    Settled(OutboxId, CommitResult),
    /// The end of an attempt must be committed again: the store did not answer.
    SettleAgain(OutboxId),
}
