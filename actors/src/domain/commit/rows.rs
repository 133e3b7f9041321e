//! Rows loaded for a batch, and the changes that it makes. Layer `domain`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::domain::allowance::AllowanceKey;
use crate::domain::audit::AuditEntry;
use crate::domain::control::{Stop, StopScope, Stops};
use crate::domain::decision::Decision;
use crate::domain::ids::{
    BotId, ChatId, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::{Handled, InboxRow, Source};
use crate::domain::operator_order::{OrderId, OrderState, OrderStep, OrderTarget};
use crate::domain::outbox::{OutboxMessage, SendProgress};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::pause::{Pause, Pauses};
use crate::domain::people::SetRight;
use crate::domain::retraction::{RetractionEnding, Said};
use crate::domain::roster::DeliveryChoice;
use crate::domain::takeover::{Takeover, Takeovers};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, TranscriptEntry};
use crate::domain::turn::{Turn, TurnProgress};
use crate::domain::window::{Window, WindowKey};

/// The rows that a batch touches, as they were before the batch; the judge changes them operation by operation.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Epoch of each bot's lease.
    pub bots: HashMap<BotId, Epoch>,
    /// Epoch, last entry and last decision of each chat.
    pub chats: HashMap<ChatId, ChatHead>,
    /// Requested sources that are stored.
    pub sources: HashSet<(BotId, Source)>,
    /// Requested inbox rows that are stored; true while the row waits for its outcome.
    pub inbox: HashMap<InboxId, bool>,
    /// Requested inbox rows that tell of a message whose text was removed.
    pub emptied: HashSet<InboxId>,
    /// Requested inbox rows that are dead.
    pub dead_updates: HashSet<InboxId>,
    /// Requested entries that exist.
    pub entries: HashSet<EntryKey>,
    /// Requested turns.
    pub turns: HashMap<TurnId, TurnHead>,
    /// Requested outbox messages.
    pub outbox: HashMap<OutboxId, OutboxHead>,
    /// Sliding windows; a missing one is empty.
    pub windows: HashMap<WindowKey, Window>,
    /// Amount taken from each budget's period; a missing one is zero.
    pub allowances: HashMap<AllowanceKey, i64>,
    /// Requested people who have opted out.
    pub opted_out: HashSet<TelegramUserId>,
    /// Time of the last opt-out or opt-in of the requested people who ever gave one.
    pub said: HashMap<TelegramUserId, Timestamp>,
    /// Time of the latest erasure request of the requested people, fulfilled or not: words up to then are forgotten.
    pub forgotten: HashMap<TelegramUserId, Timestamp>,
    /// Requested orders of operators.
    pub orders: HashMap<OrderId, OrderHead>,
    /// Stops in force.
    pub stops: Stops,
    /// Take-overs, when the batch needs the stops.
    pub takeovers: Takeovers,
    /// Pauses of the requested bots, when the batch holds rules for a send.
    pub pauses: Pauses,
}

/// Epoch, last entry and last decision of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatHead {
    /// Epoch of its lease.
    pub epoch: Epoch,
    /// Number of its last entry, 0 at first.
    pub last_number: Number,
    /// Number of its last decision, 0 at first.
    pub last_decision: DecisionNumber,
}

/// The part of a turn that the judge needs.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnHead {
    /// Bot of the turn.
    pub bot: BotId,
    /// Progress of the turn.
    pub progress: TurnProgress,
}

/// The part of an outbox message that the judge needs.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxHead {
    /// Bot of the message.
    pub bot: BotId,
    /// Chat of the message.
    pub chat: ChatId,
    /// Length of the bot chain that the message ends.
    pub chain_depth: u32,
    /// The message is stale from this time on.
    pub expires_at: Timestamp,
    /// The text was removed.
    pub emptied: bool,
    /// Progress of the message.
    pub progress: SendProgress,
}

impl OutboxHead {
    /// Returns the head of a whole message.
    pub fn of(message: &OutboxMessage) -> Self {
        Self {
            bot: message.bot,
            chat: message.chat,
            chain_depth: message.chain_depth,
            expires_at: message.expires_at,
            emptied: message.text.is_empty(),
            progress: message.progress.clone(),
        }
    }
}

/// The part of an operator's order that the judge needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderHead {
    /// The part of the fleet that carries it out.
    pub target: OrderTarget,
    /// State.
    pub state: OrderState,
    /// Epoch under which it was begun.
    pub epoch: Option<Epoch>,
    /// Set when its time is over, on the database's clock.
    pub late: bool,
    /// The present instant, on the database's clock.
    pub now: Timestamp,
    /// The intent in the audit, while it has no outcome.
    pub intent: Option<Box<AuditEntry>>,
}

