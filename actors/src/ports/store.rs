//! The port to the store, the single source of truth. Layer `ports`. Keeps I1-I4, I6, I8, I11.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::archive::Archive;
use super::declare::port;
use super::outcomes::{OutcomeCursor, OutcomeRecord};

// Adapters import no type of a method: the code that the list of methods makes finds them all here.
#[doc(hidden)]
pub use crate::domain::{
    allowance::AllowanceKey,
    commit::operations::Operation,
    commit::outcome::{Applied, Refusal},
    control::Stops,
    dead_letter::{DeadLetter, DeadLetterId},
    ids::{
        BotId, ChatId, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId,
        TurnId,
    },
    inbox::{InboxRow, OutcomeKind},
    operator_order::{NewOrder, OperatorOrder, OrderId, OrderPlace, OrderTarget},
    outbox::{OutboxMessage, OutboxState},
    pause::Pause,
    people::{Forgotten, PersonRecord, Rights},
    retraction::{Retraction, Said, Saying},
    roster::{DeliveryChoice, Roster, RosterPlan},
    takeover::Interventions,
    time::Timestamp,
    transcript::{EntryKey, TranscriptEntry},
    turn::{Turn, TurnState},
};

/// Why a call to the store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot work at present (disk full, locked, connection lost); nothing of the batch was written.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// This version cannot read the schema or a row: a person must act.
    #[error("store unreadable: {0}")]
    Incompatible(String),
    /// The plan contradicts what is stored.
    #[error("roster refused: {0}")]
    RosterRefused(String),
}

impl StoreError {
    /// Returns whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// The state in which a new process found the store when it took the leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The epoch that all writes of the process carry.
    pub epoch: Epoch,
    /// Claimed turns of older epochs that went back to the queue.
    pub turns_requeued: u64,
    /// Claimed turns of older epochs that became dead after too many attempts.
    pub turns_dead: u64,
    /// Messages that a dead process was sending and that their policy sends again.
    pub sends_again: u64,
    /// Messages that a dead process was sending and whose fate is unknown.
    pub sends_unknown: u64,
}

/// State of a chat, with the end of its transcript.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatMemory {
    /// Number of the chat's last entry.
    pub last_number: Number,
    /// Number of the chat's last decision.
    pub last_decision: DecisionNumber,
    /// When to wake the chat if it stays quiet.
    pub next_tick_at: Option<Timestamp>,
    /// The chat's bots that cannot post in it.
    pub absent: Vec<BotId>,
    /// Until when loop physics keep the chat quiet.
    pub calm_until: Option<Timestamp>,
    /// Set once people in the chat have been told that they talk to an AI.
    pub disclosed: bool,
    /// Highest message id among the chat's entries, for each id that Telegram gave the chat. A message with a higher id
    /// has no entry.
    pub highest: Vec<(TelegramChatId, MessageId)>,
    /// End of the chat's conversation, oldest first.
    pub recent: Vec<Arc<TranscriptEntry>>,
}

/// Work that waits, by owner. Every consumer reads it at least every 500 ms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Chats with inbox rows without outcome.
    pub chats: Vec<ChatId>,
    /// Chats whose tick is due.
    pub ticks: Vec<ChatId>,
    /// Bots with queued turns or messages that are due.
    pub bots: Vec<BotId>,
    /// Targets of this node with orders of operators that wait, or that another owner left behind.
    pub orders: Vec<OrderTarget>,
    /// Number of turns queued or claimed, of the bots that this node owns.
    pub turns_open: u64,
}

/// Numbers of rows that wait, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QueueDepths {
    /// Inbox rows without outcome.
    pub inbox: u64,
    /// Turns queued or claimed.
    pub turns: u64,
    /// Messages queued, due again or under way.
    pub outbox: u64,
    /// Dead turns.
    pub dead: u64,
    /// Messages of unknown fate.
    pub unknown: u64,
}

