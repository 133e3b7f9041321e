//! Rows loaded for a batch, and the changes that it makes. Layer `domain`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::domain::allowance::AllowanceKey;
use crate::domain::commit::operation::SetRight;
use crate::domain::control::{Stop, StopScope, Stops};
use crate::domain::decision::Decision;
use crate::domain::ids::{
    BotId, ChatId, DecisionNumber, Epoch, InboxId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::{Handled, InboxRow, Source};
use crate::domain::outbox::{OutboxMessage, SendProgress};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::pause::{Pause, Pauses};
use crate::domain::roster::DeliveryChoice;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, TranscriptEntry};
use crate::domain::turn::{Turn, TurnProgress};
use crate::domain::window::{Window, WindowKey};

/// The rows that a batch touches, as they were before it; the judge moves them on.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Epoch of each bot's lease.
    pub bots: HashMap<BotId, Epoch>,
    /// Each chat's lease and last number.
    pub chats: HashMap<ChatId, ChatHead>,
    /// Which of the asked sources are stored.
    pub sources: HashSet<(BotId, Source)>,
    /// For each stored inbox row asked for: whether it still waits for its outcome.
    pub inbox: HashMap<InboxId, bool>,
    /// Which of the asked inbox rows tell of a message whose text was removed.
    pub emptied: HashSet<InboxId>,
    /// Which of the asked inbox rows are dead.
    pub dead_updates: HashSet<InboxId>,
    /// Which of the asked entries exist.
    pub entries: HashSet<EntryKey>,
    /// Turns.
    pub turns: HashMap<TurnId, TurnHead>,
    /// Outbox messages.
    pub outbox: HashMap<OutboxId, OutboxHead>,
    /// Sliding windows; a missing one is empty.
    pub windows: HashMap<WindowKey, Window>,
    /// What was taken from each budget's period; of a missing one nothing.
    pub allowances: HashMap<AllowanceKey, i64>,
    /// Which of the people asked for have opted out.
    pub opted_out: HashSet<TelegramUserId>,
    /// When the people asked for, as far as they ever did, said last whether they are to be taken down.
    pub said: HashMap<TelegramUserId, Timestamp>,
    /// Until when the words of the people asked for are forgotten: their latest wish, fulfilled or not.
    pub forgotten: HashMap<TelegramUserId, Timestamp>,
    /// Stops in force.
    pub stops: Stops,
    /// Pauses of the bots asked for, when rules are.
    pub pauses: Pauses,
}

/// A chat's lease and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatHead {
    /// Epoch of its lease.
    pub epoch: Epoch,
    /// Number of its last entry, 0 at first.
    pub last_number: Number,
    /// Number of its last decision, 0 at first.
    pub last_decision: DecisionNumber,
}

/// What the judge must know of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnHead {
    /// Its bot.
    pub bot: BotId,
    /// How far it came.
    pub progress: TurnProgress,
}

/// What the judge must know of an outbox message.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxHead {
    /// Its bot.
    pub bot: BotId,
    /// Its chat.
    pub chat: ChatId,
    /// Length of the bot chain that it ends.
    pub chain_depth: u32,
    /// Stale after.
    pub expires_at: Timestamp,
    /// Its text was removed.
    pub emptied: bool,
    /// How far it came.
    pub progress: SendProgress,
}

impl OutboxHead {
    /// The head of a whole message.
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

/// What a batch writes. New turns and messages are written with their progress in [`Loaded`], since a later
/// operation of the same batch may have moved them.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New inbox rows.
    pub inbox: Vec<InboxRow>,
    /// Outcomes.
    pub handled: Vec<Handled>,
    /// Offsets of bots.
    pub offsets: BTreeMap<BotId, i64>,
    /// Chats that moved.
    pub chats: BTreeMap<ChatId, ChatChange>,
    /// New transcript entries.
    pub entries: Vec<TranscriptEntry>,
    /// New decisions.
    pub decisions: Vec<Decision>,
    /// New turns.
    pub new_turns: Vec<Turn>,
    /// Turns that moved and are not new.
    pub turns: BTreeSet<TurnId>,
    /// New messages.
    pub new_outbox: Vec<OutboxMessage>,
    /// Messages that moved and are not new.
    pub outbox: BTreeSet<OutboxId>,
    /// Windows that counted.
    pub windows: BTreeSet<WindowKey>,
    /// Pauses; of two for the same place the longer one counts.
    pub pauses: Vec<Pause>,
    /// Bots that can post in a chat no more, or again.
    pub absences: BTreeMap<(ChatId, BotId), bool>,
    /// Chats with a new id at Telegram, and since when.
    pub migrations: BTreeMap<ChatId, (TelegramChatId, Timestamp)>,
    /// Budgets from which was taken, or to which was given back.
    pub allowances: BTreeSet<AllowanceKey>,
    /// Stops set or lifted.
    pub stops: BTreeMap<StopScope, StopChange>,
    /// Leases that their owners gave away, each with its new epoch; rare. Turns claimed under an older one go back to
    /// the queue, with an attempt less.
    pub hand_overs: BTreeMap<LeaseKey, (Incarnation, Epoch)>,
    /// What a person ordered; rare.
    pub orders: Orders,
}

/// What stops a scope from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopChange {
    /// Nothing when it was lifted.
    pub stop: Option<Stop>,
    /// Who spoke last.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Changes that a person ordered, of columns that nothing on the data's way changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// How updates of bots arrive; their offsets are forgotten.
    pub deliveries: BTreeMap<BotId, DeliveryChoice>,
    /// Turns that get another go: due from then, stale after.
    pub turns: BTreeMap<TurnId, (Timestamp, Timestamp)>,
    /// Messages that get another go: stale after.
    pub outbox: BTreeMap<OutboxId, Timestamp>,
    /// Inbox rows that get another go: their outcome is taken back.
    pub inbox: BTreeSet<InboxId>,
    /// Pauses of these bots end then at the latest.
    pub pauses: BTreeMap<BotId, Timestamp>,
    /// Rights that people made use of, in order.
    pub rights: Vec<SetRight>,
    /// When people said last whether they are to be taken down.
    pub said: BTreeMap<TelegramUserId, Timestamp>,
}

impl Orders {
    /// Whether nobody ordered anything.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
            && self.turns.is_empty()
            && self.outbox.is_empty()
            && self.inbox.is_empty()
            && self.pauses.is_empty()
            && self.rights.is_empty()
            && self.said.is_empty()
    }
}

/// Where a chat moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatChange {
    /// Number of its last entry.
    pub last_number: Number,
    /// When to wake it if it stays quiet.
    pub next_tick_at: Option<Timestamp>,
    /// Loop physics keep it quiet until then.
    pub calm_until: Option<Timestamp>,
    /// People there have been told that they talk to an AI.
    pub disclosed: bool,
}
