//! Operations of a group commit and their results. Layer `domain`. Keeps I1-I4, I6, I11.
//!
//! Longer than other files: it lists all that can be committed, with a few fields each.

use serde::{Deserialize, Serialize};

use crate::domain::allowance::AllowanceKey;
use crate::domain::control::{Stop, StopOrder, StopScope};
use crate::domain::dead_letter::DeadLetterId;
use crate::domain::decision::Decision;
use crate::domain::ids::{
    AttemptId, BotId, ChatId, Epoch, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::{Handled, InboxRow};
use crate::domain::outbox::{OutboxMessage, SendResult};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::pause::Pause;
use crate::domain::people::Right;
use crate::domain::roster::DeliveryChoice;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Turn, Usage};
use crate::domain::window::WindowRule;

/// One write of a group commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A bot received updates.
    Ingest(Ingest),
    /// A chat handled rows: new entries, decisions and turns.
    Advance(Advance),
    /// A bot begins a turn.
    Claim(Claim),
    /// A bot ended a turn.
    Finish(Finish),
    /// A bot begins to send a message that waited.
    Begin(Begin),
    /// An attempt to send ended.
    Settle(Settle),
    /// A message is given up before it was sent.
    Cancel(Cancel),
    /// Telegram asked for a pause in answer to a call that is no message.
    Pause(Paused),
    /// Pauses of a bot end sooner.
    LiftPauses(LiftPauses),
    /// Evidence shows that a message of unknown fate was sent.
    Resolve(Resolve),
    /// A chat got another id at Telegram.
    Migrate(Migrate),
    /// A person stops or starts something.
    SetStop(SetStop),
    /// A person makes use of a right.
    SetRight(SetRight),
    /// A webhook brought updates.
    Receive(Receive),
    /// The delivery mode of a bot changes.
    SetDelivery(SetDelivery),
    /// A bot puts back a turn that it will not finish.
    Unclaim(Claim),
    /// A person redelivers a dead letter.
    Redeliver(Redeliver),
    /// A node takes from a budget.
    TakeAllowance(TakeAllowance),
    /// A node gives back to a budget what it did not spend.
    ReturnAllowance(ReturnAllowance),
    /// An owner hands a lease over to the desired owner.
    HandOver(HandOver),
    /// A bot lost or regained the ability to post in a chat.
    SetAbsence(SetAbsence),
}

/// An owner hands a lease over to the desired owner. Owner and epoch + 1 are set in one step, so that everything before
/// it is stored and everything after it is fenced. Turns in hand go back to the queue, as if nobody had claimed them;
/// attempts under way are settled by whoever made them (I6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// The leased bot or chat.
    pub key: LeaseKey,
    /// The owner's epoch.
    pub epoch: Epoch,
    /// The desired owner.
    pub to: Incarnation,
}

/// Telegram tells a bot that it lost or regained the ability to post in a chat. Fenced by the bot's lease: another node
/// may own the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAbsence {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The chat.
    pub chat: ChatId,
    /// The bot cannot post in the chat.
    pub absent: bool,
}

/// Rows that a webhook brought. No owning write: the operation has no fence and leaves the offset alone, since webhooks
/// and polls confirm independently of one another (I1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receive {
    /// The rows; those already stored are left alone (I2).
    pub rows: Vec<InboxRow>,
}

/// Changes the delivery mode of a bot. The bot's offset is forgotten in the same step: after a webhook, ids may have
/// started anew, and an old offset would confirm updates that nobody has seen (I1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDelivery {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The delivery mode, with the address that Telegram is told when it is a webhook.
    pub choice: DeliveryChoice,
}

/// A person redelivers a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeliver {
    /// The dead letter.
    pub letter: DeadLetterId,
    /// For a message: the later parts of its turn. Those that were cancelled with the message are queued again as well.
    pub later_parts: Vec<OutboxId>,
    /// The person accepts that a message of unknown fate may show up twice.
    pub confirm_duplicate: bool,
    /// Time from which the dead letter is due.
    pub now: Timestamp,
    /// Time from which the dead letter is stale.
    pub expires_at: Timestamp,
}

/// Rows received by a bot, and the offset that may be confirmed once they are stored (I1).
#[derive(Clone, Debug, PartialEq)]
pub struct Ingest {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// Last id seen + 1, not the highest id + 1: after a quiet week Telegram restarts update ids at random.
    pub next_offset: i64,
    /// The rows; those already stored are left alone (I2).
    pub rows: Vec<InboxRow>,
}

/// A chat handled inbox rows, or its tick: new entries, outcomes, decisions and turns.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// The chat.
    pub chat: ChatId,
    /// Epoch of the chat's lease.
    pub epoch: Epoch,
    /// Number of the last entry before this operation: transcripts have no gaps (I3).
    pub base: Number,
    /// New entries, numbered from `base` + 1.
    pub entries: Vec<TranscriptEntry>,
    /// Outcomes of inbox rows.
    pub handled: Vec<Handled>,
    /// New decisions.
    pub decisions: Vec<Decision>,
    /// New turns.
    pub turns: Vec<Turn>,
    /// Time to wake the chat if it stays quiet.
    pub next_tick_at: Option<Timestamp>,
    /// Bots that lost (`true`) or regained (`false`) the ability to post in the chat.
    pub absences: Vec<(BotId, bool)>,
    /// Time until which loop physics keep the chat quiet (I11).
    pub calm_until: Option<Timestamp>,
    /// People in the chat have been told, with this step or before it, that they talk to an AI.
    pub disclosed: bool,
}

