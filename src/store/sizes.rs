//! Measures how much room each table takes, for `botfleet eval age`. Layer: adapter.
//!
//! These statements read whole tables, so nothing that runs on a fleet's store may use them.

use async_trait::async_trait;
use botfleet_actors::ports::store::{Store, StoreError};

use super::engine::{Engine, Reads};
use super::rows::part::columns;
use super::sql::SqlStore;
use super::sql::text::statements;
use super::sql::values::{Database, values};
use super::tables;

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

statements! {
    SIZES "sizes" = tables::SIZES;
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
        let sizes: Vec<TableSize> = self.engine.all(&SIZES, values![]).await?;
        let (whole, tables): (Vec<_>, _) = sizes.into_iter().partition(|size| size.table.is_empty());
        Ok((tables, whole.iter().map(|size| size.bytes).sum()))
    }

    async fn vacuum(&self) -> Result<(), StoreError> {
        if <E as Reads>::DATABASE == Database::Postgres {
            self.engine.once(&VACUUM, values![]).await?;
        }
        Ok(())
    }
}
