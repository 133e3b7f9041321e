//! Tests how a process takes the store on `SQLite`, and how the store heals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use botfleet::store::settings::{StoreSettings, Synchronous};
use botfleet::store::sqlite::SqliteArchive;
use botfleet::store::sqlite::SqliteStore;
use botfleet::store::sqlite::compact::compact;
use botfleet::store::sqlite::open::OpenError;
use botfleet_actors::ports::archive::{Archive, DecisionQuery};
use botfleet_actors::ports::store::{Kept, Store, StoreError};
use botfleet_actors::testkit::rows::{at, ingest, plan, update};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions};
use sqlx::{ConnectOptions, Connection, Executor};

const DAY: Duration = Duration::from_hours(24);

fn settings(path: &Path) -> StoreSettings {
    StoreSettings { path: path.to_owned(), ..StoreSettings::default() }
}

async fn refusal(path: &Path) -> OpenError {
    SqliteStore::open(&settings(path)).await.err().expect("the store does not open")
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let first = SqliteStore::open(&settings(&path)).await.unwrap();
    let error = refusal(&path).await;
    let OpenError::InUse { pid, .. } = &error else { panic!("expected InUse, got {error:?}") };
    assert_eq!(*pid, Some(std::process::id()));
    assert!(error.to_string().contains("fleet.db") && error.to_string().contains("store.path"), "{error}");
    drop(first);
    SqliteStore::open(&settings(&path)).await.expect("the lock ends with its holder");
}

async fn number(path: &Path, sql: &'static str) -> i64 {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}

/// A new file gives back what rows took; an older one does after it was compacted, which nobody can do while it is in use.
#[tokio::test]
async fn files_shrink_when_rows_go() {
    const PADDING: &str = "CREATE TABLE padding AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) \
                           SELECT i, hex(randomblob(2000)) AS body FROM n";
    let directory = tempfile::tempdir().unwrap();
    let (new, old) = (directory.path().join("new.db"), directory.path().join("old.db"));
    let old_file = SqliteConnectOptions::new().filename(&old).create_if_missing(true);
    let mut connection = old_file.auto_vacuum(SqliteAutoVacuum::None).connect().await.unwrap();
    connection
        .execute(
            "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, \
        execution_time BIGINT NOT NULL)",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    let shrinks = async |path: &Path| {
        let store = SqliteStore::open(&settings(path)).await.unwrap();
        let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        connection.execute(PADDING).await.unwrap();
        connection.execute("DROP TABLE padding").await.unwrap();
        connection.close().await.unwrap();
        let before = number(path, "SELECT page_count FROM pragma_page_count").await;
        let kept = Kept { handled: DAY * 3, decisions: DAY * 30, letters: DAY * 90 };
        store.prune(at(0), &kept).await.unwrap();
        let after = number(path, "SELECT page_count FROM pragma_page_count").await;
        let held = compact(path).await;
        assert!(matches!(held, Err(OpenError::InUse { .. })), "{held:?}");
        store.close().await.unwrap();
        after < before / 2
    };
    assert!(shrinks(&new).await, "a new file");
    assert!(!shrinks(&old).await, "an older file keeps its size");
    let sizes = compact(&old).await.unwrap();
    assert!(sizes.after < sizes.before / 2, "{sizes:?}");
    assert_eq!(fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(shrinks(&old).await, "a file that was compacted");
    let missing = compact(&directory.path().join("none.db")).await;
    assert!(matches!(missing, Err(OpenError::Inaccessible { .. })), "{missing:?}");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    drop(SqliteStore::open(&settings(&path)).await.unwrap());
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', 1, x'00', 1)";
    connection.execute(newer).await.unwrap();
    connection.close().await.unwrap();
    let error = refusal(&path).await;
    let OpenError::NewerSchema { found, known, .. } = &error else { panic!("expected NewerSchema, got {error:?}") };
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    let version = |file: std::fs::DirEntry| file.file_name().to_string_lossy()[..4].parse::<i64>().unwrap();
    let newest = std::fs::read_dir(migrations).unwrap().map(|file| version(file.unwrap())).max().unwrap();
    assert_eq!((*found, *known), (9999, newest));
    assert!(error.to_string().contains("newer botfleet"), "{error}");
}

#[tokio::test]
async fn a_reader_stands_beside_the_holder_and_needs_the_same_schema() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let missing = SqliteArchive::open(&path).await.err().expect("there is no file");
    assert!(matches!(missing, OpenError::Inaccessible { .. }) && !path.exists(), "{missing}");
    let holder = SqliteStore::open(&settings(&path)).await.unwrap();
    let roster = holder.apply_roster(&plan(2, 1), at(0)).await.unwrap();
    let reader = SqliteArchive::open(&path).await.unwrap();
    assert_eq!(reader.recorded_roster().await.unwrap(), roster);
    let chat = *roster.chats.keys().next().unwrap();
    let query = DecisionQuery { limit: 5, ..DecisionQuery::default() };
    assert_eq!(reader.decisions(chat, &query).await.unwrap(), []);
    holder.apply_roster(&plan(3, 1), at(1)).await.expect("the holder writes on");
    assert_eq!(reader.recorded_roster().await.unwrap().bots.len(), 3, "and the reader sees it");
    holder.close().await.unwrap();
    drop((holder, reader));
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    connection
        .execute("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await
        .unwrap();
    connection.close().await.unwrap();
    let older = SqliteArchive::open(&path).await.err().expect("the schema is older");
    assert!(matches!(older, OpenError::OlderSchema { .. }), "{older}");
}

#[tokio::test]
async fn a_missing_directory_is_made_and_an_impossible_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    SqliteStore::open(&settings(&directory.path().join("a/b/fleet.db"))).await.expect("the directory is made");
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file.join("fleet.db")).await;
    assert!(matches!(error, OpenError::Inaccessible { .. }), "{error:?}");
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    fs::write(&path, "this is a shopping list, not a database, and it is long enough to show it").unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("fleet.db") && error.to_string().contains("store.path"), "{error}");
}

