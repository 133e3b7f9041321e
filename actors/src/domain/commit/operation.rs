//! Operations of a group commit and their results. Layer `domain`. Keeps I1-I4, I6, I11.
//!
//! Longer than other files: it is the list of all that can be committed, with a few fields each.

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

/// One owning write.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A bot took updates.
    Ingest(Ingest),
    /// A chat moved on.
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
    /// Telegram asked for a pause over something that is no message.
    Pause(Paused),
    /// Pauses of a bot end sooner.
    LiftPauses(LiftPauses),
    /// Evidence tells that a message of unknown fate was sent.
    Resolve(Resolve),
    /// A chat got another id at Telegram.
    Migrate(Migrate),
    /// A person stops or starts something.
    SetStop(SetStop),
    /// A person makes use of a right.
    SetRight(SetRight),
    /// A webhook brought updates.
    Receive(Receive),
    /// A bot's updates arrive in another way from now on.
    SetDelivery(SetDelivery),
    /// A bot puts back a turn that it will not end.
    Unclaim(Claim),
    /// A person gives a dead letter another go.
    Redeliver(Redeliver),
    /// A node takes from a budget.
    TakeAllowance(TakeAllowance),
    /// A node gives back to a budget what it did not spend.
    ReturnAllowance(ReturnAllowance),
    /// An owner gives a lease to the node that waits for it.
    HandOver(HandOver),
    /// A bot can post in a chat no more, or again.
    SetAbsence(SetAbsence),
}

/// An owner gives a lease to the node that waits for it: owner and epoch + 1 in one step, so that everything before it
/// is stored and everything after it is fenced. Turns in hand go back to the queue, as if nobody had claimed them;
/// attempts under way are settled by whoever made them (I6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// Of what.
    pub key: LeaseKey,
    /// The owner's fence.
    pub epoch: Epoch,
    /// Who waits for it.
    pub to: Incarnation,
}

/// Telegram says to a bot that it can post in a chat no more, or again. Fenced by the bot: its chat may live elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAbsence {
    /// The bot.
    pub bot: BotId,
    /// Its fence.
    pub epoch: Epoch,
    /// The chat.
    pub chat: ChatId,
    /// It cannot post there.
    pub absent: bool,
}

/// Rows that a webhook brought. No owning write: without fence, and without a word on the offset, since webhooks and
/// polls confirm independently of one another (I1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receive {
    /// The rows; those already stored are left alone (I2).
    pub rows: Vec<InboxRow>,
}

/// A bot's updates arrive in another way from now on. Its offset is forgotten in the same step: after a webhook,
/// ids may have started anew, and an old offset would confirm what nobody has seen (I1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDelivery {
    /// The bot.
    pub bot: BotId,
    /// Its fence.
    pub epoch: Epoch,
    /// The way, with the address that Telegram is told when it is a webhook.
    pub choice: DeliveryChoice,
}

/// A person gives a dead letter another go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeliver {
    /// Which.
    pub letter: DeadLetterId,
    /// For a message: the later parts of its turn, which go on once it is sent if they were given up with it.
    pub later_parts: Vec<OutboxId>,
    /// The person knows that a message of unknown fate may show up twice.
    pub confirm_duplicate: bool,
    /// Due at once.
    pub now: Timestamp,
    /// Stale after.
    pub expires_at: Timestamp,
}

/// Rows received by a bot, and the offset that may be confirmed once they are stored (I1).
#[derive(Clone, Debug, PartialEq)]
pub struct Ingest {
    /// The bot.
    pub bot: BotId,
    /// Its fence.
    pub epoch: Epoch,
    /// Last seen + 1, not the maximum: after a quiet week Telegram restarts update ids at random.
    pub next_offset: i64,
    /// The rows; those already stored are left alone (I2).
    pub rows: Vec<InboxRow>,
}

/// What a chat made of its inbox rows, and whom it asks to speak.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// The chat.
    pub chat: ChatId,
    /// Its fence.
    pub epoch: Epoch,
    /// The last number before this operation: transcripts have no gaps (I3).
    pub base: Number,
    /// New entries, numbered from `base` + 1.
    pub entries: Vec<TranscriptEntry>,
    /// Outcomes of inbox rows.
    pub handled: Vec<Handled>,
    /// New decisions.
    pub decisions: Vec<Decision>,
    /// New turns.
    pub turns: Vec<Turn>,
    /// When to wake the chat if it stays quiet.
    pub next_tick_at: Option<Timestamp>,
    /// Bots that can post here no more (`true`), or again (`false`).
    pub absences: Vec<(BotId, bool)>,
    /// Loop physics keep the chat quiet until then (I11).
    pub calm_until: Option<Timestamp>,
    /// People here have been told, with this step or before it, that they talk to an AI.
    pub disclosed: bool,
}

/// A bot begins a turn: from here a crash counts as a failure of it. Where a stop keeps the bot silent, the turn is
/// dropped instead (I9): it costs no money, and whatever it would do is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The bot.
    pub bot: BotId,
    /// Its fence.
    pub epoch: Epoch,
    /// The turn, which must be queued.
    pub turn: TurnId,
    /// Its chat: stops.
    pub chat: ChatId,
    /// Now, on the database's clock.
    pub now: Timestamp,
}

/// A bot ended a turn that it had claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// The bot.
    pub bot: BotId,
    /// Its fence.
    pub epoch: Epoch,
    /// The turn.
    pub turn: TurnId,
    /// How it ended.
    pub ending: TurnEnding,
    /// What the model used, also when the answer was refused.
    pub usage: Option<Usage>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnEnding {
    /// With messages; the first is begun in the same commit when `begin` is given and its rules allow it.
    Said {
        /// The parts, in order.
        messages: Vec<OutboxMessage>,
        /// Begins the first part.
        begin: Option<Start>,
    },
    /// With an effect that is no message, and that was seen to happen.
    Acted,
    /// It failed, and is queued again until its attempts are used up.
    Failed(String),
    /// Given up on purpose.
    Dropped(String),
    /// It came too late.
    Expired,
}