/// How long rows are kept that nothing works on any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Handled inbox rows, by the time at which they were received: 48 h to 6 days (I2).
    pub handled: Duration,
    /// Decisions, turns and messages, by the time at which they were made.
    pub decisions: Duration,
    /// Dead turns, and messages that were rejected or whose fate is unknown: people decide on them.
    pub letters: Duration,
}

/// Number of days for which entries are kept at least, whatever the chat's retention: copies of a message may still
/// arrive.
pub const ENTRY_DAYS_MIN: u32 = 7;

/// Number of days for which opt-outs and opt-ins stay in the audit. The rights themselves never go.
pub const AUDIT_DAYS: u32 = 365;

/// Number of days for which orders of operators are shown after they were given.
pub const ORDER_DAYS: u32 = 1;

/// Returns the payload of an update without one person's data; `None` when there is nothing to cut.
pub type Cut<'a> = &'a (dyn Fn(&str) -> Option<String> + Send + Sync);

/// A queued turn, with the end of its conversation where it was read along, oldest first.
pub type QueuedTalk = (Turn, Option<Vec<Arc<TranscriptEntry>>>);

port! {
    $ __store_methods of store outcomes:
    /// The store. One contract suite runs against every implementation.
    pub trait Store: Archive {
        /// Commits a batch in one durable transaction: loads the rows that the batch needs, lets the judge decide, writes
        /// the changes. The results are in the order of the operations; a refused operation does not affect the others.
        ///
        /// # Errors
        /// `Unavailable`: nothing was written. The caller must treat every operation as not done.
        async fn commit(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError>;

        /// Makes the stored roster match `plan`: new bots and chats get ids, changed personas a new revision.
        ///
        /// # Errors
        /// `RosterRefused` when a name or Telegram id is taken by another bot or chat.
        async fn apply_roster(&self, plan: &RosterPlan, now: Timestamp) -> Result<Roster, StoreError>;

        /// Returns the stored roster: the last plan with all changes that people made since.
        async fn roster(&self) -> Result<Roster, StoreError>;

        /// Stores bots' usernames as Telegram gave them, in one transaction. Usernames that differ from the stored ones
        /// raise the number of the configuration by one, so that every node learns them.
        async fn set_usernames(&self, usernames: &[(BotId, String)]) -> Result<(), StoreError>;

        /// Begins the tenure of this process: a new incarnation of `node` takes the lease of every bot and chat under one
        /// new epoch. All older incarnations are dead, since the caller holds the file lock. So their claimed turns go back
        /// to the queue, or become dead after too many attempts. Their sends become unknown, or due again where the
        /// message's policy says so (I4, I8). Deletes pauses that are over.
        async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, StoreError>;

        /// Counts a bot's work in hand as failed, as after a crash of the process (I7), since the bot's actor failed and
        /// starts again within its tenure. Claimed turns go back to the queue or become dead. Sends become unknown, or due
        /// again where the message's policy says so.
        async fn reclaim(&self, bot: BotId) -> Result<(), StoreError>;

        /// Returns the state of a chat with the end of its conversation: `recent` messages (see [`Store::conversation`]).
        async fn chat_memory(&self, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError>;

        /// Returns the chat's inbox rows without outcome, oldest first.
        async fn unhandled(&self, chat: ChatId, limit: usize) -> Result<Vec<InboxRow>, StoreError>;

        /// Returns the last `limit` entries with numbers up to `upto`, oldest first.
        async fn transcript(
            &self,
            chat: ChatId,
            upto: Number,
            limit: usize,
        ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

        /// Returns the end of a conversation up to that number, oldest first: the last `said` messages, service messages
        /// and commands, and the latest edit of each message. Reads at most eight times as many entries.
        async fn conversation(
            &self,
            chat: ChatId,
            upto: Number,
            said: usize,
        ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

        /// Returns the first entry of each of these messages that has one.
        async fn find_messages(
            &self,
            chat: TelegramChatId,
            messages: &[MessageId],
        ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError>;

        /// Returns the number of the entry for each key that has one, by the index that keeps keys unique (I2).
        async fn entry_numbers(&self, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, StoreError>;

        /// Returns the bot's first update that is not confirmed yet.
        async fn next_offset(&self, bot: BotId) -> Result<Option<i64>, StoreError>;

        /// Returns the bot's queued turns, by priority and age.
        async fn queued_turns(&self, bot: BotId, limit: usize) -> Result<Vec<Turn>, StoreError>;

        /// Returns the bot's queued turns as [`Store::queued_turns`] does. The first of them that are not `known` come with the
        /// end of their conversation up to their target (`said` messages, see [`Store::conversation`]) where a look of its own
        /// would be another way to the database.
        async fn queued_talk(&self, bot: BotId, limit: usize, said: usize, known: &[TurnId])
            -> Result<Vec<QueuedTalk>, StoreError>;

        /// Returns the bot's messages that wait to be sent (queued or due again, also later), by turn and part.
        async fn waiting_messages(&self, bot: BotId, limit: usize) -> Result<Vec<OutboxMessage>, StoreError>;

        /// Returns the owners that have work waiting at `now`.
        async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;

        /// Returns how many rows of each kind wait.
        async fn depths(&self) -> Result<QueueDepths, StoreError>;

        /// Returns the amount taken from each budget in the budget's latest period.
        async fn allowances(&self) -> Result<Vec<(AllowanceKey, i64)>, StoreError>;

        /// Returns the people's rights in force, unless their number is `known`.
        async fn rights(&self, known: i64) -> Result<Option<Rights>, StoreError>;

        /// Returns a summary of the data stored about a person.
        async fn person(&self, person: TelegramUserId) -> Result<PersonRecord, StoreError>;

        /// Removes a person's words, and quotations of them, from all tables. Entries keep their numbers and nothing else.
        /// Messages that answer the person and are not sent yet are cancelled. `cut` makes the payload of an update without
        /// the person. The removal takes several transactions, each of which may be repeated; at the end `wish`, the number
        /// of the erasure request in the audit, is marked as fulfilled. A person who speaks during the removal may have to
        /// be forgotten again.
        async fn forget(&self, person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Result<Forgotten, StoreError>;

        /// Returns all stored stops, including those that have ended by themselves.
        async fn stops(&self) -> Result<Stops, StoreError>;

        /// Returns the next page of outcomes after `cursor`, at most `limit`, and where the page ended; an empty page is
        /// the last.
        async fn outcomes(
            &self,
            cursor: OutcomeCursor,
            limit: usize,
        ) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError>;

        /// Deletes rows that at `now` are older than their use, at most some ten thousands of each kind a call, and returns
        /// how many:
        ///
        /// - handled inbox rows, whose updates cannot come again (I2); rows without outcome are first marked as ignored
        ///   when they are as old and their chat has left the manifest,
        /// - the spending of budget periods that began as long ago and have ended,
        /// - entries that are older than their chat keeps texts, and than [`ENTRY_DAYS_MIN`]; none of a chat that keeps
        ///   texts for ever,
        /// - decisions; turns and messages that have ended; dead, rejected and unknown ones after a time of their own,
        /// - opt-outs and opt-ins in the audit after [`AUDIT_DAYS`],
        /// - take-overs that have ended, and deletions of messages that have, after the time of handled inbox rows,
        /// - orders of operators that are over, after [`ORDER_DAYS`]. Orders that nobody began in their time expire first, and
        ///   the fate of those that nobody ended is unknown a minute after it.
        ///
        /// Entries and decisions go from below, up to the chat's low-water marks: above them numbers have no gap (I3). Marks
        /// rise first; in a cluster rows go once every node that is not dead has heard of the rise by a beat.
        async fn prune(&self, now: Timestamp, kept: &Kept) -> Result<u64, StoreError>;

        /// Removes texts that at `now` are older than their chats keep them, at most some thousands of rows a call: text,
        /// entities and media of entries; inputs and scores of decisions, with the texts of their messages; payloads of
        /// handled inbox rows. Messages not sent yet are cancelled with it. Numbers, authors, dates and outcomes stay.
        /// Returns how many entries and decisions it has passed, plus how many inbox rows it has emptied.
        async fn expire(&self, now: Timestamp) -> Result<u64, StoreError>;

        /// Ends turns and messages that nobody took in time, whether or not their owners live: queued or claimed turns that
        /// expired by `before` become expired, and waiting messages that expired by `before` are cancelled. Handles at most
        /// some thousands a call. Returns how many it ended.
        async fn expire_unspoken(&self, before: Timestamp) -> Result<u64, StoreError>;

        /// Returns a turn with its messages, for tests and for explanations.
        async fn turn(&self, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError>;

        /// Checks that the store answers and can write.
        async fn check(&self) -> Result<(), StoreError>;

        /// Returns the pauses of a bot, also those that are over.
        async fn pauses(&self, bot: BotId) -> Result<Vec<Pause>, StoreError>;

        /// Returns the messages into a chat whose fate is unknown, oldest first.
        async fn unknown_messages(&self, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError>;

        /// Returns dead letters after `after` (from the first without it), oldest first, at most `limit`.
        async fn dead_letters(&self, after: Option<DeadLetterId>, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;

        /// Returns how a bot's updates arrive; `None` when nothing is stored about it.
        async fn delivery(&self, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError>;

        /// Closes the store in good order at the end of the process; nothing may be written after it.
        async fn close(&self) -> Result<(), StoreError>;

        /// Returns the texts of the last `limit` messages that the bot certainly sent, in all chats, oldest first.
        async fn said_lately(&self, bot: BotId, limit: usize) -> Result<Vec<String>, StoreError>;

        /// Stores an order of an operator with the next number of its target, under the lock of the target's lease. Its time
        /// counts on the database's clock. Returns `None` when [`OPEN_ORDERS_MAX`](crate::domain::operator_order::OPEN_ORDERS_MAX)
        /// orders of the target are open.
        async fn give_order(&self, order: &NewOrder) -> Result<Option<OperatorOrder>, StoreError>;

        /// Returns the first order of a target that is not over.
        async fn next_order(&self, target: OrderTarget) -> Result<Option<OperatorOrder>, StoreError>;

        /// Returns an order of an operator.
        async fn operator_order(&self, id: OrderId) -> Result<Option<OperatorOrder>, StoreError>;

        /// Returns orders of operators before `before` (from the newest without it), newest first, at most `limit`.
        async fn operator_orders(
            &self,
            before: Option<OrderPlace>,
            limit: usize,
        ) -> Result<Vec<OperatorOrder>, StoreError>;

        /// Returns one message of the outbox.
        async fn message(&self, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError>;

        /// Returns the interventions of operators: all take-overs, and the messages that were ordered to be deleted from `since` on.
        async fn interventions(&self, since: Timestamp) -> Result<Interventions, StoreError>;

        /// Returns the messages of the bot that Telegram may be taking at this moment, by turn and part.
        async fn sending(&self, bot: BotId) -> Result<Vec<OutboxMessage>, StoreError>;

        /// Returns messages that these bots sent into the chat and that nobody has deleted yet, oldest first, at most `limit`.
        /// Notices of the fleet about itself are among them only when their very entry is asked for.
        async fn said(&self, chat: ChatId, bots: &[BotId], saying: Saying, limit: usize) -> Result<Vec<Said>, StoreError>;

        /// Returns the messages that the bot is to delete and that are due at `now`, oldest first, at most `limit`.
        async fn retractions_due(&self, bot: BotId, now: Timestamp, limit: usize) -> Result<Vec<Retraction>, StoreError>;

        /// Returns the messages of a chat that were ordered to be deleted lately, newest first, at most `limit`.
        async fn retractions(&self, chat: ChatId, limit: usize) -> Result<Vec<Retraction>, StoreError>;
    }
}

#[doc(hidden)]
pub use __store_methods as store_methods;
