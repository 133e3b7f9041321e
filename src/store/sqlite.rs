//! The store on SQLite: all state of a fleet on one machine, in one file. Layer: adapter. Keeps I1-I4, I6, I8, I11.
//!
//! | file | holds |
//! |---|---|
//! | `open` | how a process takes the file: lock, schema, connections |
//! | `writer` | the one connection that writes, and its recovery after errors |
//! | `engine` | how statements run, on readers and on the writer |
//! | `commit` | the group commit: two crossings to SQLite's thread, whatever the batch's size |
//! | `compact` | a file rewritten without its free space |
//! | `tenure` | the start of a process, which takes every lease |
//! | `error` | SQLite's errors as the port's |
//!
//! Rows travel as one JSON array per table, which `json_each` turns back into rows: a statement costs the same text
//! and one crossing, whatever their number.

mod commit;
pub mod compact;
mod engine;
mod error;
pub mod open;
pub(super) mod tenure;
mod writer;

use std::path::Path;

use futures::future::BoxFuture;
use tokio::sync::Mutex;

use self::engine::{Readers, Sqlite};
use self::open::{OpenError, Opened, open, read_only};
use self::writer::Writer;
use super::port::SqlStore;
use super::settings::StoreSettings;

/// Stores all state of a fleet on one machine, in one file that one process holds.
pub type SqliteStore = SqlStore<Sqlite>;

/// Reads the file of a fleet while another process may hold and change it.
pub type SqliteArchive = SqlStore<Readers>;

impl SqliteStore {
    /// Takes the file, creates a missing one, and brings its schema up to date.
    ///
    /// # Errors
    /// When another process holds the file, when a newer version wrote it, or when it cannot be created, read or
    /// written.
    pub fn open(settings: &StoreSettings) -> BoxFuture<'_, Result<Self, OpenError>> {
        Box::pin(async move {
            let Opened { lock, options, writer, readers } = open(settings).await?;
            let writer = Mutex::new(Writer::new(options, writer));
            let engine = Sqlite { writer, readers: Readers(readers), slow: settings.slow_query, _lock: lock };
            Ok(Self { engine })
        })
    }
}

impl SqliteArchive {
    /// Opens an existing file for reading only, and takes no lock.
    ///
    /// # Errors
    /// When the file does not exist, cannot be read, or has the schema of another version.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { engine: Readers(read_only(path).await?) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};

    use super::{engine, tenure};
    use crate::store::sql::people;
    use crate::store::sql::text::Sql;
    use crate::store::sql::values::Database;
    use crate::store::{commit as batch, sql};

    /// Makes the planner believe that the tables that grow hold ten million rows each, of which 500 wait.
    const TEN_MILLION_ROWS: &str = "\
ANALYZE; \
INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT t.name, i.name, CASE WHEN i.name IN (\
'inbox_unhandled', 'inbox_dead', 'turn_open', 'outbox_open', 'outbox_rejected') THEN '500' ELSE '10000000' END || (WITH RECURSIVE c (n, s) AS (\
SELECT 0, '' UNION ALL SELECT n + 1, s || ' ' || (CASE WHEN n = 0 THEN 100 ELSE 1 END) FROM c \
WHERE n < (SELECT count(*) FROM pragma_index_info(i.name))) SELECT s FROM c ORDER BY n DESC LIMIT 1) \
FROM sqlite_schema t JOIN pragma_index_list(t.name) i WHERE t.name IN ('inbox', 'transcript', 'turn', 'outbox', 'decision'); \
ANALYZE sqlite_schema";

    async fn migrated() -> SqliteConnection {
        let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        sqlx::migrate!("migrations/sqlite").run_direct(None, &mut connection, false).await.unwrap();
        connection
    }

    /// Returns SQLite's plan for a statement.
    async fn plan(connection: &mut SqliteConnection, statement: &str) -> String {
        let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        let steps = explain.fetch_all(connection).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        steps.iter().map(|step| step.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
    }

    fn all() -> impl Iterator<Item = &'static Sql> {
        let own = [engine::ALL, tenure::ALL, batch::load::ALL, batch::write::ALL];
        sql::all().into_iter().chain(own.into_iter().flatten().copied())
    }

    #[tokio::test]
    async fn every_mark_of_every_statement_is_known_and_the_statement_can_be_prepared() {
        let mut connection = migrated().await;
        for statement in all() {
            plan(&mut connection, &statement.text(Database::Sqlite).unwrap()).await;
        }
    }

    #[tokio::test]
    async fn no_statement_reads_a_table_from_one_end_to_the_other() {
        let mut connection = migrated().await;
        let people: Vec<&str> = people::ALL.iter().map(|statement| statement.name).collect();
        for planted in [false, true] {
            if planted {
                connection.execute(TEN_MILLION_ROWS).await.unwrap();
            }
            for statement in all() {
                let text = statement.text(Database::Sqlite).unwrap();
                let plan = plan(&mut connection, &text).await;
                for table in ["inbox", "transcript", "turn", "outbox", "decision", "t", "e", "i", "o"] {
                    assert!(!plan.lines().any(|line| line.ends_with(&format!("SCAN {table}"))), "{text}:\n{plan}");
                }
                // The chat alone is no bound: an entry or a decision is named by both its columns.
                assert!(!(people.contains(&statement.name) && plan.contains("(chat=?)")), "{text}:\n{plan}");
            }
        }
        assert!(plan(&mut connection, "SELECT * FROM turn").await.contains("SCAN turn"), "the proof can fail");
    }
}
