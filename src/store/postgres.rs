//! The store on PostgreSQL: all state of a cluster, and the cluster state that its nodes share. Layer: adapter. Keeps
//! I1-I6, I8, I11.
//!
//! | file | holds |
//! |---|---|
//! | `open`, `migrations` | the address of the database, and a schema that this version knows |
//! | `session` | connections, and the time limits of everything that runs on them |
//! | `commit`, `load`, `write`, `assembly` | the group commit: five crossings to the server, whatever the batch's size |
//! | `tenure`, `cluster` | leases that change hands; beats, looks and plans |
//! | `roster` | bots, chats and personas |
//! | `reads`, `outcomes`, `archive` | everything that only reads |
//! | `orders` | orders of people: delivery modes, dead letters that are tried again |
//! | `people` | rights of people: opting out, being forgotten, knowing what is stored |
//! | `statements` | every statement on a large table, for the test that proves that each uses an index |
//! | `expiry`, `unspoken` | removal of old texts; the end of turns and messages that nobody took in time |
//! | `error` | PostgreSQL's errors as the port's |
//!
//! Everybody takes locks in one order: leases by (kind, key), then windows and budgets by key, then turns, then
//! messages, each by id.

mod archive;
mod assembly;
mod cluster;
mod commit;
mod error;
mod expiry;
mod load;
pub mod migrations;
pub mod open;
mod orders;
mod outcomes;
mod people;
mod reads;
mod roster;
mod session;
pub mod statements;
mod tenure;
mod unspoken;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::outcome::{Applied, Refusal};
use botfleet_actors::domain::control::Stops;
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId};
use botfleet_actors::domain::ids::{
    BotId, ChatId, Epoch, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::ownership::{Incarnation, NewNode, NodeRole};
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::people::{Forgotten, PersonRecord, Rights};
use botfleet_actors::domain::roster::{DeliveryChoice, Roster, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::store::{
    Backlog, ChatMemory, Cut, OutcomeCursor, OutcomeRecord, QueueDepths, Store, StoreError, Tenure,
};
use tokio::sync::Mutex;

use self::commit::Writer;
use self::error::to_port;
use self::migrations::{Schema, Standing};
use self::open::{Address, OpenError};
use self::session::{Bounds, Sessions};
use super::settings::StoreSettings;

/// The number of rows that pruning deletes at a time, so that it never holds locks for long.
const PRUNE_ROWS: i64 = 2_000;
const PRUNE: &str = "\
DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE received_at < $1 AND outcome IS NOT NULL \
ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
/// Gives up rows that wait for chats outside the manifest.
const ABANDONED: &str = "\
UPDATE inbox SET outcome = 'ignored', reason = 'its chat left the manifest', payload = '{}' WHERE id IN (\
SELECT id FROM inbox WHERE outcome IS NULL AND chat IN (SELECT id FROM chat WHERE NOT in_use) AND received_at < $1 \
ORDER BY id FOR UPDATE SKIP LOCKED)";
/// Deletes ended periods of budgets, once neither the period nor its day can be asked for again.
const PRUNE_ALLOWANCES: &str = "DELETE FROM allowance WHERE per <> 'total' AND period_start < $1 - 86400000";
/// Deletes the marks of processes that ended more than a week ago.
const PRUNE_MARKS: &str = "\
DELETE FROM commit_mark WHERE at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 604800000";
/// Writes a row that nobody else writes.
const WRITABLE: &str = "\
INSERT INTO commit_mark (writer, batch, at) VALUES ($1, 0, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) \
ON CONFLICT (writer) DO UPDATE SET at = excluded.at";

/// Gives one process access to all state of a cluster.
pub struct PgStore {
    writer: Mutex<Writer>,
    writes: Sessions,
    reads: Sessions,
    beats: Sessions,
    watch: Sessions,
    tasks: Sessions,
    /// The name that all connections of this process begin with.
    name: String,
    /// This process's incarnation; 0 before it has one.
    incarnation: AtomicI64,
    /// The epoch of a tenure of everything; 0 without one.
    tenure: AtomicI64,
}

impl PgStore {
    /// Connects to a database whose schema this version knows.
    ///
    /// # Errors
    /// When the address is invalid, nobody answers there, or the schema is behind or incompatibly newer.
    pub async fn open(settings: &StoreSettings, address: &Address) -> Result<Self, OpenError> {
        let mut schema = Schema::connect(address).await?;
        let steps = schema.steps().await;
        let place = || address.place().to_owned();
        let steps = steps.map_err(|cause| OpenError::Schema { place: place(), cause })?;
        address.judge(&Standing::of(&steps))?;
        Ok(Self::connect(settings, address))
    }

    /// Builds a store without checking the schema; connections are made when they are needed.
    fn connect(settings: &StoreSettings, address: &Address) -> Self {
        let name = format!("botfleet-{:016x}", fastrand::u64(..));
        let bounds = Bounds { statement: settings.statement_timeout, slow: settings.slow_query };
        let sessions = |purpose: &'static str, size: usize| {
            let options = address.bounded(&format!("{name} {purpose}"), settings.statement_timeout);
            Sessions::new(purpose, size, options, bounds.clone())
        };
        let readers = usize::try_from(settings.connections.get()).unwrap_or(8);
        Self {
            writer: Mutex::new(Writer::new(format!("{name} writes"))),
            writes: sessions("writes", 1),
            reads: sessions("reads", readers),
            beats: sessions("beats", 1),
            watch: sessions("watch", 1),
            tasks: sessions("tasks", 1),
            name,
            incarnation: AtomicI64::new(0),
            tenure: AtomicI64::new(0),
        }
    }

    /// Returns this process's incarnation, once it has one.
    fn me(&self) -> Option<Incarnation> {
        Some(self.incarnation.load(Ordering::Acquire)).filter(|me| *me != 0).map(Incarnation)
    }

    fn became(&self, me: Incarnation, tenure: Option<Epoch>) {
        self.tenure.store(tenure.map_or(0, |epoch| epoch.0), Ordering::Release);
        self.incarnation.store(me.0, Ordering::Release);
    }

    /// Returns the owner of bots and chats that are new in the roster: this process in a tenure of everything, nobody
    /// in a cluster.
    fn newcomers(&self) -> Option<(Incarnation, Epoch)> {
        let epoch = Some(self.tenure.load(Ordering::Acquire)).filter(|epoch| *epoch != 0);
        self.me().zip(epoch.map(Epoch))
    }

    async fn prune_all(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut pruned = 0;
        let before = before.as_millis();
        let mut session = self.tasks.session().await?;
        let abandoned = sqlx::query(ABANDONED).bind(before);
        session.execute("abandon_updates", abandoned).await.map_err(|error| to_port(&error))?;
        loop {
            let statement = sqlx::query(PRUNE).bind(before).bind(PRUNE_ROWS);
            let some = session.execute("prune", statement).await.map_err(|error| to_port(&error))?;
            pruned += some;
            if some == 0 {
                break;
            }
        }
        let periods = session.execute("prune_allowances", sqlx::query(PRUNE_ALLOWANCES).bind(before)).await;
        pruned += periods.map_err(|error| to_port(&error))?;
        session.execute("prune_marks", sqlx::query(PRUNE_MARKS)).await.map_err(|error| to_port(&error))?;
        Ok(pruned)
    }
}

#[async_trait]
impl Store for PgStore {
    /// # Cancel safety
    /// A dropped call has committed all of its batch or nothing. The next call first waits until that is known.
    async fn commit(&self, batch: Vec<Operation>) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let mut writer = self.writer.lock().await;
        writer.incarnation = self.me();
        writer.commit(&self.writes, batch).await
    }

    async fn apply_roster(&self, plan: &RosterPlan, now: Timestamp) -> Result<Roster, StoreError> {
        roster::apply(&self.tasks, plan, self.newcomers(), now).await
    }

    async fn roster(&self) -> Result<Roster, StoreError> {
        roster::stored(&self.reads).await
    }

    async fn set_username(&self, bot: BotId, username: &str) -> Result<(), StoreError> {
        roster::set_username(&self.tasks, bot, username).await
    }

    /// Declares all other incarnations dead: this is for a process that is alone, as in the contract suite.
    async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, StoreError> {
        let mut session = self.tasks.transaction().await?;
        let node = NewNode {
            name: node.to_owned(),
            role: NodeRole::All,
            address: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            launch: None,
        };
        let me = cluster::register(&mut session, &node, &self.name, true).await?;
        let tenure = tenure::begin(&mut session, me, now).await.map_err(|error| to_port(&error))?;
        session.commit().await.map_err(|error| to_port(&error))?;
        self.became(me, Some(tenure.epoch));
        Ok(tenure)
    }

    async fn reclaim(&self, bot: BotId) -> Result<(), StoreError> {
        tenure::reclaim(&self.tasks, bot, self.me()).await
    }

    async fn chat_memory(&self, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError> {
        reads::chat_memory(&self.reads, chat, recent).await
    }

    async fn unhandled(&self, chat: ChatId, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        reads::unhandled(&self.reads, chat, limit).await
    }

    async fn transcript(
        &self,
        chat: ChatId,
        upto: Number,
        limit: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        reads::transcript(&self.reads, chat, upto, limit).await
    }

    async fn conversation(
        &self,
        chat: ChatId,
        upto: Number,
        said: usize,
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        reads::conversation(&self.reads, chat, upto, said).await
    }

    async fn find_messages(
        &self,
        chat: TelegramChatId,
        messages: &[MessageId],
    ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        reads::find_messages(&self.reads, chat, messages).await
    }

    async fn entry_numbers(&self, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, StoreError> {
        reads::entry_numbers(&self.reads, keys).await
    }

    async fn next_offset(&self, bot: BotId) -> Result<Option<i64>, StoreError> {
        reads::next_offset(&self.reads, bot).await
    }

    async fn queued_turns(&self, bot: BotId, limit: usize) -> Result<Vec<Turn>, StoreError> {
        reads::queued_turns(&self.reads, bot, limit).await
    }

    async fn waiting_messages(&self, bot: BotId, limit: usize) -> Result<Vec<OutboxMessage>, StoreError> {
        reads::waiting_messages(&self.reads, bot, limit).await
    }

    /// Counts only work of bots and chats that this incarnation owns.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        reads::backlog(&self.reads, now, self.me()).await
    }

    async fn depths(&self) -> Result<QueueDepths, StoreError> {
        reads::depths(&self.reads).await
    }

    async fn allowances(&self) -> Result<Vec<(AllowanceKey, i64)>, StoreError> {
        reads::allowances(&self.reads).await
    }

    async fn rights(&self, known: i64) -> Result<Option<Rights>, StoreError> {
        people::rights(&self.reads, known).await
    }

    async fn person(&self, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
        people::person(&self.reads, person).await
    }

    async fn forget(&self, person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Result<Forgotten, StoreError> {
        people::forget(&self.tasks, person, wish, cut).await
    }

    async fn stops(&self) -> Result<Stops, StoreError> {
        reads::stops(&self.reads).await
    }

    async fn outcomes(
        &self,
        cursor: OutcomeCursor,
        limit: usize,
    ) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError> {
        outcomes::page(&self.reads, cursor, limit).await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.prune_all(before).await
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        expiry::expire(&self.tasks, now).await
    }

    async fn expire_unspoken(&self, before: Timestamp) -> Result<u64, StoreError> {
        unspoken::expire(&self.tasks, before).await
    }

    async fn turn(&self, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError> {
        reads::turn(&self.reads, turn).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let probe = || sqlx::query(WRITABLE).bind(format!("{} checks", self.name));
        self.reads.read("check", probe).await.map(drop)
    }

    async fn pauses(&self, bot: BotId) -> Result<Vec<Pause>, StoreError> {
        reads::pauses(&self.reads, bot).await
    }

    async fn said_lately(&self, bot: BotId, limit: usize) -> Result<Vec<String>, StoreError> {
        reads::said_lately(&self.reads, bot, limit).await
    }

    async fn unknown_messages(&self, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError> {
        reads::unknown_messages(&self.reads, chat).await
    }

    async fn dead_letters(&self, after: Option<DeadLetterId>, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        orders::dead_letters(&self.reads, after, limit).await
    }

    async fn delivery(&self, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError> {
        orders::delivery(&self.reads, bot).await
    }

    /// Closes all connections, those for beats too. A node therefore announces that it leaves before it closes the
    /// store.
    async fn close(&self) -> Result<(), StoreError> {
        let _writer = self.writer.lock().await;
        for sessions in [&self.writes, &self.reads, &self.tasks, &self.watch, &self.beats] {
            sessions.close();
        }
        Ok(())
    }

    async fn message(&self, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError> {
        reads::message(&self.reads, outbox).await
    }
}
