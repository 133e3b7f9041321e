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

/// A claim that is written and not listed would never run.
#[test]
fn every_claim_of_the_contract_is_a_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src/testkit/contract");
    let files = crate::layers::rust_files(&folder);
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let mut claims = 0;
    for text in &texts {
        for line in text.lines().filter(|line| line.contains("(home: &dyn ")) {
            let Some(claim) = line.strip_prefix("pub async fn ").and_then(|rest| rest.split('(').next()) else {
                continue;
            };
            if claim == "open" {
                continue;
            }
            let listed = format!("            {claim}\n");
            assert!(texts.iter().any(|text| text.contains(&listed)), "{claim} is in no list of claims");
            claims += 1;
        }
    }
    assert!(claims > 130, "only {claims} claims were found");
}
