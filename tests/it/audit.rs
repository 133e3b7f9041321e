//! Tests the audit on both databases: what was sealed cannot be changed unseen, and what is removed in good order leaves the
//! chain whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::audit::{
    Act, ActResult, AuditEntry, AuditId, AuditObject, AuditPrincipal, ObjectKind, Origin, Phase, PrincipalKind,
};
use botfleet_actors::domain::chain::{
    AuditHead, AuditKey, AuditPlace, AuditQuery, HeadCheck, SealedEntry, Verification,
};
use botfleet_actors::domain::commit::operations::{Audited, Operation, Redeliver, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::dead_letter::DeadLetterId;
use botfleet_actors::domain::ids::{TelegramUserId, TurnId};
use botfleet_actors::ports::audit::AuditLog;
use botfleet_actors::ports::store::{Store, StoreError};
use botfleet_actors::testkit::rows::{at, plan};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use super::postgres::{database, server, store};

const KEY: AuditKey = AuditKey([7; 32]);

/// A database of its own.
enum Place {
    Sqlite(TempDir),
    Postgres(String),
}

/// A process on a database.
struct Ledger {
    log: Arc<dyn AuditLog>,
    store: Arc<dyn Store>,
}

impl Place {
    /// Returns a database of each kind.
    async fn both() -> [Self; 2] {
        [Self::Sqlite(tempfile::tempdir().unwrap()), Self::Postgres(database().await)]
    }

    fn file(folder: &TempDir) -> std::path::PathBuf {
        folder.path().join("fleet.db")
    }

    async fn open(&self) -> Ledger {
        match self {
            Self::Sqlite(folder) => {
                let settings = StoreSettings { path: Self::file(folder), ..StoreSettings::default() };
                let store = Arc::new(SqliteStore::open(&settings).await.unwrap());
                Ledger { log: store.clone(), store }
            }
            Self::Postgres(database) => {
                let store = Arc::new(store(database).await);
                Ledger { log: store.clone(), store }
            }
        }
    }

    /// Runs statements as the owner of the database.
    async fn as_owner(&self, sql: &str) {
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
    async fn undo(&self) {
        self.as_owner(
            "DELETE FROM audit_entry; INSERT INTO audit_entry SELECT * FROM kept_entry; \
             DELETE FROM audit_block; INSERT INTO audit_block SELECT * FROM kept_block; \
             DELETE FROM audit_checkpoint; INSERT INTO audit_checkpoint SELECT * FROM kept_checkpoint",
        )
        .await;
    }

    async fn keep(&self) {
        self.as_owner(
            "CREATE TABLE kept_entry AS SELECT * FROM audit_entry; CREATE TABLE kept_block AS SELECT * FROM audit_block; \
             CREATE TABLE kept_checkpoint AS SELECT * FROM audit_checkpoint",
        )
        .await;
    }
}

impl Ledger {
    async fn seal(&self, second: u64) -> u64 {
        self.log.seal(at(second), Some(&KEY)).await.unwrap()
    }

    async fn verify(&self) -> Verification {
        self.log.verify_audit(Some(&KEY), None).await.unwrap()
    }

    async fn head(&self) -> AuditHead {
        self.log.audit_head().await.unwrap()
    }

    async fn all(&self) -> Vec<SealedEntry> {
        self.log.audit_entries(&AuditQuery { limit: 500, ..AuditQuery::default() }).await.unwrap()
    }

    async fn ids(&self) -> Vec<u128> {
        self.all().await.into_iter().map(|sealed| sealed.id.0).collect()
    }

    /// Records entries from `from` on, three to a block.
    async fn fill(&self, from: u128, blocks: u128) {
        for block in 0..blocks {
            for n in 0..3 {
                let id = from + block * 3 + n;
                self.log.record(&entry(id, Act::Stop, AuditObject::new(ObjectKind::Bot, n))).await.unwrap();
            }
            assert_eq!(self.seal(100 + block as u64).await, 3);
        }
    }
}

fn entry(id: u128, act: Act, object: AuditObject) -> AuditEntry {
    let name = if id % 2 == 0 { "ayse" } else { "local" };
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

fn fleet() -> AuditObject {
    AuditObject::only(ObjectKind::Fleet)
}

#[tokio::test]
async fn entries_are_listed_as_they_were_sealed_and_the_chain_verifies() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let nothing = ledger.verify().await;
        assert_eq!((nothing.bad, nothing.blocks), (None, 0));
        assert_eq!(ledger.seal(1).await, 0, "an empty block says nothing");
        ledger.fill(1, 3).await;
        ledger.log.record(&entry(10, Act::Start, fleet())).await.unwrap();
        let found = ledger.verify().await;
        assert_eq!((found.bad, found.blocks, found.entries, found.waiting), (None, 3, 9, 1));
        assert_eq!((found.unsigned, found.unchecked, found.emptied), (0, 0, 0));
        assert_eq!(found.head, ledger.head().await.to_string());

        assert_eq!(ledger.ids().await, (1..=9).collect::<Vec<_>>(), "what waits is not listed");
        assert_eq!(ledger.all().await[4].entry, Some(entry(5, Act::Stop, AuditObject::new(ObjectKind::Bot, 1))));
        let of = async |query: AuditQuery| -> Vec<u128> {
            let found = ledger.log.audit_entries(&AuditQuery { limit: 9, ..query }).await.unwrap();
            found.into_iter().map(|sealed| sealed.id.0).collect()
        };
        let any = AuditQuery::default;
        assert_eq!(of(AuditQuery { after: AuditPlace { block: 2, place: 2 }, ..any() }).await, [6, 7, 8, 9]);
        assert_eq!(of(AuditQuery { until: Some(1), ..any() }).await, [1, 2, 3]);
        assert_eq!(of(AuditQuery { principal: Some("ayse".to_owned()), ..any() }).await, [2, 4, 6, 8]);
        assert_eq!(of(AuditQuery { object: Some("bot:2".to_owned()), ..any() }).await, [3, 6, 9]);
        assert_eq!(of(AuditQuery { since: Some(at(8)), ..any() }).await, [8, 9]);
        assert!(of(AuditQuery { act: Some("start".to_owned()), ..any() }).await.is_empty());
        // Another process goes on.
        drop(ledger);
        let ledger = place.open().await;
        assert_eq!(ledger.seal(9).await, 1);
        let found = ledger.log.verify_audit(Some(&KEY), Some(&ledger.head().await)).await.unwrap();
        assert_eq!((found.bad, found.blocks, found.head_check), (None, 4, HeadCheck::Found));
    }
}

/// Whoever owns the database can change every row, and has no key.
#[tokio::test]
async fn what_the_owner_of_the_database_changes_is_named() {
    let tampered = [
        (2, "UPDATE audit_entry SET body = replace(body, 'curl', 'wget') WHERE block = 2 AND place = 1"),
        (2, "UPDATE audit_entry SET at = at + 1 WHERE block = 2 AND place = 3"),
        (2, "UPDATE audit_entry SET principal = 'nobody' WHERE block = 2 AND place = 3"),
        (
            2,
            "UPDATE audit_entry SET hash = (SELECT hash FROM audit_entry WHERE block = 1 AND place = 1) WHERE block = 2 AND place = 1",
        ),
        (2, "DELETE FROM audit_entry WHERE block = 2 AND place = 2"),
        (2, "DELETE FROM audit_entry WHERE block = 2"),
        (2, "UPDATE audit_entry SET body = NULL WHERE block = 2 AND place = 2"),
        (1, "UPDATE audit_entry SET block = 1, place = 4 WHERE block = 2 AND place = 1"),
        (2, "UPDATE audit_entry SET place = 9 WHERE block = 2 AND place = 1"),
        (2, "DELETE FROM audit_block WHERE number = 2; DELETE FROM audit_entry WHERE block = 2"),
        (3, "UPDATE audit_block SET previous = hash WHERE number = 3"),
        (2, "UPDATE audit_block SET at = at + 1 WHERE number = 2"),
        (2, "UPDATE audit_block SET mac = NULL, signer = NULL WHERE number = 2"),
        (3, "UPDATE audit_block SET mac = (SELECT mac FROM audit_block WHERE number = 2) WHERE number = 3"),
        (1, "DELETE FROM audit_block WHERE number = 1; DELETE FROM audit_entry WHERE block = 1"),
        // The order of blocks: two change places.
        (
            2,
            "UPDATE audit_block SET number = 9 WHERE number = 2; UPDATE audit_block SET number = 2 WHERE number = 3; \
             UPDATE audit_block SET number = 3 WHERE number = 9",
        ),
        // A checkpoint that stands for blocks that it never saw.
        (
            2,
            "UPDATE audit_checkpoint SET number = 2, hash = (SELECT hash FROM audit_block WHERE number = 2); \
             DELETE FROM audit_block WHERE number <= 2; DELETE FROM audit_entry WHERE block <= 2",
        ),
    ];
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.fill(1, 4).await;
        place.keep().await;
        for (block, sql) in tampered {
            place.as_owner(sql).await;
            let found = ledger.verify().await;
            assert_eq!(found.bad.map(|bad| bad.number), Some(block), "{sql}");
            place.undo().await;
        }
        assert_eq!(ledger.verify().await.bad, None, "and was sound before");
        let other = ledger.log.verify_audit(Some(&AuditKey([8; 32])), None).await.unwrap();
        assert_eq!(other.bad.map(|bad| bad.number), Some(1), "a block of another key is nobody's");
    }
}

