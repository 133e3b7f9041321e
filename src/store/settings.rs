//! Settings of the store. Layer: adapter.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the store is, and how it writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// The database file; its directory is made when missing. `-wal`, `-shm` and `.lock` files stand beside it.
    pub path: PathBuf,
    /// How far a commit is on its way to the disk when it is reported.
    pub synchronous: Synchronous,
    /// Connections that read.
    pub readers: NonZeroU32,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("botfleet.db"),
            synchronous: Synchronous::Full,
            readers: NonZeroU32::MIN.saturating_add(1),
        }
    }
}

/// How far a commit is on its way to the disk when it is reported.
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
