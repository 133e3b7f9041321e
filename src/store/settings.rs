//! Settings of the store. Layer: adapter.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Selects the database, its address, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// The database that is used.
    pub backend: Backend,
    /// SQLite: the database file; a missing directory is created. The files `-wal`, `-shm` and `.lock` stand beside it.
    pub path: PathBuf,
    /// SQLite: how far a commit has got on its way to the disk when it is reported.
    pub synchronous: Synchronous,
    /// SQLite: the number of connections that read.
    pub readers: NonZeroU32,
    /// PostgreSQL: `postgres://user@host:port/database` without a password, or `env:NAME` or `file:PATH` that holds the
    /// address.
    pub url: Option<String>,
    /// PostgreSQL: `env:NAME` or `file:PATH` that holds the password, when the address has none.
    pub password: Option<String>,
    /// PostgreSQL: the number of connections that read. Four more write, beat, watch and do tasks.
    pub connections: NonZeroU32,
    /// PostgreSQL: the longest time that one statement may take, on the server and on the network.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// The time from which on a statement is logged as slow, by its name.
    #[serde(with = "humantime_serde")]
    pub slow_query: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            backend: Backend::Sqlite,
            path: PathBuf::from("botfleet.db"),
            synchronous: Synchronous::Full,
            readers: NonZeroU32::MIN.saturating_add(1),
            url: None,
            password: None,
            connections: NonZeroU32::MIN.saturating_add(7),
            statement_timeout: Duration::from_secs(5),
            slow_query: Duration::from_millis(100),
        }
    }
}

/// A database that the store works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// One machine, one process, one file.
    #[default]
    Sqlite,
    /// A cluster of nodes on one server.
    Postgres,
}

/// How far a commit has got on its way to the disk when it is reported.
///
/// # Source
/// SQLite, PRAGMA synchronous, in WAL mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    /// On the disk: a power cut loses nothing (I8).
    #[default]
    Full,
    /// With the kernel: a killed process loses nothing, a power cut may lose the last commits.
    Normal,
    /// With the kernel, in any order: a power cut may corrupt the file. For tests.
    Off,
}
