//! The port to the store: the only truth. Layer `ports`. Keeps I1-I4, I6, I8, I11.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::archive::Archive;
use crate::domain::allowance::AllowanceKey;
use crate::domain::commit::operation::{Applied, Operation, Refusal};
use crate::domain::control::Stops;
use crate::domain::dead_letter::{DeadLetter, DeadLetterId};
use crate::domain::ids::{
    BotId, ChatId, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::{InboxRow, OutcomeKind};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::pause::Pause;
use crate::domain::people::{Forgotten, PersonRecord, Rights};
use crate::domain::roster::{DeliveryChoice, Roster, RosterPlan};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, TranscriptEntry};
use crate::domain::turn::{Turn, TurnState};

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot work now (disk full, locked, connection lost); nothing of the batch was written.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// Its schema or a row is not what this version can read: a person must act.
    #[error("store unreadable: {0}")]
    Incompatible(String),
    /// The plan contradicts what is stored.
    #[error("roster refused: {0}")]
    RosterRefused(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// What a new process found in the store when it took the leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The epoch that all its writes carry.
    pub epoch: Epoch,
    /// Claimed turns of older epochs that went back to the queue.
    pub turns_requeued: u64,
    /// Claimed turns of older epochs that had failed too often.
    pub turns_dead: u64,
    /// Messages that a dead process had been sending and that their policy sends again.
    pub sends_again: u64,
    /// Messages that a dead process had been sending.
    pub sends_unknown: u64,
}

/// Where a chat stands, and the end of its transcript.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatMemory {
    /// Number of its last entry.
    pub last_number: Number,
    /// Number of its last decision.
    pub last_decision: DecisionNumber,
    /// When to wake it if it stays quiet.
    pub next_tick_at: Option<Timestamp>,
    /// Its bots that cannot post there.
    pub absent: Vec<BotId>,
    /// Loop physics keep it quiet until then.
    pub calm_until: Option<Timestamp>,
    /// People there have been told that they talk to an AI.
    pub disclosed: bool,
    /// The highest message id among its entries, for each id that Telegram gave the chat: what is newer has no entry.
    pub highest: Vec<(TelegramChatId, MessageId)>,
    /// The end of its conversation, oldest first.
    pub recent: Vec<Arc<TranscriptEntry>>,
}

/// Work that waits, by owner. Every consumer reconciles from it at least every 500 ms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Chats with inbox rows without outcome.
    pub chats: Vec<ChatId>,
    /// Chats whose tick is due.
    pub ticks: Vec<ChatId>,
    /// Bots with queued turns or messages that are due.
    pub bots: Vec<BotId>,
    /// Turns queued or claimed, of the bots that this node has.
    pub turns_open: u64,
}

/// How many rows of each kind wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueDepths {
    /// Inbox rows without outcome.
    pub inbox: u64,
    /// Turns queued or claimed.
    pub turns: u64,
    /// Messages queued, due again or under way.
    pub outbox: u64,
    /// Dead turns.
    pub dead: u64,
    /// Messages whose fate nobody knows.
    pub unknown: u64,
}

/// A claim of where something came from and what became of it: one line of the outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRecord {
    /// `update`, `sent`, or `tick` for decisions that no row caused.
    pub source: String,
    /// Telegram's id of the bot that received or sent it.
    pub bot_id: Option<TelegramUserId>,
    /// The update.
    pub update_id: Option<i64>,
    /// Telegram's id of the chat.
    pub chat_id: Option<TelegramChatId>,
    /// Telegram's id of the message.
    pub message_id: Option<MessageId>,
    /// What became of it; `pending` while nothing has.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// The transcript entry.
    pub number: Option<Number>,
    /// The decision.
    pub decision: Option<DecisionNumber>,
    /// The turns of the decision.
    pub turns: Vec<OutcomeTurn>,
}