#[tokio::test]
async fn a_chain_that_was_cut_off_is_named_against_a_head_that_was_kept() {
    let cut = "DELETE FROM audit_block WHERE number > 2; DELETE FROM audit_entry WHERE block > 2";
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.fill(1, 4).await;
        let head = ledger.head().await;
        place.as_owner(cut).await;
        assert_eq!(ledger.verify().await.bad, None, "the chain alone does not show where it ended");
        let found = ledger.log.verify_audit(Some(&KEY), Some(&head)).await.unwrap();
        assert_eq!((found.bad.map(|bad| bad.number), found.head_check), (Some(3), HeadCheck::Missing));
        // The fleet goes on, and other blocks take the places of those that are gone.
        ledger.fill(50, 3).await;
        let found = ledger.log.verify_audit(Some(&KEY), Some(&head)).await.unwrap();
        assert_eq!(found.bad.map(|bad| bad.number), Some(4), "the head's own place");
        assert_eq!(ledger.verify().await.bad, None);
    }
}

#[tokio::test]
async fn who_is_forgotten_leaves_hashes_and_a_chain_that_verifies() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let hers = || AuditObject::new(ObjectKind::Person, 4_711);
        ledger.log.record(&entry(1, Act::OptOutPerson, hers())).await.unwrap();
        ledger.log.record(&entry(2, Act::ForgetPerson, hers())).await.unwrap();
        ledger.log.record(&entry(3, Act::OptOutPerson, AuditObject::new(ObjectKind::Person, 47))).await.unwrap();
        ledger.seal(1).await;
        ledger.log.record(&entry(4, Act::OptInPerson, hers())).await.unwrap();
        let head = ledger.head().await;
        ledger.store.forget(TelegramUserId(4_711), None, &|_| None).await.unwrap();
        ledger.seal(2).await;
        let found = ledger.log.verify_audit(Some(&KEY), Some(&head)).await.unwrap();
        assert_eq!((found.bad, found.entries, found.emptied, found.head_check), (None, 4, 2, HeadCheck::Found));
        let kept: Vec<_> = ledger.all().await.into_iter().map(|sealed| sealed.entry.is_some()).collect();
        assert_eq!(kept, [false, true, true, false], "the order to forget is the request itself");
    }
}

