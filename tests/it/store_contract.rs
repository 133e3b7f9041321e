//! Runs the contract of the store on `SQLite` (I1-I4, I6, I8, I11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use async_trait::async_trait;
use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::contract::Home;
use tempfile::TempDir;

/// Gives each claim a directory of its own.
struct SqliteHome(TempDir);

impl SqliteHome {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory for the store"))
    }
}

#[async_trait]
impl Home for SqliteHome {
    async fn open(&self) -> Arc<dyn Store> {
        let settings = StoreSettings { path: self.0.path().join("fleet.db"), ..StoreSettings::default() };
        Arc::new(SqliteStore::open(&settings).await.expect("the store opens"))
    }
}

botfleet_actors::store_contract!(SqliteHome::new());