impl OutcomeRecord {
    /// The name of an outcome that may not be there yet.
    pub fn outcome_name(outcome: Option<OutcomeKind>) -> String {
        outcome.map_or("pending", OutcomeKind::as_str).to_owned()
    }
}

/// A turn in an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeTurn {
    /// Its id, as text: it exceeds what JSON readers keep exactly.
    pub id: String,
    /// Telegram's id of its bot.
    pub bot_id: TelegramUserId,
    /// Its state.
    pub state: TurnState,
    /// Its messages.
    pub messages: Vec<OutcomeMessage>,
}

/// A message in an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeMessage {
    /// Its id, as text.
    pub id: String,
    /// Which part of its turn's text.
    pub part: u32,
    /// Telegram's id of the chat.
    pub chat_id: TelegramChatId,
    /// Its state.
    pub state: OutboxState,
    /// Telegram's id of it.
    pub message_id: Option<MessageId>,
}

/// Where a page of outcomes ended: inbox rows by id, then tick decisions by chat and number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCursor {
    /// The last inbox row read.
    pub inbox: Option<InboxId>,
    /// Set once all rows are read: the last tick decision read.
    pub tick: Option<(ChatId, DecisionNumber)>,
}

/// Makes the payload of an update without a person: `None` where nothing is to be cut.
pub type Cut<'a> = &'a (dyn Fn(&str) -> Option<String> + Send + Sync);

