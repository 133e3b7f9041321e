//! Runs the store's statements on SQLite: readers beside one writer. Layer: adapter. Keeps I8.

use std::ops::DerefMut;
use std::time::Duration;

use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{StoreError, Tenure};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use super::open::FileLock;
use super::writer::Writer;
use super::{commit, tenure};
use crate::store::engine::{Engine, Judgements, Reads, Run, Timed, Values, Work};
use crate::store::fault::{Fault, is_busy};
use crate::store::rows::part::{Part, read};
use crate::store::sql::roster;
use crate::store::sql::text::{Sql, statements};
use crate::store::sql::values::{Database, for_sqlite, values};

/// The number of attempts to empty the write-ahead log while readers are active, and the wait between two attempts.
const EMPTYING_TRIES: u32 = 50;
const EMPTYING_WAIT: Duration = Duration::from_millis(100);

statements! {
    /// Gives free pages back to the file system, 8 MiB of them at most, where the file was made for it.
    GIVE_BACK "give_back" = "PRAGMA incremental_vacuum(2048)";
    /// Takes the write lock and writes, but changes no value.
    WRITABLE "check" = "UPDATE setting SET value = value WHERE key = 'roster'";
}

/// The connections that read a file.
pub struct Readers(pub(super) SqlitePool);

/// One file that one process holds.
pub struct Sqlite {
    pub(super) writer: Mutex<Writer>,
    pub(super) readers: Readers,
    /// The time from which on a call is logged as slow.
    pub(super) slow: Duration,
    /// The file lock, held for life. Declared last, so that the connections close before the lock is released.
    pub(super) _lock: FileLock,
}

/// A connection within a transaction; whoever gave it ends that.
pub(crate) struct Within<C>(pub(super) C);

/// A transaction of the writer.
pub(crate) struct Task<'e>(MutexGuard<'e, Writer>);

async fn fetch<'c, P: Part>(
    executor: impl Executor<'c, Database = sqlx::Sqlite>,
    sql: &'static Sql,
    values: Values<'_>,
) -> Result<Vec<P>, Fault> {
    let query = sqlx::query_with(AssertSqlSafe(sql.text(Database::Sqlite)?), for_sqlite(values)?);
    query.fetch_all(executor).await?.iter().map(|row| Ok(read(row)?)).collect()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static Sql, values: Values<'_>) -> Result<u64, Fault> {
    let query = sqlx::query_with(AssertSqlSafe(sql.text(Database::Sqlite)?), for_sqlite(values)?);
    Ok(query.execute(connection).await?.rows_affected())
}

impl<C: DerefMut<Target = SqliteConnection> + Send> Run for Within<C> {
    const DATABASE: Database = Database::Sqlite;

    async fn fetch<P: Part + Send>(&mut self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<P>, Fault> {
        fetch(&mut *self.0, sql, values).await
    }

    async fn execute(&mut self, sql: &'static Sql, values: Values<'_>) -> Result<u64, Fault> {
        execute(&mut self.0, sql, values).await
    }
}

impl Work for Within<Transaction<'static, sqlx::Sqlite>> {
    async fn commit(self) -> Result<(), Fault> {
        Ok(self.0.commit().await?)
    }
}

impl Task<'_> {
    /// Notes a failed statement: a connection that may be broken is replaced.
    fn heard<T>(&mut self, done: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(Fault::Database(error)) = &done {
            self.0.fail(error);
        }
        done
    }
}

impl Run for Task<'_> {
    const DATABASE: Database = Database::Sqlite;

    async fn fetch<P: Part + Send>(&mut self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<P>, Fault> {
        let done = fetch(self.0.connection()?, sql, values).await;
        self.heard(done)
    }

    async fn execute(&mut self, sql: &'static Sql, values: Values<'_>) -> Result<u64, Fault> {
        let done = execute(self.0.connection()?, sql, values).await;
        self.heard(done)
    }
}

impl Work for Task<'_> {
    async fn commit(mut self) -> Result<(), Fault> {
        Ok(self.0.commit().await?)
    }

    async fn give_up(mut self) {
        self.0.roll_back().await;
    }
}

impl Reads for Readers {
    const DATABASE: Database = Database::Sqlite;
    type Look<'e> = Within<Transaction<'static, sqlx::Sqlite>>;

