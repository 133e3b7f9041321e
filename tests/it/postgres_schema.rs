//! Tests the schema on `PostgreSQL`: up, down and up again, kinds of migrations, which version may run on which schema,
//! and `botfleet migrate`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::borrow::Cow;
use std::process::{Command, Output};

use botfleet::store::postgres::PgStore;
use botfleet::store::postgres::migrations::{Kind, MigrationError, Schema, Standing};
use botfleet::store::postgres::open::OpenError;
use botfleet::store::settings::StoreSettings;
use botfleet_actors::domain::ownership::{NewNode, NodeRole};
use botfleet_actors::ports::cluster::Cluster;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::postgres::{address, database, fresh_name, server, store};

/// Query for everything that `information_schema` and the catalogue of indexes know of the tables.
const SHAPE: &str = "\
SELECT 'column', table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns \
WHERE table_schema = 'public' AND table_name <> 'schema_migration' \
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes \
WHERE schemaname = 'public' AND tablename <> 'schema_migration' \
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint \
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'schema_migration' ORDER BY 1, 2, 3";

async fn empty() -> (String, String) {
    let name = fresh_name();
    let url = server().await.create_database(&name).await.unwrap();
    (name, url)
}

async fn schema(url: &str) -> Schema {
    Schema::connect(&address(url)).await.unwrap()
}

/// Returns the migrations of a later version of the program, which knows one more.
fn with_later(text: &'static str) -> Vec<Migration> {
    let later = |kind, sql: &str| {
        let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
        Migration::new(9999, Cow::Borrowed("later"), kind, sql, false)
    };
    let mut migrations = Schema::known();
    migrations.push(later(MigrationType::ReversibleUp, text));
    migrations.push(later(MigrationType::ReversibleDown, "DROP TABLE later"));
    migrations
}

/// Returns the version of this program's schema.
fn newest() -> i64 {
    Schema::known().iter().map(|migration| migration.version).max().unwrap()
}

const EXPAND: &str = "-- kind: expand\nCREATE TABLE later (id BIGINT)";
const CONTRACT: &str = "-- kind: contract\nCREATE TABLE later (id BIGINT)";

async fn opened(url: &str) -> Result<PgStore, OpenError> {
    PgStore::open(&StoreSettings::default(), &address(url)).await
}

#[tokio::test]
async fn the_schema_is_the_same_after_the_way_back_and_up_again() {
    let (name, url) = empty().await;
    let mut schema = schema(&url).await;
    let shape = async || server().await.query(&name, SHAPE).await.unwrap();
    let nothing = shape().await;
    assert!(!schema.up("1", false).await.unwrap().is_empty());
    let first = shape().await;
    assert!(first.contains("outbox_open") && first.len() > 1_000, "{first}");
    schema.down(0).await.unwrap();
    assert_eq!(shape().await, nothing);
    schema.up("1", false).await.unwrap();
    assert_eq!(shape().await, first);
    assert!(schema.up("1", false).await.unwrap().is_empty(), "nothing is pending");
}

#[tokio::test]
async fn two_that_migrate_at_once_do_it_once() {
    let (_, url) = empty().await;
    let (mut one, mut other) = (schema(&url).await, schema(&url).await);
    let (by_one, by_other) = tokio::join!(one.up("1", false), other.up("1", false));
    let known = Standing::of(&one.steps().await.unwrap());
    let versions = Schema::known().iter().filter(|migration| migration.migration_type.is_up_migration()).count();
    assert_eq!(by_one.unwrap().len() + by_other.unwrap().len(), versions);
    assert!(known.pending.is_empty());
}

#[tokio::test]
async fn every_migration_declares_its_kind() {
    let first_lines: Vec<String> = Schema::known()
        .iter()
        .filter(|migration| migration.migration_type == MigrationType::ReversibleUp)
        .map(|migration| migration.sql.as_str().lines().next().unwrap_or_default().to_owned())
        .collect();
    assert!(!first_lines.is_empty());
    for line in first_lines {
        assert!(["-- kind: expand", "-- kind: contract"].contains(&line.as_str()), "{line}");
    }
}