#[tokio::test]
async fn another_programs_database_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.db");
    let mut theirs = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    theirs.execute("CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('buy tea')").await.unwrap();
    theirs.close().await.unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path).await;
    let OpenError::Foreign { table, .. } = &error else { panic!("expected Foreign, got {error:?}") };
    assert_eq!(table, "note");
    assert_eq!(fs::read(&path).unwrap(), before, "not one byte of it changed");
}

#[tokio::test]
async fn a_locked_file_is_unavailable_and_heals_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let store = SqliteStore::open(&settings(&path)).await.unwrap();
    let roster = store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
    let epoch = store.begin_tenure("here", at(0)).await.unwrap().epoch;
    let (bot, chat) = (*roster.bots.keys().next().unwrap(), *roster.chats.keys().next().unwrap());
    let mut foreign = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    foreign.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = store.commit(vec![ingest(bot, epoch, vec![update(1, bot, chat, 1)])]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)) && error.is_retryable(), "{error:?}");
    foreign.execute("ROLLBACK").await.unwrap();
    store.commit(vec![ingest(bot, epoch, vec![update(2, bot, chat, 2)])]).await.unwrap();
    let ids: Vec<i64> = store.unhandled(chat, 9).await.unwrap().iter().map(|row| row.id.0).collect();
    assert_eq!(ids, [2]);
}

#[test]
fn settings_refuse_what_they_do_not_know() {
    let read = |text: &str| toml::from_str::<StoreSettings>(text);
    let settings = read("path = \"x.db\"\nsynchronous = \"normal\"").unwrap();
    assert_eq!((settings.synchronous, settings.readers.get()), (Synchronous::Normal, 2));
    assert!(read("paht = \"x.db\"").is_err());
    assert!(read("readers = 0").is_err());
    assert!(read("").unwrap() == StoreSettings::default());
}

#[tokio::test]
async fn an_old_reader_sees_what_was_just_committed() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&settings(&directory.path().join("fleet.db"))).await.unwrap();
    let roster = store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
    let epoch = store.begin_tenure("here", at(0)).await.unwrap().epoch;
    let (bot, chat) = (*roster.bots.keys().next().unwrap(), *roster.chats.keys().next().unwrap());
    for n in 1..=50 {
        store.commit(vec![ingest(bot, epoch, vec![update(n, bot, chat, n)])]).await.unwrap();
        assert_eq!(store.next_offset(bot).await.unwrap(), Some(n + 1));
    }
}

/// Makes a database with the schema of an older version.
async fn migrated_to(path: &Path, version: i64) {
    let mut older = sqlx::migrate!("migrations/sqlite").iter().cloned().collect::<Vec<_>>();
    older.retain(|migration| migration.version <= version);
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::migrate::Migrator::with_migrations(older).run_direct(None, &mut connection, false).await.unwrap();
    connection.execute("INSERT INTO setting (key, value, config_seq) VALUES ('roster', 'old', 7)").await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_store_with_data_is_copied_before_its_schema_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    migrated_to(&path, 3).await;
    let point = directory.path().join("fleet.db.before-0004");
    fs::write(&point, "a copy of long ago").unwrap();
    drop(SqliteStore::open(&settings(&path)).await.unwrap());
    let mut copy = SqliteConnectOptions::new().filename(&point).connect().await.unwrap();
    let row =
        copy.fetch_one("SELECT config_seq, (SELECT max(version) FROM _sqlx_migrations) FROM setting").await.unwrap();
    assert_eq!((sqlx::Row::get::<i64, _>(&row, 0), sqlx::Row::get::<i64, _>(&row, 1)), (7, 3));
    copy.close().await.unwrap();
    // Back again: the copy, put in the store's place, is a store that the older version knows.
    fs::rename(&point, &path).unwrap();
    for beside in ["fleet.db-wal", "fleet.db-shm"] {
        let _ = fs::remove_file(directory.path().join(beside));
    }
    SqliteStore::open(&settings(&path)).await.expect("and that goes up again");
    assert!(point.exists());
}

#[tokio::test]
async fn a_store_that_is_new_or_up_to_date_is_not_copied() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    for _ in 0..2 {
        drop(SqliteStore::open(&settings(&path)).await.unwrap());
    }
    let copies = fs::read_dir(directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().contains("before")));
    assert_eq!(copies.count(), 0);
}
