//! Tests the audit among several processes on `PostgreSQL`: late commits, the sealer's lock, and the rights of a role that runs
//! the fleet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use botfleet::store::postgres::PgStore;
use botfleet::store::postgres::migrations::Schema;
use botfleet::store::settings::StoreSettings;
use botfleet_actors::domain::audit::{Act, AuditEntry, AuditObject, ObjectKind};
use botfleet_actors::domain::chain::AuditQuery;
use botfleet_actors::domain::commit::operations::Audited;
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::testkit::contract::HANDLED_GO;
use botfleet_actors::testkit::rows::{at, plan};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::audit_acts::stop;
use super::audit_stage::{KEY, Ledger, Place, entry, fleet};
use super::postgres::{address, database, server};

/// `SQLite` has one writer, so no entry can be begun before another and end after it.
#[tokio::test]
async fn an_entry_begun_early_and_ended_late_is_in_a_later_block_and_missed_by_nobody() {
    let place = Place::Postgres(database().await);
    let Place::Postgres(name) = &place else { unreachable!("it was made so") };
    let ledger = place.open().await;
    let mut slow = PgConnection::connect(&server().await.url(name)).await.unwrap();
    let early = entry(1, Act::Stop, fleet());
    let body = serde_json::to_string(&early).unwrap().replace('\'', "''");
    let salt = "ab".repeat(16);
    slow.execute("BEGIN").await.unwrap();
    let insert = format!(
        "INSERT INTO audit_entry (id, at, principal, act, object, hash, salt, body) VALUES ('{}', {}, 'local', 'stop', \
         'fleet', encode(sha256(convert_to('{salt}{body}', 'UTF8')), 'hex'), '{salt}', '{body}')",
        early.id,
        early.at.as_millis()
    );
    slow.execute(sqlx::raw_sql(AssertSqlSafe(insert))).await.unwrap();
    ledger.log.record(&entry(5, Act::Stop, fleet())).await.unwrap();
    assert_eq!(ledger.seal(6).await, 1);
    let seen = ledger.all().await;
    assert_eq!(seen.iter().map(|sealed| sealed.id.0).collect::<Vec<_>>(), [5]);
    slow.execute("COMMIT").await.unwrap();
    assert_eq!(ledger.seal(7).await, 1);
    let next = AuditQuery { after: Some(seen[0].place), limit: 9, ..AuditQuery::default() };
    let next = ledger.log.audit_entries(&next).await.unwrap();
    assert_eq!((next.len(), next[0].id.0, next[0].place.block), (1, 1, 2));
    assert_eq!(next[0].entry, Some(early));
    assert_eq!(ledger.verify().await.bad, None);
}

/// The data's way never waits for the sealer: its lock is on a row that no act touches.
#[tokio::test]
async fn acts_are_committed_while_somebody_seals() {
    let place = Place::Postgres(database().await);
    let Place::Postgres(name) = &place else { unreachable!("it was made so") };
    let ledger = place.open().await;
    ledger.store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
    ledger.store.begin_tenure("here", at(0)).await.unwrap();
    let mut sealer = PgConnection::connect(&server().await.url(name)).await.unwrap();
    sealer.execute("BEGIN; SELECT * FROM audit_checkpoint FOR UPDATE").await.unwrap();
    let act = ledger.store.commit(vec![Audited::operation(stop(5), entry(2, Act::Stop, fleet()))]);
    let done = tokio::time::timeout(Duration::from_secs(2), act).await.expect("it waits for nobody").unwrap();
    assert!(done[0].is_ok());
    sealer.execute("ROLLBACK").await.unwrap();
    assert_eq!(ledger.seal(6).await, 1);
}

/// The owner migrates, another role runs: it works for the fleet, and cannot take back what it wrote into the audit.
#[tokio::test]
async fn the_role_that_runs_the_fleet_cannot_change_the_audit() {
    let server = server().await;
    let name = database().await;
    let role = format!("runner_of_{name}");
    server.query(&name, &format!("CREATE ROLE {role} LOGIN")).await.unwrap();
    let mut owners = Schema::connect(&address(&server.url(&name))).await.unwrap();
    owners.grant(&role).await.unwrap();
    assert!(owners.grant("x\" CASCADE; --").await.is_err(), "a name is a name");
    assert!(!owners.audit_is_guarded().await.unwrap());
    let (scheme, rest) = server.url(&name).split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let url = format!("{scheme}://{role}@{}", rest.split_once('@').unwrap().1);
    assert!(Schema::connect(&address(&url)).await.unwrap().audit_is_guarded().await.unwrap());

    let store = Arc::new(PgStore::open(&StoreSettings::default(), &address(&url)).await.unwrap());
    let ledger = Ledger { log: store.clone(), operators: store.clone(), store };
    // What is a year old goes: these are of the year 2001, the others of the year 2100.
    let (old, young) = (Timestamp::from_secs(1_000_000_000), Timestamp::from_secs(4_102_444_800));
    let of = |at, entry: AuditEntry| AuditEntry { at, ..entry };
    ledger.log.record(&of(old, entry(1, Act::Stop, fleet()))).await.unwrap();
    assert_eq!(ledger.log.seal(old, Some(&KEY)).await.unwrap(), 1);
    assert_eq!(ledger.log.fold_audit(at(0), young, Some(&KEY)).await.unwrap(), 1);

    ledger.store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
    ledger.store.begin_tenure("here", at(0)).await.unwrap();
    let act = Audited::operation(stop(5), of(young, entry(2, Act::Stop, fleet())));
    let done = ledger.store.commit(vec![act]).await.unwrap();
    assert!(done[0].is_ok(), "{done:?}");
    let about = entry(3, Act::OptOutPerson, AuditObject::new(ObjectKind::Person, 4_711)).as_intent();
    ledger.log.record(&of(young, about)).await.unwrap();
    assert_eq!(ledger.log.seal(young, Some(&KEY)).await.unwrap(), 2);
    ledger.store.forget(TelegramUserId(4_711), None, &|_| None).await.unwrap();
    ledger.store.prune(at(9), &HANDLED_GO).await.unwrap();
    ledger.store.check().await.unwrap();
    let found = ledger.verify().await;
    assert_eq!((found.bad, found.checkpoint, found.entries, found.emptied), (None, 1, 2, 1));

    let mut runner = PgConnection::connect(&url).await.unwrap();
    for refused in [
        "UPDATE audit_entry SET hash = ''",
        "UPDATE audit_entry SET at = 0",
        "UPDATE audit_block SET entries = ''",
        "DELETE FROM audit_checkpoint",
        "TRUNCATE audit_entry",
        "DROP TABLE audit_block",
        "ALTER TABLE audit_entry DISABLE ROW LEVEL SECURITY",
    ] {
        let error = runner.execute(refused).await.unwrap_err().to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{refused}: {error}");
    }
    for young in ["DELETE FROM audit_entry", "DELETE FROM audit_block"] {
        assert_eq!(runner.execute(young).await.unwrap().rows_affected(), 0, "{young}");
    }
    assert_eq!(ledger.verify().await.bad, None);
}