#[tokio::test]
async fn old_blocks_become_one_checkpoint_and_the_chain_verifies() {
    for place in Place::both().await {
        let ledger = place.open().await;
        // Blocks are of the seconds 100 to 104.
        ledger.fill(1, 5).await;
        let (first, last) = (ledger.all().await[0].clone(), ledger.head().await);
        let old = AuditHead { number: 1, hash: "0".repeat(64) };
        assert_eq!(ledger.log.fold_audit(at(100), at(900), Some(&KEY)).await.unwrap(), 0, "none is that old");
        assert_eq!(ledger.log.fold_audit(at(103), at(900), Some(&KEY)).await.unwrap(), 9);
        let found = ledger.log.verify_audit(Some(&KEY), Some(&last)).await.unwrap();
        assert_eq!((found.bad, found.checkpoint, found.blocks, found.entries), (None, 3, 2, 6));
        assert_eq!(found.head_check, HeadCheck::Found);
        let found = ledger.log.verify_audit(Some(&KEY), Some(&old)).await.unwrap();
        assert_eq!((found.bad, found.head_check), (None, HeadCheck::BeforeCheckpoint));
        assert!(!ledger.all().await.contains(&first));

        ledger.log.fold_audit(at(900), at(901), Some(&KEY)).await.unwrap();
        assert_eq!(ledger.head().await, last, "the head stays when all blocks are gone");
        ledger.fill(50, 1).await;
        let found = ledger.verify().await;
        assert_eq!((found.bad, found.checkpoint, found.blocks), (None, 5, 1));
        place.as_owner("UPDATE audit_checkpoint SET entries = 1").await;
        assert_eq!(ledger.verify().await.bad.map(|bad| bad.number), Some(5), "a checkpoint is signed");
    }
}

