//! The store on SQLite: all state of a fleet on one machine, in one file. Layer: adapter. Keeps I1-I4, I6, I8, I11.
//!
//! | file | holds |
//! |---|---|
//! | `open` | how a process takes the file: lock, schema, connections |
//! | `writer` | the one connection that writes, and its recovery after errors |
//! | `commit`, `load`, `write`, `written` | the group commit: two crossings to SQLite's thread, whatever the batch's size |
//! | `tenure`, `roster` | the start of a process: leases, then bots, chats and personas |
//! | `reads`, `outcomes`, `archive` | everything that only reads |
//! | `orders` | orders of people: delivery modes, dead letters that are tried again |
//! | `people` | rights of people: opting out, being forgotten, knowing what is stored |
//! | `expiry`, `unspoken` | removal of old texts; the end of turns and messages that nobody took in time |
//! | `error` | SQLite's errors as the port's |
//!
//! Rows travel as one JSON array per table, which `json_each` turns back into rows: a statement costs the same text
//! and one crossing, whatever their number.

pub mod archive;
mod commit;
mod error;
mod expiry;
mod load;
pub mod open;
mod orders;
mod outcomes;
mod people;
mod reads;
mod roster;
mod tenure;
mod unspoken;
mod write;
mod writer;
mod written;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::outcome::{Applied, Refusal};
use botfleet_actors::domain::control::Stops;
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId};
use botfleet_actors::domain::ids::{
    BotId, ChatId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::people::{Forgotten, PersonRecord, Rights};
use botfleet_actors::domain::roster::{DeliveryChoice, Roster, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::store::{
    Backlog, ChatMemory, Cut, OutcomeCursor, OutcomeRecord, QueueDepths, Store, StoreError, Tenure,
};
use futures::future::BoxFuture;
use sqlx::sqlite::SqlitePool;
use tokio::sync::Mutex;

use self::open::{FileLock, OpenError, Opened, open};
use self::writer::Writer;
use super::loaded::array;
use super::settings::StoreSettings;

/// The number of rows that pruning deletes at a time, so that it never holds up commits for long.
const PRUNE_ROWS: usize = 2_000;
const PRUNE: &str = "DELETE FROM inbox WHERE id IN (SELECT value FROM json_each($1))";
/// Deletes ended periods of budgets, once neither the period nor its day can be asked for again.
const PRUNE_ALLOWANCES: &str = "DELETE FROM allowance WHERE per <> 'total' AND period_start < $1 - 86400000";
/// Gives up rows that wait for a chat outside the manifest.
const ABANDONED: &str = "\
UPDATE inbox SET outcome = 'ignored', reason = 'its chat left the manifest', payload = '{}' WHERE outcome IS NULL \
AND chat IN (SELECT id FROM chat WHERE in_use = 0) AND received_at < $1";
/// Takes the write lock and writes, but changes no value.
const WRITABLE: &str = "UPDATE setting SET value = value WHERE key = 'roster'";

/// Stores all state of a fleet on one machine, in one file that one process holds.
pub struct SqliteStore {
    writer: Mutex<Writer>,
    readers: SqlitePool,
    /// The time from which on a call is logged as slow.
    slow: Duration,
    /// The file lock, held for life. Declared last, so that the connections close before the lock is released.
    _lock: FileLock,
}

impl SqliteStore {
    /// Takes the file, creates a missing one, and brings its schema up to date.
    ///
    /// # Errors
    /// When another process holds the file, when a newer version wrote it, or when it cannot be created, read or
    /// written.
    pub fn open(settings: &StoreSettings) -> BoxFuture<'_, Result<Self, OpenError>> {
        Box::pin(async move {
            let Opened { lock, options, writer, readers } = open(settings).await?;
            Ok(Self {
                writer: Mutex::new(Writer::new(options, writer)),
                readers,
                slow: settings.slow_query,
                _lock: lock,
            })
        })
    }

    /// Starts the clock of a call, which is logged by its name when it takes too long; waits for a connection count.
    fn timed(&self, name: &'static str) -> Timed {
        Timed { name, since: Instant::now(), slow: self.slow }
    }
}

/// A call that is being timed; it may run several statements.
struct Timed {
    name: &'static str,
    since: Instant,
    slow: Duration,
}

impl Drop for Timed {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        if took >= self.slow {
            tracing::warn!(statement = self.name, took_ms = took.as_millis() as u64, "slow statement");
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    /// # Cancel safety
    /// A dropped call has committed all of its batch or nothing. The next call finds the file in order.
    async fn commit(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let _slow = self.timed("commit");
        commit::commit(&mut *self.writer.lock().await, batch).await
    }

    async fn apply_roster(&self, plan: &RosterPlan, now: Timestamp) -> Result<Roster, StoreError> {
        let _slow = self.timed("apply_roster");
        roster::apply(&mut *self.writer.lock().await, plan, now).await
    }

    async fn roster(&self) -> Result<Roster, StoreError> {
        let _slow = self.timed("roster");
        roster::stored(&mut *self.writer.lock().await).await
    }

    async fn set_username(&self, bot: BotId, username: &str) -> Result<(), StoreError> {
        let _slow = self.timed("set_username");
        roster::set_username(&mut *self.writer.lock().await, bot, username).await
    }

    async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, StoreError> {
        let _slow = self.timed("begin_tenure");
        tenure::begin(&mut *self.writer.lock().await, node, now).await
    }

    async fn reclaim(&self, bot: BotId) -> Result<(), StoreError> {
        let _slow = self.timed("reclaim");
        tenure::reclaim(&mut *self.writer.lock().await, bot).await
    }

    async fn chat_memory(&self, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError> {
        let _slow = self.timed("chat_memory");
        reads::chat_memory(&self.readers, chat, recent).await
    }

    async fn unhandled(&self, chat: ChatId, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        let _slow = self.timed("unhandled");
        reads::unhandled(&self.readers, chat, limit).await
    }

    async fn transcript(
        &self,
        chat: ChatId,
        upto: Number,
        limit: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        let _slow = self.timed("transcript");
        reads::transcript(&self.readers, chat, upto, limit).await
    }

    async fn conversation(
        &self,
        chat: ChatId,
        upto: Number,
        said: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        let _slow = self.timed("conversation");
        reads::conversation(&self.readers, chat, upto, said).await
    }

    async fn find_messages(
        &self,
        chat: TelegramChatId,
        messages: &[MessageId],
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        let _slow = self.timed("find_messages");
        reads::find_messages(&self.readers, chat, messages).await
    }

    async fn entry_numbers(&self, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, StoreError> {
        let _slow = self.timed("entry_numbers");
        reads::entry_numbers(&self.readers, keys).await
    }

    async fn next_offset(&self, bot: BotId) -> Result<Option<i64>, StoreError> {
        let _slow = self.timed("next_offset");
        reads::next_offset(&self.readers, bot).await
    }

    async fn queued_turns(&self, bot: BotId, limit: usize) -> Result<Vec<Turn>, StoreError> {
        let _slow = self.timed("queued_turns");
        reads::queued_turns(&self.readers, bot, limit).await
    }

    async fn waiting_messages(&self, bot: BotId, limit: usize) -> Result<Vec<OutboxMessage>, StoreError> {
        let _slow = self.timed("waiting_messages");
        reads::waiting_messages(&self.readers, bot, limit).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let _slow = self.timed("backlog");
        reads::backlog(&self.readers, now).await
    }

    async fn depths(&self) -> Result<QueueDepths, StoreError> {
        let _slow = self.timed("depths");
        reads::depths(&self.readers).await
    }

    async fn allowances(&self) -> Result<Vec<(AllowanceKey, i64)>, StoreError> {
        let _slow = self.timed("allowances");
        reads::allowances(&self.readers).await
    }

    async fn rights(&self, known: i64) -> Result<Option<Rights>, StoreError> {
        let _slow = self.timed("rights");
        people::rights(&self.readers, known).await
    }

    async fn person(&self, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
        let _slow = self.timed("person");
        people::person(&self.readers, person).await
    }

    async fn forget(&self, person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Result<Forgotten, StoreError> {
        let _slow = self.timed("forget");
        people::forget(&self.readers, &self.writer, person, wish, cut).await
    }

    async fn stops(&self) -> Result<Stops, StoreError> {
        let _slow = self.timed("stops");
        reads::stops(&self.readers).await
    }

    async fn outcomes(
        &self,
        cursor: OutcomeCursor,
        limit: usize,
    ) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError> {
        let _slow = self.timed("outcomes");
        outcomes::page(&self.readers, cursor, limit).await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let _slow = self.timed("prune");
        let mut pruned = 0;
        {
            let mut writer = self.writer.lock().await;
            if let Err(error) = sqlx::query(ABANDONED).bind(before.as_millis()).execute(writer.begin().await?).await {
                return Err(writer.fail(&error));
            }
            writer.commit().await?;
        }
        loop {
            let ids = reads::prunable(&self.readers, before, PRUNE_ROWS).await?;
            if ids.is_empty() {
                break;
            }
            let mut writer = self.writer.lock().await;
            match sqlx::query(PRUNE).bind(array(&ids)).execute(writer.begin().await?).await {
                Ok(done) => pruned += done.rows_affected(),
                Err(error) => return Err(writer.fail(&error)),
            }
            writer.commit().await?;
        }
        let mut writer = self.writer.lock().await;
        match sqlx::query(PRUNE_ALLOWANCES).bind(before.as_millis()).execute(writer.begin().await?).await {
            Ok(done) => pruned += done.rows_affected(),
            Err(error) => return Err(writer.fail(&error)),
        }
        writer.commit().await?;
        Ok(pruned)
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let _slow = self.timed("expire");
        expiry::expire(&self.readers, &self.writer, now).await
    }

    async fn expire_unspoken(&self, before: Timestamp) -> Result<u64, StoreError> {
        let _slow = self.timed("expire_unspoken");
        unspoken::expire(&self.writer, before).await
    }

    async fn turn(&self, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError> {
        let _slow = self.timed("turn");
        reads::turn(&self.readers, turn).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let _slow = self.timed("check");
        let mut writer = self.writer.lock().await;
        if let Err(error) = sqlx::query(WRITABLE).execute(writer.begin().await?).await {
            return Err(writer.fail(&error));
        }
        writer.commit().await
    }

    async fn pauses(&self, bot: BotId) -> Result<Vec<Pause>, StoreError> {
        let _slow = self.timed("pauses");
        reads::pauses(&self.readers, bot).await
    }

    async fn said_lately(&self, bot: BotId, limit: usize) -> Result<Vec<String>, StoreError> {
        let _slow = self.timed("said_lately");
        reads::said_lately(&self.readers, bot, limit).await
    }

    async fn unknown_messages(&self, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError> {
        let _slow = self.timed("unknown_messages");
        reads::unknown_messages(&self.readers, chat).await
    }

    async fn dead_letters(&self, after: Option<DeadLetterId>, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let _slow = self.timed("dead_letters");
        orders::dead_letters(&self.readers, after, limit).await
    }

    async fn delivery(&self, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError> {
        let _slow = self.timed("delivery");
        orders::delivery(&self.readers, bot).await
    }

    /// Closes the readers first: a reader's snapshot would keep the write-ahead log from being emptied.
    async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        self.writer.lock().await.close().await
    }

    async fn message(&self, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError> {
        let _slow = self.timed("message");
        reads::message(&self.readers, outbox).await
    }
}
