//! Runs the contract of the store on `SQLite` (I1-I4, I6, I8, I11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use async_trait::async_trait;
use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::commit::operations::Operation;
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

/// Returns the texts of the contract's files.
fn contract() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src/testkit/contract");
    crate::layers::rust_files(&folder).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// A method that no claim calls may do something else in each store.
#[test]
fn every_method_of_the_ports_is_called_by_the_contract() {
    let called: String = contract().concat().split_whitespace().collect();
    let ports = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src/ports");
    let mut methods = 0;
    for port in ["store.rs", "archive.rs", "cluster.rs"] {
        let text = std::fs::read_to_string(ports.join(port)).unwrap();
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("async fn ")?.split_once('('));
        for (method, _) in names {
            let on = |of: &str| called.contains(&format!("{of}.{method}("));
            assert!(on("store") || on("cluster"), "no claim of the contract calls {method} of {port}");
            methods += 1;
        }
    }
    assert!(methods > 50, "only {methods} methods were found");
}

/// An operation that no claim commits may be written in another way by each store. `rows.rs` makes some of them for the
/// claims, by functions of the operations' names.
#[test]
fn every_operation_is_committed_by_the_contract() {
    let texts = contract().concat();
    for name in Operation::NAMES {
        let words = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
        let itself = format!("Operation::{}(", words.collect::<String>());
        let made = format!(" {name}(");
        assert!(texts.contains(&itself) || texts.contains(&made), "no claim of the contract commits {name}");
    }
}

/// A claim that is written and not listed would never run.
#[test]
fn every_claim_of_the_contract_is_a_test() {
    let texts = contract();
    let mut claims = 0;
    for text in &texts {
        for line in text.lines().filter(|line| line.contains("(home: &dyn ")) {
            let Some(claim) = line.strip_prefix("pub async fn ").and_then(|rest| rest.split('(').next()) else {
                continue;
            };
            if claim == "open" {
                continue;
            }
            let listed = |text: &String| text.lines().any(|line| line.trim() == claim);
            assert!(texts.iter().any(listed), "{claim} is in no list of claims");
            claims += 1;
        }
    }
    assert!(claims > 130, "only {claims} claims were found");
    let all =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/actors/src/testkit/contract/mod.rs")).unwrap();
    let run = all.split_once("(@files $home,").and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
    let run: Vec<&str> = run.split_whitespace().collect();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/actors/src/testkit/contract")).unwrap() {
        let path = file.unwrap().path();
        let lists = std::fs::read_to_string(&path).unwrap().contains("\nclaims! {");
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!lists || run.contains(&name), "no store runs the claims of {name}.rs");
    }
}