/// A checkpoint over a block that somebody changed would hide the change for good.
#[tokio::test]
async fn a_block_that_was_changed_is_not_folded() {
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.fill(1, 3).await;
        place.as_owner("DELETE FROM audit_entry WHERE block = 2 AND place = 1").await;
        assert_eq!(ledger.log.fold_audit(at(900), at(900), Some(&KEY)).await.unwrap(), 3, "the sound one before it");
        assert_eq!(ledger.verify().await.bad.map(|bad| bad.number), Some(2));
        assert_eq!(ledger.log.fold_audit(at(900), at(900), Some(&KEY)).await.unwrap(), 0);
        assert_eq!(ledger.log.fold_audit(at(900), at(900), None).await.unwrap(), 0, "nor by whoever lacks the key");
    }
}

#[tokio::test]
async fn two_sealers_at_once_make_one_chain() {
    for place in Place::both().await {
        let one = place.open().await;
        let other = match &place {
            Place::Sqlite(_) => Ledger { log: one.log.clone(), store: one.store.clone() },
            Place::Postgres(_) => place.open().await,
        };
        for round in 0..10 {
            for n in 0..7_u128 {
                one.log.record(&entry(round * 7 + n, Act::Stop, fleet())).await.unwrap();
            }
            let (by_one, by_other) = tokio::join!(one.seal(1), other.seal(1));
            assert_eq!(by_one + by_other, 7);
        }
        let found = one.verify().await;
        assert_eq!((found.bad, found.blocks, found.entries), (None, 10, 70));
        let mut ids = one.ids().await;
        ids.dedup();
        assert_eq!(ids.len(), 70);
    }
}

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
    let next = AuditQuery { after: seen[0].place, limit: 9, ..AuditQuery::default() };
    let next = ledger.log.audit_entries(&next).await.unwrap();
    assert_eq!((next.len(), next[0].id.0, next[0].place.block), (1, 1, 2));
    assert_eq!(next[0].entry, Some(early));
    assert_eq!(ledger.verify().await.bad, None);
}

fn stop(second: u64) -> Operation {
    let order = StopOrder::Set { until: None, rank: Rank::Operator };
    Operation::SetStop(SetStop { scope: StopScope::Fleet, order, by: "local".to_owned(), at: at(second) })
}

