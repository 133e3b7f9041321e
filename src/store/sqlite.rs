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
//!
//! Rows travel as one JSON array per table, which `json_each` turns back into rows: a statement costs the same text
//! and one crossing, whatever their number.

mod commit;
pub mod compact;
pub(super) mod engine;
pub mod open;
pub(super) mod tenure;
mod writer;

use std::path::Path;

use futures::future::BoxFuture;
use tokio::sync::Mutex;

use self::engine::{Readers, Sqlite};
use self::open::{OpenError, Opened, open, read_only};
use self::writer::Writer;
use super::settings::StoreSettings;
use super::sql::SqlStore;

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
