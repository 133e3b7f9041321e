//! Tests that each statement on a large table uses an index on `SQLite`, as ten million rows would need it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use botfleet::store::settings::Backend;
use botfleet::store::statements::{of_removals, sent_to};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};

/// Makes the planner believe that the tables that grow hold ten million rows each, of which 500 wait.
const TEN_MILLION_ROWS: &str = "\
ANALYZE; \
INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT t.name, i.name, CASE WHEN i.name IN (\
'inbox_unhandled', 'inbox_dead', 'turn_open', 'outbox_open', 'outbox_rejected') THEN '500' ELSE '10000000' END || (WITH RECURSIVE c (n, s) AS (\
SELECT 0, '' UNION ALL SELECT n + 1, s || ' ' || (CASE WHEN n = 0 THEN 100 ELSE 1 END) FROM c \
WHERE n < (SELECT count(*) FROM pragma_index_info(i.name))) SELECT s FROM c ORDER BY n DESC LIMIT 1) \
FROM sqlite_schema t JOIN pragma_index_list(t.name) i WHERE t.name IN ('inbox', 'transcript', 'turn', 'outbox', 'decision'); \
ANALYZE sqlite_schema";

async fn migrated() -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    sqlx::migrate!("migrations/sqlite").run_direct(None, &mut connection, false).await.unwrap();
    connection
}

/// Returns `SQLite`'s plan for a statement, which it prepares to that end.
async fn plan(connection: &mut SqliteConnection, statement: &str) -> String {
    let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
    let steps = explain.fetch_all(connection).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    steps.iter().map(|step| step.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn no_statement_reads_a_table_from_one_end_to_the_other() {
    let mut connection = migrated().await;
    let removals = of_removals();
    for planted in [false, true] {
        if planted {
            connection.execute(TEN_MILLION_ROWS).await.unwrap();
        }
        for (name, text) in sent_to(Backend::Sqlite) {
            let plan = plan(&mut connection, &text).await;
            for table in ["inbox", "transcript", "turn", "outbox", "decision", "t", "e", "i", "o"] {
                assert!(!plan.lines().any(|line| line.ends_with(&format!("SCAN {table}"))), "{text}:\n{plan}");
            }
            // The chat alone is no bound: an entry or a decision is named by both its columns.
            assert!(!(removals.contains(&name) && plan.contains("(chat=?)")), "{text}:\n{plan}");
        }
    }
    assert!(plan(&mut connection, "SELECT * FROM turn").await.contains("SCAN turn"), "the proof can fail");
}

#[tokio::test]
async fn i16_a_page_of_the_audit_begins_at_its_place_whatever_the_filters() {
    let mut connection = migrated().await;
    let pages: Vec<_> =
        sent_to(Backend::Sqlite).into_iter().filter(|(name, _)| name.starts_with("audit_page")).collect();
    assert_eq!(pages.len(), 16, "each combination of filters, in both orders");
    for (_, text) in pages {
        let plan = plan(&mut connection, &text).await;
        let index = if text.contains("$7") { "USING INDEX audit_entry_by_" } else { "USING INDEX audit_entry_place" };
        assert!(plan.starts_with("SEARCH audit_entry") && plan.contains(index), "{text}:\n{plan}");
        assert!(plan.contains("(block,place)") && !plan.contains("TEMP B-TREE"), "{text}:\n{plan}");
        assert!(!text.contains("$7") || plan.contains("=? AND (block,place)"), "{text}:\n{plan}");
    }
}