#[tokio::test]
async fn an_act_and_its_entry_are_stored_together_or_not_at_all() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let store = &ledger.store;
        store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
        store.begin_tenure("here", at(0)).await.unwrap();
        let letter = DeadLetterId::Turn(TurnId(99));
        let redeliver =
            Redeliver { letter, later_parts: Vec::new(), confirm_duplicate: false, now: at(1), expires_at: at(2) };
        let batch = vec![
            Audited::operation(Operation::Redeliver(redeliver), entry(1, Act::Redeliver, fleet())),
            Audited::operation(stop(5), entry(2, Act::Stop, fleet())),
        ];
        let results = store.commit(batch).await.unwrap();
        assert!(results[0].is_err() && results[1].is_ok(), "{results:?}");
        ledger.seal(6).await;
        let entries = ledger.all().await;
        assert_eq!(entries.iter().map(|sealed| sealed.id.0).collect::<Vec<_>>(), [2], "who was refused did nothing");
        let stopped = entries[0].entry.clone().unwrap();
        assert_eq!(stopped.before.unwrap(), serde_json::json!({ "stop": null }));
        assert_eq!(stopped.after.unwrap()["stop"]["firm"]["rank"], "operator");

        // The entry's id is taken: nothing of the second order is stored.
        let lift = StopOrder::Lift { rank: Rank::Operator };
        let lift = SetStop { scope: StopScope::Fleet, order: lift, by: "local".to_owned(), at: at(7) };
        let again = Audited::operation(Operation::SetStop(lift), entry(2, Act::Start, fleet()));
        assert!(store.commit(vec![again]).await.unwrap()[0].is_err());
        assert!(!store.stops().await.unwrap().0.is_empty(), "the stop is in force as before");

        let mut twice = plan(1, 1);
        twice.bots.push(twice.bots[0].clone());
        let refused = ledger.log.apply_roster_audited(&twice, at(8), &entry(3, Act::ApplyRoster, fleet())).await;
        assert!(matches!(refused, Err(StoreError::RosterRefused(_))), "{refused:?}");
        let applied = ledger.log.apply_roster_audited(&plan(2, 1), at(8), &entry(4, Act::ApplyRoster, fleet())).await;
        assert_eq!(applied.unwrap().bots.len(), 2);
        ledger.seal(9).await;
        assert_eq!(ledger.ids().await, [2, 4]);
    }
}

#[tokio::test]
async fn an_intent_has_one_outcome() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let intent = |id| entry(id, Act::Rebalance, fleet()).as_intent();
        let outcome = |of: &AuditEntry, id, result| of.outcome(AuditId(id), at(50), result);
        for id in 1..=3 {
            ledger.log.record(&intent(id)).await.unwrap();
        }
        ledger.log.record(&outcome(&intent(1), 11, ActResult::Done)).await.unwrap();
        let open = ledger.log.open_intents(at(3), 9).await.unwrap();
        assert_eq!(open, [intent(2)], "the third is not that old");
        let closed = outcome(&intent(2), 12, ActResult::Unknown);
        assert!(ledger.log.close_intent(&closed).await.unwrap());
        assert!(!ledger.log.close_intent(&outcome(&intent(2), 13, ActResult::Unknown)).await.unwrap());
        assert!(!ledger.log.close_intent(&outcome(&intent(1), 14, ActResult::Unknown)).await.unwrap());
        assert_eq!(ledger.log.open_intents(at(900), 9).await.unwrap(), [intent(3)]);
        ledger.seal(60).await;
        assert_eq!(ledger.ids().await, [1, 2, 3, 11, 12]);
        assert_eq!(ledger.verify().await.bad, None, "waiting for an outcome is no part of an entry");
    }
}

#[tokio::test]
async fn an_entry_of_the_day_is_stored_once() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let reading = entry(7, Act::ReadMessages, AuditObject::new(ObjectKind::Chat, 1));
        assert!(ledger.log.record_once(&reading).await.unwrap());
        assert!(!ledger.log.record_once(&reading).await.unwrap());
        ledger.seal(1).await;
        assert_eq!(ledger.ids().await, [7]);
    }
}

/// Without a key blocks are hashed alone, until there is one; from then on nobody goes on without it.
#[tokio::test]
async fn who_lacks_the_key_adds_nothing_to_a_signed_chain() {
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.log.record(&entry(1, Act::Stop, fleet())).await.unwrap();
        assert_eq!(ledger.log.seal(at(1), None).await.unwrap(), 1);
        ledger.log.record(&entry(2, Act::Stop, fleet())).await.unwrap();
        ledger.seal(2).await;
        ledger.log.record(&entry(3, Act::Stop, fleet())).await.unwrap();
        assert!(matches!(ledger.log.seal(at(3), None).await, Err(StoreError::Incompatible(_))));
        let found = ledger.verify().await;
        assert_eq!((found.bad, found.blocks, found.unsigned, found.waiting), (None, 2, 1, 1));
        let without = ledger.log.verify_audit(None, None).await.unwrap();
        assert_eq!((without.bad, without.unsigned, without.unchecked), (None, 1, 1));
        assert_eq!(ledger.seal(4).await, 1);
    }
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