/// Rows that a batch writes. New turns and messages are written with their progress in [`Loaded`], since a later
/// operation of the same batch may have changed it.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New inbox rows.
    pub inbox: Vec<InboxRow>,
    /// Outcomes of inbox rows.
    pub handled: Vec<Handled>,
    /// New offsets of bots.
    pub offsets: BTreeMap<BotId, i64>,
    /// New state of chats.
    pub chats: BTreeMap<ChatId, ChatChange>,
    /// New transcript entries.
    pub entries: Vec<TranscriptEntry>,
    /// New decisions.
    pub decisions: Vec<Decision>,
    /// New turns.
    pub new_turns: Vec<Turn>,
    /// Turns whose progress changed and that are not new.
    pub turns: BTreeSet<TurnId>,
    /// New messages.
    pub new_outbox: Vec<OutboxMessage>,
    /// Messages whose progress changed and that are not new.
    pub outbox: BTreeSet<OutboxId>,
    /// Windows whose counts changed.
    pub windows: BTreeSet<WindowKey>,
    /// New pauses; of two for the same bot and place the longer one counts.
    pub pauses: Vec<Pause>,
    /// Bots that lost (`true`) or regained (`false`) the ability to post in a chat.
    pub absences: BTreeMap<(ChatId, BotId), bool>,
    /// New ids of chats at Telegram, and the time of the migration.
    pub migrations: BTreeMap<ChatId, (TelegramChatId, Timestamp)>,
    /// Budgets' periods whose amount changed.
    pub allowances: BTreeSet<AllowanceKey>,
    /// Stops set or lifted.
    pub stops: BTreeMap<StopScope, StopChange>,
    /// Leases that their owners handed over, each with its new owner and epoch; rare. Turns claimed under an older
    /// epoch go back to the queue, with one attempt less.
    pub hand_overs: BTreeMap<LeaseKey, (Incarnation, Epoch)>,
    /// Changes that a person ordered; rare.
    pub orders: Orders,
}

/// New stop of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopChange {
    /// The stop; `None` when it was lifted.
    pub stop: Option<Stop>,
    /// Author of the last order.
    pub by: String,
    /// Time of the last order.
    pub at: Timestamp,
}

/// Changes that a person ordered, to columns that the usual path of a message does not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// New delivery modes of bots; the offsets of these bots are forgotten.
    pub deliveries: BTreeMap<BotId, DeliveryChoice>,
    /// Redelivered turns: due from then, stale after.
    pub turns: BTreeMap<TurnId, (Timestamp, Timestamp)>,
    /// Redelivered messages: stale after.
    pub outbox: BTreeMap<OutboxId, Timestamp>,
    /// Redelivered inbox rows: their outcome is taken back.
    pub inbox: BTreeSet<InboxId>,
    /// Latest end of the pauses of these bots.
    pub pauses: BTreeMap<BotId, Timestamp>,
    /// Rights that people made use of, in order.
    pub rights: Vec<SetRight>,
    /// Time of people's last opt-out or opt-in.
    pub said: BTreeMap<TelegramUserId, Timestamp>,
    /// Entries of the audit, in order.
    pub audit: Vec<AuditEntry>,
    /// Orders of operators that moved on.
    pub operator: BTreeMap<OrderId, OrderChange>,
    /// Take-overs that began, go on, or ended.
    pub takeovers: BTreeMap<(ChatId, BotId), TakeoverChange>,
    /// Messages that are to be deleted, by order.
    pub retractions: Vec<NewRetractions>,
    /// Answers of Telegram about messages that are to be deleted.
    pub retracted: Vec<(TelegramChatId, MessageId, RetractionEnding)>,
}

/// Change of a take-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeoverChange {
    /// The take-over began, instead of an earlier one.
    Begun(Takeover),
    /// Its holder has said something: the take-over lasts until then, if the holder still holds it.
    Prolonged {
        /// The holder.
        holder: String,
        /// The end.
        until: Timestamp,
    },
    /// The holder gave the bot back, or somebody took it away.
    Ended {
        /// The holder.
        holder: String,
    },
}

/// Messages that one order deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRetractions {
    /// The chat.
    pub chat: ChatId,
    /// Name of whoever ordered it.
    pub principal: String,
    /// Time of the order.
    pub at: Timestamp,
    /// The messages.
    pub said: Vec<Said>,
}

/// New state of an operator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderChange {
    /// State.
    pub state: OrderState,
    /// Why the order failed, or what came of it.
    pub result: Option<serde_json::Value>,
    /// The order, and who carried it out.
    pub step: OrderStep,
}

impl Orders {
    /// Returns whether nobody ordered anything.
    pub fn is_empty(&self) -> bool {
        #[rustfmt::skip]
        let Self {
            deliveries, turns, outbox, inbox, pauses, rights, said, audit, operator, takeovers, retractions, retracted,
        } = self;
        let delivery = deliveries.len() + pauses.len() + rights.len() + said.len() + audit.len() + operator.len();
        let spoken = takeovers.len() + retractions.len() + retracted.len();
        delivery + spoken + turns.len() + outbox.len() + inbox.len() == 0
    }
}

/// New state of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatChange {
    /// Number of its last entry.
    pub last_number: Number,
    /// Time to wake the chat if it stays quiet.
    pub next_tick_at: Option<Timestamp>,
    /// Time until which loop physics keep the chat quiet.
    pub calm_until: Option<Timestamp>,
    /// People in the chat have been told that they talk to an AI.
    pub disclosed: bool,
}