    async fn all<P: Part + Send>(&self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<P>, Fault> {
        fetch(&self.0, sql, values).await
    }

    async fn look(&self) -> Result<Self::Look<'_>, Fault> {
        Ok(Within(self.0.begin().await?))
    }

    fn timed(&self, _: &'static str) -> Option<Timed> {
        None
    }
}

impl Reads for Sqlite {
    const DATABASE: Database = Database::Sqlite;
    type Look<'e> = Within<Transaction<'static, sqlx::Sqlite>>;

    async fn all<P: Part + Send>(&self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<P>, Fault> {
        self.readers.all(sql, values).await
    }

    async fn look(&self) -> Result<Self::Look<'_>, Fault> {
        self.readers.look().await
    }

    fn timed(&self, name: &'static str) -> Option<Timed> {
        Some(Timed::start(name, self.slow))
    }
}

impl Engine for Sqlite {
    type Task<'e> = Task<'e>;

    async fn begin(&self) -> Result<Task<'_>, Fault> {
        let mut writer = self.writer.lock().await;
        writer.begin().await?;
        Ok(Task(writer))
    }

    async fn once(&self, sql: &'static Sql, values: Values<'_>) -> Result<u64, Fault> {
        let mut task = self.begin().await?;
        let changed = task.execute(sql, values).await?;
        task.commit().await?;
        Ok(changed)
    }

    fn newcomers<'e>(&'e self, task: &Task<'e>) -> (Option<i64>, Option<i64>) {
        (None, task.0.epoch.map(|epoch| epoch.0))
    }

    /// Reads as the writer, so that nothing that is under way is missed.
    async fn roster(&self) -> Result<Roster, Fault> {
        roster::stored(self.begin().await?).await
    }

    fn me(&self) -> Option<i64> {
        None
    }

    async fn owns<'e>(&'e self, _: &mut Task<'e>, _: BotId) -> Result<bool, Fault>
    where
        Self: 'e,
    {
        Ok(true)
    }

    /// # Cancel safety
    /// A dropped call has committed all of its batch or nothing. The next call finds the file in order.
    async fn commit(&self, batch: Vec<Operation>) -> Result<Judgements, Fault> {
        Ok(commit::commit(&mut *self.writer.lock().await, batch).await?)
    }

    async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, Fault> {
        let mut task = self.begin().await?;
        let tenure = tenure::take_over(&mut task, node, now).await?;
        task.0.commit().await?;
        task.0.epoch = Some(tenure.epoch);
        Ok(tenure)
    }

    fn is_alone(&self) -> bool {
        true
    }

    async fn tidy(&self) -> Result<(), Fault> {
        self.once(&GIVE_BACK, values![]).await.map(drop)
    }

    /// Moves the write-ahead log into the file and empties it, on a connection of its own, so that commits go on. SQLite
    /// overwrites what it frees (`secure_delete`), so then the file holds nothing removed. A reader may prevent that;
    /// then it is tried again, and in the end left to the next call.
    async fn wipe(&self) -> Result<(), Fault> {
        let options = self.writer.lock().await.options().clone().busy_timeout(Duration::ZERO);
        let mut connection = options.connect().await?;
        for _ in 0..EMPTYING_TRIES {
            for step in ["PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)"] {
                let busy = connection.fetch_one(step).await.and_then(|row| row.try_get::<i64, _>(0));
                match busy {
                    Ok(0) if step.contains("TRUNCATE") => return Ok(()),
                    Ok(_) => {}
                    Err(error) if is_busy(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if self.readers.0.is_closed() {
                break;
            }
            tokio::time::sleep(EMPTYING_WAIT).await;
        }
        tracing::warn!("readers keep the log from being emptied: what was removed may stand in it until the next time");
        Ok(())
    }

    async fn check(&self) -> Result<(), Fault> {
        self.once(&WRITABLE, values![]).await.map(drop)
    }

    /// Closes the readers first: a reader's snapshot would keep the write-ahead log from being emptied.
    async fn close(&self) -> Result<(), Fault> {
        self.readers.0.close().await;
        let closed: Result<(), StoreError> = self.writer.lock().await.close().await;
        Ok(closed?)
    }
}
