//! A database of each kind with an audit, for the tests of the audit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::audit::{
    Act, AuditEntry, AuditId, AuditObject, AuditPrincipal, ObjectKind, Origin, Phase, PrincipalKind,
};
use botfleet_actors::domain::chain::{AuditHead, AuditKey, AuditQuery, SealedEntry, Verification};
use botfleet_actors::ports::audit::AuditLog;
use botfleet_actors::ports::operators::Operators;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::rows::at;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use super::postgres::{database, server, store};

pub(super) const KEY: AuditKey = AuditKey([7; 32]);

/// A database of its own.
pub(super) enum Place {
    Sqlite(TempDir),
    Postgres(String),
}

/// A process on a database.
pub(super) struct Ledger {
    pub(super) log: Arc<dyn AuditLog>,
    pub(super) store: Arc<dyn Store>,
    pub(super) operators: Arc<dyn Operators>,
}

impl Place {
    /// Returns a database of each kind.
    pub(super) async fn both() -> [Self; 2] {
        [Self::Sqlite(tempfile::tempdir().unwrap()), Self::Postgres(database().await)]
    }

    fn file(folder: &TempDir) -> std::path::PathBuf {
        folder.path().join("fleet.db")
    }

    pub(super) async fn open(&self) -> Ledger {
        match self {
            Self::Sqlite(folder) => {
                let settings = StoreSettings { path: Self::file(folder), ..StoreSettings::default() };
                let store = Arc::new(SqliteStore::open(&settings).await.unwrap());
                Ledger { log: store.clone(), operators: store.clone(), store }
            }
            Self::Postgres(database) => {
                let store = Arc::new(store(database).await);
                Ledger { log: store.clone(), operators: store.clone(), store }
            }
        }
    }

    /// Runs statements as the owner of the database.
    pub(super) async fn as_owner(&self, sql: &str) {
        match self {
            Self::Sqlite(folder) => {
                let options = SqliteConnectOptions::new().filename(Self::file(folder));
                let mut connection = options.connect().await.unwrap();
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres(database) => drop(server().await.query(database, sql).await.unwrap()),
        }
    }

    /// Runs statements as the owner, and takes them back by a copy of the tables.
    pub(super) async fn undo(&self) {
        self.as_owner(
            "DELETE FROM audit_entry; INSERT INTO audit_entry SELECT * FROM kept_entry; \
             DELETE FROM audit_block; INSERT INTO audit_block SELECT * FROM kept_block; \
             DELETE FROM audit_checkpoint; INSERT INTO audit_checkpoint SELECT * FROM kept_checkpoint",
        )
        .await;
    }

    pub(super) async fn keep(&self) {
        self.as_owner(
            "CREATE TABLE kept_entry AS SELECT * FROM audit_entry; CREATE TABLE kept_block AS SELECT * FROM audit_block; \
             CREATE TABLE kept_checkpoint AS SELECT * FROM audit_checkpoint",
        )
        .await;
    }
}

impl Ledger {
    pub(super) async fn seal(&self, second: u64) -> u64 {
        self.log.seal(at(second), Some(&KEY)).await.unwrap()
    }

    pub(super) async fn verify(&self) -> Verification {
        self.log.verify_audit(Some(&KEY), None).await.unwrap()
    }

    pub(super) async fn head(&self) -> AuditHead {
        self.log.audit_head().await.unwrap()
    }

    pub(super) async fn all(&self) -> Vec<SealedEntry> {
        self.log.audit_entries(&AuditQuery { limit: 500, ..AuditQuery::default() }).await.unwrap()
    }

    pub(super) async fn ids(&self) -> Vec<u128> {
        self.all().await.into_iter().map(|sealed| sealed.id.0).collect()
    }

    /// Records entries from `from` on, three to a block.
    pub(super) async fn fill(&self, from: u128, blocks: u128) {
        for block in 0..blocks {
            for n in 0..3 {
                let id = from + block * 3 + n;
                self.log.record(&entry(id, Act::Stop, AuditObject::new(ObjectKind::Bot, n))).await.unwrap();
            }
            assert_eq!(self.seal(100 + block as u64).await, 3);
        }
    }
}

pub(super) fn entry(id: u128, act: Act, object: AuditObject) -> AuditEntry {
    let name = if id.is_multiple_of(2) { "ayse" } else { "local" };
    AuditEntry {
        id: AuditId(id),
        at: at(id as u64),
        act,
        phase: Phase::Act,
        principal: AuditPrincipal { kind: PrincipalKind::Local, id: None, name: name.to_owned() },
        object,
        before: None,
        after: Some(serde_json::json!({ "n": id as u64, "a quote": "'\"" })),
        origin: Origin::new(Some("127.0.0.1".to_owned()), Some("curl"), Some("r1"), "n1"),
    }
}

/// Returns an entry of somebody with an id.
pub(super) fn entry_of(id: u128, kind: PrincipalKind, account: &str, name: &str) -> AuditEntry {
    let principal = AuditPrincipal { kind, id: Some(account.to_owned()), name: name.to_owned() };
    AuditEntry { principal, ..entry(id, Act::Stop, fleet()) }
}

pub(super) fn fleet() -> AuditObject {
    AuditObject::only(ObjectKind::Fleet)
}