/// The store. One contract suite runs against every implementation.
#[async_trait]
pub trait Store: Archive {
    /// Commits a batch in one durable transaction: loads what it needs, lets the judge decide, writes the changes.
    /// Each operation's result stands at its place; a refused one does not hinder the rest.
    ///
    /// # Errors
    /// `Unavailable`: nothing was written. The caller must treat every operation as not done.
    async fn commit(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError>;

    /// Makes the stored roster what `plan` says: new bots and chats get ids, changed personas a revision.
    ///
    /// # Errors
    /// `RosterRefused` when a name or Telegram id is taken by another bot or chat.
    async fn apply_roster(&self, plan: &RosterPlan, now: Timestamp) -> Result<Roster, StoreError>;

    /// The stored roster, as the last plan and all that people changed since have left it.
    async fn roster(&self) -> Result<Roster, StoreError>;

    /// Telegram told a bot's username; when it is news, the configuration gets its next number, so that every node
    /// learns it.
    async fn set_username(&self, bot: BotId, username: &str) -> Result<(), StoreError>;

    /// Begins the tenure of this process: a new incarnation of `node` takes the lease of every bot and chat under one
    /// new epoch. All older incarnations are dead (the caller holds the file lock), so their claimed turns go back to
    /// the queue, or are dead after too many attempts, and what they were sending is unknown, or due again where its
    /// policy says so (I4, I8). Pauses that are over are forgotten.
    async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, StoreError>;

    /// The bot's actor failed and starts again within its tenure: what it had in hand counts as failed, as at a crash of
    /// the process (I7): its claimed turns go back to the queue or are dead, what it was sending is unknown.
    async fn reclaim(&self, bot: BotId) -> Result<(), StoreError>;

    /// Where a chat stands, with the end of its conversation: `recent` messages (see [`Store::conversation`]).
    async fn chat_memory(&self, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError>;

    /// The chat's inbox rows without outcome, oldest first.
    async fn unhandled(&self, chat: ChatId, limit: usize) -> Result<Vec<InboxRow>, StoreError>;

    /// The last `limit` entries with numbers up to `upto`, oldest first.
    async fn transcript(
        &self,
        chat: ChatId,
        upto: Number,
        limit: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

    /// The end of a conversation up to that number, oldest first: the last `said` messages, service messages and
    /// commands, and the latest edit of each message. Looks at no more than eight times as many entries.
    async fn conversation(
        &self,
        chat: ChatId,
        upto: Number,
        said: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

    /// The first entry of each of these messages, for those that have one.
    async fn find_messages(
        &self,
        chat: TelegramChatId,
        messages: &[MessageId],
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

    /// Those of the keys that have an entry, with its number: by the index that keeps keys unique (I2).
    async fn entry_numbers(&self, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, StoreError>;

    /// The first update of the bot that is not confirmed yet.
    async fn next_offset(&self, bot: BotId) -> Result<Option<i64>, StoreError>;

    /// The bot's queued turns, by priority and age.
    async fn queued_turns(&self, bot: BotId, limit: usize) -> Result<Vec<Turn>, StoreError>;

    /// The bot's messages that wait to be sent (queued or due again, also later), by turn and part.
    async fn waiting_messages(&self, bot: BotId, limit: usize) -> Result<Vec<OutboxMessage>, StoreError>;

    /// Who has work waiting at `now`.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;

    /// How much waits.
    async fn depths(&self) -> Result<QueueDepths, StoreError>;

    /// What was taken from each budget in its latest period.
    async fn allowances(&self) -> Result<Vec<(AllowanceKey, i64)>, StoreError>;

    /// What is in force of people's rights, if it is another number than `known`.
    async fn rights(&self, known: i64) -> Result<Option<Rights>, StoreError>;

    /// What is stored about a person.
    async fn person(&self, person: TelegramUserId) -> Result<PersonRecord, StoreError>;

    /// Removes the words of a person, and what quotes them, in all tables: entries keep their numbers and nothing else;
    /// messages that answer them and are not sent are given up. `cut` makes the payload of an update without that
    /// person. Done in several transactions, each of which may be repeated; a `wish` (its number in the audit) is noted
    /// as fulfilled at the end. Whoever speaks while it runs may have to be forgotten again.
    async fn forget(&self, person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Result<Forgotten, StoreError>;

    /// Stops in force.
    async fn stops(&self) -> Result<Stops, StoreError>;

    /// The next page of outcomes after `cursor`, at most `limit`, and where it ended; an empty page is the last.
    async fn outcomes(
        &self,
        cursor: OutcomeCursor,
        limit: usize,
    ) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError>;

    /// Gives up inbox rows received before `before` whose chats left the manifest, deletes handled ones from before it, whose updates cannot come again (I2), and what was taken
    /// from budgets in periods that began before it and have ended; returns how many.
    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Removes the texts that are older at `now` than their chats keep them, at most some thousands of entries and
    /// decisions a call: of entries text, entities and media, of decisions what they depended on, of messages their
    /// text, of handled inbox rows what they hold. Numbers, authors, dates and outcomes stay. Returns how many entries and decisions it has passed.
    async fn expire(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Ends what nobody took in its time, whoever lives: turns queued or claimed whose time was over at `before` are
    /// expired, and messages that wait since then are cancelled; at most some thousands a call. Returns how many.
    async fn expire_unspoken(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// The states of a turn and its messages, for tests and the reason why.
    async fn turn(&self, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError>;

    /// Whether the store answers and can write.
    async fn check(&self) -> Result<(), StoreError>;

    /// Pauses of a bot, also those that are over.
    async fn pauses(&self, bot: BotId) -> Result<Vec<Pause>, StoreError>;

    /// Messages into a chat whose fate nobody knows, oldest first.
    async fn unknown_messages(&self, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError>;
    /// Dead letters after `after` (the first ones without it), oldest first, at most `limit`.
    async fn dead_letters(&self, after: Option<DeadLetterId>, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;

    /// How a bot's updates arrive; `None` when nothing was ever said of it.
    async fn delivery(&self, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError>;

    /// Puts everything in good order for the end of the process; nothing may be written after it.
    async fn close(&self) -> Result<(), StoreError>;

    /// The texts of the last `limit` messages that the bot certainly sent, in all chats, oldest first.
    async fn said_lately(&self, bot: BotId, limit: usize) -> Result<Vec<String>, StoreError>;

    /// One message of the outbox.
    async fn message(&self, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError>;
}