/// The start of an attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Names the attempt.
    pub attempt: AttemptId,
    /// Limits with authority over it (I11).
    pub rules: SendRules,
    /// Now, on the database's clock.
    pub now: Timestamp,
}

/// Limits with authority over a send.
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
    /// Its fence.
    pub epoch: Epoch,
    /// The message, which must be queued or due again.
    pub outbox: OutboxId,
    /// The attempt.
    pub start: Start,
}

impl Start {
    /// What the start counts when it is allowed.
    pub fn counted(&self) -> Counted {
        Counted { at: self.now, windows: self.rules.windows.clone() }
    }
}

/// What the start of an attempt counted in its windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub windows: Vec<WindowRule>,
}

/// An attempt to send ended. Not fenced by epoch but by the attempt itself (I6).
#[derive(Clone, Debug, PartialEq)]
pub struct Settle {
    /// The message.
    pub outbox: OutboxId,
    /// The attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub result: SendResult,
    /// When sent: the event for the chat's inbox.
    pub event: Option<InboxRow>,
    /// Pauses that Telegram asked for.
    pub pauses: Vec<Pause>,
    /// When certainly nothing was sent: what the attempt counted, which no window counts any more.
    pub unsent: Option<Counted>,
}

impl Settle {
    /// The end of an attempt in which certainly nothing was sent.
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
    /// Which bot, where, and until when.
    pub pause: Pause,
}

/// Pauses of a bot that would last longer end then: a person lifted them, or they are longer than any is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiftPauses {
    /// The bot.
    pub bot: BotId,
    /// Its fence.
    pub epoch: Epoch,
    /// When they end at the latest.
    pub until: Timestamp,
}

/// Evidence (another bot's copy, a reply) tells that a message of unknown fate is in the chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolve {
    /// The chat that saw the evidence.
    pub chat: ChatId,
    /// Its fence.
    pub epoch: Epoch,
    /// The message, which must be unknown.
    pub outbox: OutboxId,
    /// Telegram's id of it.
    pub message_id: MessageId,
    /// The event for the chat's inbox.
    pub event: InboxRow,
}

/// A group became a supergroup: the chat keeps its history under a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrate {
    /// The chat.
    pub chat: ChatId,
    /// Its fence.
    pub epoch: Epoch,
    /// Telegram's new id of it.
    pub to: TelegramChatId,
    /// When.
    pub at: Timestamp,
}

/// A message is given up before it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Cancel {
    /// The bot.
    pub bot: BotId,
    /// Its fence.
    pub epoch: Epoch,
    /// The message.
    pub outbox: OutboxId,
    /// Why.
    pub reason: String,
}

/// A person stops or starts something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStop {
    /// What.
    pub scope: StopScope,
    /// What they want.
    pub order: StopOrder,
    /// Who asked.
    pub by: String,
    /// When they said so, by Telegram's clock if they said it there.
    pub at: Timestamp,
}

/// A person makes use of a right, or an operator does for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRight {
    /// Telegram's id of the person.
    pub person: TelegramUserId,
    /// Which right.
    pub right: Right,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A node takes from a budget. Not fenced: a block that nobody spends is forfeited, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeAllowance {
    /// The budget's period.
    pub key: AllowanceKey,
    /// Most that all nodes may take together.
    pub limit: i64,
    /// What the call at hand needs; zero for a look ahead.
    pub need: i64,
    /// What is taken while there is plenty.
    pub block: i64,
}

/// A node gives back what it took and did not spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAllowance {
    /// The budget's period.
    pub key: AllowanceKey,
    /// How much.
    pub amount: i64,
}

/// What a committed operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// All that it said.
    Done,
    /// It stored what was not stored before; so many rows were there already.
    Ingested {
        /// Rows that another delivery had stored.
        already_there: usize,
    },
    /// The messages are in the outbox; whether the first may be sent now.
    Said(Option<Verdict>),
    /// Whether the message may be sent now.
    Begun(Verdict),
    /// A stop was set or lifted; what stops the scope now.
    StopSet(Option<Stop>),
    /// A right is in force.
    RightSet {
        /// Whether it was in force already.
        already: bool,
    },
    /// A newer word of the person's says the opposite, which stays in force.
    RightOutdated,
    /// What was taken from a budget.
    Allowance {
        /// How much; zero when the budget does not have it.
        taken: i64,
        /// What all nodes took so far, this included.
        granted: i64,
    },
    /// The turn was dropped instead of claimed: this stop keeps its bot silent.
    Stopped(StopScope),
    /// The turn failed; whether it is queued again or dead.
    Failed {
        /// It will not be tried again.
        dead: bool,
    },
}

/// The authority's answer to a wish to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `sending` is committed: send it.
    Send,
    /// It waits until then.
    Wait(Timestamp),
    /// It was cancelled, with the reason.
    Cancelled(String),
}

/// Why an operation dropped out of its batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another epoch owns the bot or chat: stop acting for it.
    #[error("fenced: the lease is held under another epoch")]
    Fenced,
    /// A row is missing, in another state or at another number: the caller's picture is stale.
    #[error("conflict: {0}")]
    Conflict(String),
    /// It holds words of somebody who does not want them stored.
    #[error("unwanted: {0}")]
    Unwanted(&'static str),
}
