//! Measures how much room each table takes, for `botfleet eval age`. Layer: adapter.
//!
//! These statements read whole tables, so nothing that runs on a fleet's store may use them.

use async_trait::async_trait;
use botfleet_actors::ports::store::{Store, StoreError};

use super::engine::{Engine, Reads};
use super::port::SqlStore;
use super::rows::part::columns;
use super::sql::text::statements;
use super::sql::values::{Database, values};

/// The room that a table takes, with its indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The name of the table.
    pub table: String,
    /// The number of rows.
    pub rows: u64,
    /// The bytes of the table and its indexes.
    pub bytes: u64,
}

columns!(TableSize { table, rows, bytes });

macro_rules! sizes {
    ($first:literal $($table:literal)*) => { concat!(sizes!(@one $first), $(" UNION ALL ", sizes!(@one $table)),*) };
    (@one $table:literal) => {
        concat!(
            "SELECT '", $table, "', (SELECT count(*) FROM ", $table, "), ",
            "`(SELECT coalesce(sum(s.pgsize), 0) FROM sqlite_schema m JOIN dbstat s ON s.name = m.name \
AND s.aggregate = TRUE WHERE m.tbl_name = '", $table, "')|pg_total_relation_size('", $table, "')`"
        )
    };
}

statements! {
    SIZES "sizes" = sizes!(
        "inbox" "transcript" "decision" "turn" "outbox" "allowance" "audit" "erasure" "opt_out" "right_said"
        "send_window" "send_pause" "chat_head" "bot_cursor" "setting"
    );
    TOTAL "total_size" = "\
SELECT `page_count * page_size FROM pragma_page_count, pragma_page_size|pg_database_size(current_database())`";
    VACUUM "vacuum" = "VACUUM (ANALYZE)";
}

/// A store whose tables can be measured.
#[async_trait]
pub trait Measured: Store {
    /// Returns the size of each table, and the bytes of the whole database.
    async fn sizes(&self) -> Result<(Vec<TableSize>, u64), StoreError>;

    /// Does at once what PostgreSQL's autovacuum does in its time; nothing on SQLite.
    async fn vacuum(&self) -> Result<(), StoreError>;
}

#[async_trait]
impl<E: Engine> Measured for SqlStore<E> {
    async fn sizes(&self) -> Result<(Vec<TableSize>, u64), StoreError> {
        let tables = self.engine.all(&SIZES, values![]).await?;
        let total = self.engine.all::<u64>(&TOTAL, values![]).await?;
        Ok((tables, total.into_iter().sum()))
    }

    async fn vacuum(&self) -> Result<(), StoreError> {
        if <E as Reads>::DATABASE == Database::Postgres {
            self.engine.once(&VACUUM, values![]).await?;
        }
        Ok(())
    }
}