/// A bot begins a turn: from then on a crash counts as a failure of the turn. While a stop keeps the bot silent, the
/// turn is dropped instead (I9), so that it costs no money and has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The turn, which must be queued.
    pub turn: TurnId,
    /// Chat of the turn, whose stops are checked.
    pub chat: ChatId,
    /// Current time, on the database's clock.
    pub now: Timestamp,
}

/// A bot ended a turn that it had claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The turn.
    pub turn: TurnId,
    /// Ending of the turn.
    pub ending: TurnEnding,
    /// Usage of the model, also when the answer was refused.
    pub usage: Option<Usage>,
}

/// Ending of a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnEnding {
    /// The turn made messages. The first is begun in the same commit when `begin` is given and its rules allow it.
    Said {
        /// The parts, in order.
        messages: Vec<OutboxMessage>,
        /// Start of the first part.
        begin: Option<Start>,
    },
    /// The turn had an effect that is no message, such as a reaction, and the effect was seen to happen.
    Acted,
    /// The turn failed, and is queued again until its attempts are used up.
    Failed(String),
    /// Given up on purpose.
    Dropped(String),
    /// The turn came too late.
    Expired,
}

/// The start of an attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Id of the attempt.
    pub attempt: AttemptId,
    /// Limits that the attempt must keep (I11).
    pub rules: SendRules,
    /// Current time, on the database's clock.
    pub now: Timestamp,
}

/// Limits that a send must keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRules {
    /// Longest chain of bot messages.
    pub chain_depth_max: Option<u32>,
    /// Sliding windows.
    pub windows: Vec<WindowRule>,
}

/// A bot begins to send a message that waited.
#[derive(Clone, Debug, PartialEq)]
pub struct Begin {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The message, which must be queued or due again.
    pub outbox: OutboxId,
    /// The attempt.
    pub start: Start,
}

impl Start {
    /// Returns the count of this start in its windows, when the start is allowed.
    pub fn counted(&self) -> Counted {
        Counted { at: self.now, windows: self.rules.windows.clone() }
    }
}

/// Count of an attempt's start in its windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Time of the start.
    pub at: Timestamp,
    /// The windows.
    pub windows: Vec<WindowRule>,
}

/// An attempt to send ended. Fenced by the attempt itself, not by an epoch (I6).
#[derive(Clone, Debug, PartialEq)]
pub struct Settle {
    /// The message.
    pub outbox: OutboxId,
    /// The attempt.
    pub attempt: AttemptId,
    /// Result of the attempt.
    pub result: SendResult,
    /// Event for the chat's inbox, when the message was sent.
    pub event: Option<InboxRow>,
    /// Pauses that Telegram asked for.
    pub pauses: Vec<Pause>,
    /// Count of the attempt to take back from its windows, when certainly nothing was sent.
    pub unsent: Option<Counted>,
}

impl Settle {
    /// Creates the end of an attempt in which certainly nothing was sent.
    pub fn unsent(outbox: OutboxId, start: &Start, result: SendResult) -> Self {
        let unsent = Some(start.counted());
        Self { outbox, attempt: start.attempt, result, event: None, pauses: Vec::new(), unsent }
    }
}

/// Telegram answered 429 to a poll, to "typing" or to another call that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    /// The bot's fence.
    pub epoch: Epoch,
    /// Bot, place and end of the pause.
    pub pause: Pause,
}

/// Ends longer pauses of a bot at `until`: a person lifted them, or they are longer than `PAUSE_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiftPauses {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// Latest end of the pauses.
    pub until: Timestamp,
}

/// Evidence (another bot's copy, a reply) shows that a message of unknown fate is in the chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolve {
    /// The chat that saw the evidence.
    pub chat: ChatId,
    /// Epoch of the chat's lease.
    pub epoch: Epoch,
    /// The message, which must be unknown.
    pub outbox: OutboxId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// The event for the chat's inbox.
    pub event: InboxRow,
}

/// A group became a supergroup: the chat keeps its history under a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrate {
    /// The chat.
    pub chat: ChatId,
    /// Epoch of the chat's lease.
    pub epoch: Epoch,
    /// Telegram's new id of the chat.
    pub to: TelegramChatId,
    /// Time of the migration.
    pub at: Timestamp,
}

/// A message is given up before it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Cancel {
    /// The bot.
    pub bot: BotId,
    /// Epoch of the bot's lease.
    pub epoch: Epoch,
    /// The message.
    pub outbox: OutboxId,
    /// Reason of the cancellation.
    pub reason: String,
}

/// A person stops or starts something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStop {
    /// Scope to stop or to start.
    pub scope: StopScope,
    /// The order.
    pub order: StopOrder,
    /// Author of the order.
    pub by: String,
    /// Time of the order, by Telegram's clock if the person gave it there.
    pub at: Timestamp,
}

/// A person makes use of a right, or an operator does for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRight {
    /// Telegram's id of the person.
    pub person: TelegramUserId,
    /// The right.
    pub right: Right,
    /// Author of the order.
    pub by: String,
    /// Time of the order.
    pub at: Timestamp,
}

/// A node takes from a budget. Not fenced: the worst case is a forfeited block that nobody spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeAllowance {
    /// The budget's period.
    pub key: AllowanceKey,
    /// Most that all nodes may take together.
    pub limit: i64,
    /// Amount that the call at hand needs; zero for a look ahead.
    pub need: i64,
    /// Amount that is taken while there is plenty.
    pub block: i64,
}

/// A node gives back to a budget an amount that it took and did not spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAllowance {
    /// The budget's period.
    pub key: AllowanceKey,
    /// Amount to give back.
    pub amount: i64,
}

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
    /// The operation holds words of somebody who does not want them stored.
    #[error("unwanted: {0}")]
    Unwanted(&'static str),
}
