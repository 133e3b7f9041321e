//! Reads the archive, also beside a process that holds the file: readers that cannot write. Layer: adapter.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use botfleet_actors::domain::decision::Decision;
use botfleet_actors::domain::ids::{ChatId, DecisionNumber, MessageId, Number};
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::archive::{Archive, DecisionQuery};
use botfleet_actors::ports::store::StoreError;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqlitePool;

use super::SqliteStore;
use super::error::to_port;
use super::open::{OpenError, read_only};
use super::reads::all;
use super::roster;
use crate::store::archive::{MESSAGE_NUMBER, decision, decisions, joined};
use crate::store::columns::{self, Columns, OUTBOX, TRANSCRIPT, TURN};
use crate::store::loaded::array;

static TURNS_OF: LazyLock<Arc<str>> = LazyLock::new(|| {
    format!(
        "SELECT {TURN} FROM turn WHERE chat = $1 AND decision IN (SELECT value FROM json_each($2)) \
         ORDER BY decision, ordinal, id"
    )
    .into()
});
static MESSAGES_OF: LazyLock<Arc<str>> = LazyLock::new(|| {
    format!("SELECT {OUTBOX} FROM outbox WHERE turn IN (SELECT value FROM json_each($1)) ORDER BY turn, part").into()
});
static ENTRIES: LazyLock<Arc<str>> = LazyLock::new(|| {
    format!("SELECT {TRANSCRIPT} FROM transcript WHERE chat = $1 AND number >= $2 ORDER BY number LIMIT $3").into()
});

/// Reads the file of a fleet while another process may hold and change it.
pub struct SqliteArchive {
    readers: SqlitePool,
}

impl SqliteArchive {
    /// Opens an existing file for reading only, and takes no lock.
    ///
    /// # Errors
    /// When the file does not exist, cannot be read, or has the schema of another version.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { readers: read_only(path).await? })
    }
}

async fn decisions_of(pool: &SqlitePool, chat: ChatId, asked: &DecisionQuery) -> Result<Vec<Decision>, StoreError> {
    let (after, before) = asked.bounds();
    let most = i64::try_from(asked.most()).unwrap_or(i64::MAX);
    let query = sqlx::query(AssertSqlSafe(decisions(asked))).bind(chat.0).bind(after).bind(before).bind(most);
    let query = match asked.entry {
        Some(entry) => query.bind(entry.0),
        None => query,
    };
    all(pool, query, decision).await
}

async fn turns_of(
    pool: &SqlitePool,
    chat: ChatId,
    decisions: &[DecisionNumber],
) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, StoreError> {
    let turns = sqlx::query(AssertSqlSafe(TURNS_OF.clone())).bind(chat.0).bind(array(decisions));
    let turns = all(pool, turns, columns::turn).await?;
    let ids: Vec<_> = turns.iter().map(|turn| turn.id).collect();
    let messages = sqlx::query(AssertSqlSafe(MESSAGES_OF.clone())).bind(array(&ids));
    Ok(joined(turns, all(pool, messages, columns::message).await?))
}

async fn entries(
    pool: &SqlitePool,
    chat: ChatId,
    from: Number,
    limit: usize,
) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let query = sqlx::query(AssertSqlSafe(ENTRIES.clone())).bind(chat.0).bind(from.0).bind(most);
    all(pool, query, |row| columns::entry(row).map(Arc::new)).await
}

async fn message_number(pool: &SqlitePool, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError> {
    let query = sqlx::query(MESSAGE_NUMBER).bind(chat.0).bind(message.0);
    let found = all(pool, query, |row| Columns::of(row).optional(Number)).await?;
    Ok(found.into_iter().flatten().next())
}

async fn recorded_roster(pool: &SqlitePool) -> Result<Roster, StoreError> {
    let mut connection = pool.acquire().await.map_err(|error| to_port(&error))?;
    roster::recorded(&mut connection).await
}

macro_rules! archive_of_readers {
    ($store:ty) => {
        #[async_trait]
        impl Archive for $store {
            async fn recorded_roster(&self) -> Result<Roster, StoreError> {
                recorded_roster(&self.readers).await
            }

            async fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Result<Vec<Decision>, StoreError> {
                decisions_of(&self.readers, chat, query).await
            }

            async fn turns_of(
                &self,
                chat: ChatId,
                decisions: &[DecisionNumber],
            ) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, StoreError> {
                turns_of(&self.readers, chat, decisions).await
            }

            async fn entries(
                &self,
                chat: ChatId,
                from: Number,
                limit: usize,
            ) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
                entries(&self.readers, chat, from, limit).await
            }

            async fn message_number(&self, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError> {
                message_number(&self.readers, chat, message).await
            }
        }
    };
}

archive_of_readers!(SqliteStore);
archive_of_readers!(SqliteArchive);
