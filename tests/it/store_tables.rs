//! Compares the list of the store's tables with a migrated schema of each database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use botfleet::store::settings::{Backend, StoreSettings};
use botfleet::store::sizes::Measured;
use botfleet::store::sqlite::SqliteStore;
use botfleet::store::statements::sent_to;
use botfleet::store::tables::{Rows, Rule, TABLES, names_on};
use botfleet_actors::ports::store::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::postgres::{database, server, store};

const ON_SQLITE: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const ON_POSTGRES: &str = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";

/// Tables in which migrations keep their own record.
const OF_MIGRATIONS: [&str; 2] = ["_sqlx_migrations", "schema_migration"];

/// Requires that the list names the tables of the schema, each of them and no other.
fn compare(backend: Backend, schema: impl IntoIterator<Item = String>) {
    let schema: BTreeSet<String> =
        schema.into_iter().filter(|table| !OF_MIGRATIONS.contains(&table.as_str())).collect();
    let listed: BTreeSet<String> = names_on(backend).map(str::to_owned).collect();
    assert!(schema.len() > 20, "{schema:?}");
    let missing: Vec<_> = schema.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&schema).collect();
    assert!(missing.is_empty(), "{backend:?}: not in the list of src/store/tables.rs: {missing:?}");
    assert!(gone.is_empty(), "{backend:?}: in the list of src/store/tables.rs, and not in the schema: {gone:?}");
}

#[tokio::test]
async fn every_table_of_sqlite_is_in_the_list() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let store = SqliteStore::open(&StoreSettings { path: path.clone(), ..StoreSettings::default() }).await.unwrap();
    store.close().await.unwrap();
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(ON_SQLITE).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    compare(Backend::Sqlite, tables);
}

#[tokio::test]
async fn every_table_of_postgresql_is_in_the_list() {
    let tables = server().await.query(&database().await, ON_POSTGRES).await.unwrap();
    compare(Backend::Postgres, tables.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
}

fn names(statement: &str, table: &str) -> bool {
    statement.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| word == table)
}

#[test]
fn every_rule_is_about_its_table() {
    let statements = sent_to(Backend::Postgres);
    for table in TABLES {
        for rule in [table.goes, table.forgotten] {
            match rule {
                Rule::By(name) => {
                    let is_it = |(of, text): &&(&str, String)| *of == name && names(text, table.name);
                    assert!(statements.iter().any(|it| is_it(&it)), "{}: {name} is no statement on it", table.name);
                }
                Rule::Never(why) => assert!(!why.is_empty(), "{} gives no reason", table.name),
            }
        }
        let goes = matches!(table.goes, Rule::By(_));
        assert!(goes || table.rows == Rows::Bounded, "{} grows for ever", table.name);
    }
}

#[test]
fn every_statement_that_drops_old_rows_is_in_the_list() {
    let statements = sent_to(Backend::Sqlite);
    let drops = statements.iter().map(|(name, _)| *name).filter(|name| name.starts_with("drop_"));
    let drops: BTreeSet<&str> = drops.collect();
    assert!(drops.len() > 5, "{drops:?}");
    for name in drops {
        let listed = TABLES.iter().any(|table| matches!(table.goes, Rule::By(by) if by == name));
        assert!(listed, "{name} drops rows of no table of the list");
    }
}

/// The statement of the sizes is made from the list, and each database takes it.
#[tokio::test]
async fn every_table_of_both_databases_can_be_measured() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let sqlite = SqliteStore::open(&StoreSettings { path, ..StoreSettings::default() }).await.unwrap();
    let postgres = store(&database().await).await;
    for (backend, store) in [(Backend::Sqlite, &sqlite as &dyn Measured), (Backend::Postgres, &postgres)] {
        let (tables, whole) = store.sizes().await.unwrap();
        assert!(tables.iter().map(|size| size.table.as_str()).eq(names_on(backend)), "{backend:?}: {tables:?}");
        assert!(whole > 0, "{backend:?} has a size");
    }
}