#[tokio::test]
async fn a_schema_that_is_behind_is_refused_with_the_remedy() {
    let (_, url) = empty().await;
    let error = opened(&url).await.err().expect("it does not open");
    assert!(matches!(error, OpenError::Behind { .. }), "{error:?}");
    assert!(error.to_string().contains("botfleet migrate up"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_run_on_when_it_only_adds() {
    let (_, url) = empty().await;
    schema(&url).await.with_migrations(with_later(EXPAND)).up("2", false).await.unwrap();
    opened(&url).await.expect("an older version goes on beside a newer one");
    let error = schema(&url).await.up("1", false).await.unwrap_err();
    assert!(matches!(error, MigrationError::Newer { found: 9999, .. }), "{error:?}");
}

#[tokio::test]
async fn a_newer_schema_that_takes_away_is_refused_with_the_remedy() {
    let (_, url) = empty().await;
    schema(&url).await.with_migrations(with_later(CONTRACT)).up("2", false).await.unwrap();
    let error = opened(&url).await.err().expect("it does not open");
    assert!(matches!(error, OpenError::Newer { found: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("migrate down --to"), "{error}");
    schema(&url).await.with_migrations(with_later(CONTRACT)).down(newest()).await.unwrap();
    opened(&url).await.expect("the way back was gone");
}

#[tokio::test]
async fn nothing_is_taken_away_while_an_older_version_runs() {
    let database = database().await;
    let old = store(&database).await;
    let node = NewNode {
        name: "old".to_owned(),
        role: NodeRole::Worker,
        address: None,
        version: "1".to_owned(),
        launch: None,
    };
    let me = old.join(&node).await.unwrap();
    let url = server().await.url(&database);
    let mut newer = schema(&url).await.with_migrations(with_later(CONTRACT));
    let error = newer.up("2", false).await.unwrap_err();
    assert!(matches!(&error, MigrationError::OlderNodes { nodes, .. } if nodes == &["old (1)"]), "{error:?}");
    assert_eq!(
        newer.steps().await.unwrap().last().map(|step| (step.kind, step.applied_at)),
        Some((Kind::Contract, None))
    );
    old.leave(me).await.unwrap();
    assert_eq!(newer.up("2", false).await.unwrap().len(), 1);
}

/// Returns the migrations up to the one that adds the table of erasure requests.
fn with_both_tables() -> Vec<Migration> {
    Schema::known().into_iter().filter(|migration| migration.version <= 8).collect()
}

#[tokio::test]
async fn this_version_runs_before_its_own_contraction() {
    let (_, url) = empty().await;
    let contractions = Schema::known().into_iter().filter(|one| one.sql.as_str().starts_with("-- kind: contract"));
    let contractions: Vec<i64> = contractions.map(|one| one.version).collect();
    let expands = Schema::known().into_iter().filter(|one| !contractions.contains(&one.version)).collect();
    schema(&url).await.with_migrations(expands).up("2", false).await.unwrap();
    opened(&url).await.expect("nodes are replaced one by one");
    let check = migrate(&url, &["check"]);
    assert!(check.status.success(), "{}", text(&check));
    assert_eq!(schema(&url).await.up("2", false).await.unwrap().len(), contractions.len(), "they follow");
}

/// I3: while nodes of two versions run, each knows the requests to be forgotten that the other took.
#[tokio::test]
async fn requests_to_be_forgotten_are_known_to_both_versions() {
    let (name, url) = empty().await;
    let query = async |sql: &str| server().await.query(&name, sql).await.unwrap();
    let audit = "SELECT seq, person, at, counts FROM audit WHERE action = 'forget' ORDER BY seq";
    let erasure = "SELECT seq, person, at, counts FROM erasure ORDER BY seq";
    let mut old =
        schema(&url).await.with_migrations(with_both_tables().into_iter().filter(|m| m.version < 8).collect());
    old.up("1", false).await.unwrap();
    query("INSERT INTO audit VALUES (1, 77, 'forget', 10, 'person', '{}'), (2, 78, 'opt_out', 11, 'person', '{}')")
        .await;
    schema(&url).await.with_migrations(with_both_tables()).up("2", false).await.unwrap();
    query("INSERT INTO audit VALUES (3, 79, 'forget', 12, 'person', '{}')").await;
    query("UPDATE audit SET at = 13 WHERE seq = 3").await;
    query("INSERT INTO erasure VALUES (4, 80, 14, 'person', '{}')").await;
    query("UPDATE erasure SET counts = '{\"entries\":1}' WHERE seq = 4").await;
    let known = query(erasure).await;
    assert_eq!(known, query(audit).await);
    assert_eq!(known.lines().count(), 3, "{known}");
    assert!(known.contains("3|79|13|{}") && known.contains("4|80|14|{\"entries\":1}"), "{known}");
    let mut whole = schema(&url).await;
    whole.up("2", false).await.unwrap();
    assert_eq!(query(erasure).await, known);
    assert_eq!(query("SELECT seq, action FROM audit").await, "2|opt_out");
    whole.down(8).await.unwrap();
    assert_eq!(query(audit).await, known, "the way back loses none");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let (name, url) = empty().await;
    let broken = "-- kind: contract\nCREATE TABLE later (id BIGINT); SELECT 1 / 0";
    let mut schema = schema(&url).await.with_migrations(with_later(broken));
    let error = schema.up("2", false).await.unwrap_err();
    assert!(matches!(error, MigrationError::Failed { version: 9999, .. }), "{error:?}");
    let there = server().await.query(&name, "SELECT to_regclass('later') IS NULL").await.unwrap();
    assert_eq!(there, "t");
    assert_eq!(Standing::of(&schema.steps().await.unwrap()).pending, [9999], "those before it stay");
}

fn migrate(url: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_botfleet"))
        .current_dir(folder.path())
        .env("BOTFLEET__STORE__BACKEND", "postgres")
        .env("BOTFLEET__STORE__URL", url)
        .arg("migrate")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn the_command_brings_the_schema_up_and_takes_it_back() {
    let (_, url) = empty().await;
    let check = migrate(&url, &["check"]);
    assert_eq!(check.status.code(), Some(1), "{}", text(&check));
    assert!(text(&migrate(&url, &["status"])).contains("pending"));
    let up = migrate(&url, &["up"]);
    assert!(up.status.success() && text(&up).contains("0001 initial (expand)"), "{}", text(&up));
    assert!(text(&migrate(&url, &["status"])).contains("applied 20"));
    let check = migrate(&url, &["check", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((check.status.code(), &value["fits"]), (Some(0), &serde_json::Value::Bool(true)));
    let down = migrate(&url, &["down", "--to", "0"]);
    assert!(!down.status.success() && text(&down).contains("--yes"), "{}", text(&down));
    assert!(migrate(&url, &["down", "--to", "0", "--yes"]).status.success());
    assert_eq!(migrate(&url, &["check"]).status.code(), Some(1));
}
