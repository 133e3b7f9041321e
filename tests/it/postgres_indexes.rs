//! Tests with the statistics of ten million rows a table that no statement on the data's way reads a large table from
//! end to end (I16).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use botfleet::store::postgres::open::PLANNING;
use botfleet::store::settings::Backend;
use botfleet::store::statements::sent_to;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::postgres::{database, server};

const LARGE: [&str; 5] = ["inbox", "transcript", "turn", "outbox", "decision"];
/// Indexes that hold only rows that wait: reading one of them from end to end is no scan of its table.
const OF_WHAT_WAITS: [&str; 7] =
    ["inbox_unhandled", "inbox_dead", "turn_open", "turn_dead", "outbox_open", "outbox_unknown", "outbox_rejected"];

/// 100,000 rows in each table, of 100 bots in 50 chats; one in 2,000 still waits.
const ROWS: [&str; 7] = [
    "INSERT INTO lease (kind, key, owner, epoch) SELECT 'bot', g, 1, 1 FROM generate_series(1, 100) g",
    "INSERT INTO lease (kind, key, owner, epoch) SELECT 'chat', g, 1, 1 FROM generate_series(1, 50) g",
    "INSERT INTO inbox (id, chat, bot, source, source_id, payload, received_at, outcome, number) \
     SELECT g, g % 50 + 1, g % 100 + 1, 'update', g, '{}', g, CASE WHEN g % 2000 = 0 THEN NULL ELSE 'appended' END, g \
     FROM generate_series(1, 100000) g",
    "INSERT INTO transcript (chat, number, kind, revision, telegram_chat, message_id, author, text, entities, date, \
     inbox, chain_depth, root) SELECT g % 50 + 1, g, 'message', 0, -(g % 50) - 1, g, '{}', 'hello', '[]', g, g, 0, g \
     FROM generate_series(1, 100000) g",
    "INSERT INTO turn (id, chat, decision, bot, ordinal, chain_depth, priority, due_at, expires_at, created_at, state, \
     attempts) SELECT g, g % 50 + 1, g, g % 100 + 1, 0, 0, 1, g, g, g, \
     CASE WHEN g % 2000 = 0 THEN 'queued' WHEN g % 2000 = 1 THEN 'claimed' ELSE 'done' END, 0 \
     FROM generate_series(1, 100000) g",
    "INSERT INTO outbox (id, turn, part, parts, bot, chat, telegram_chat, text, chain_depth, expires_at, created_at, \
     state, attempts, due_at) SELECT g, g, 0, 1, g % 100 + 1, g % 50 + 1, -1, 'hello', 0, g, g, \
     CASE WHEN g % 2000 = 0 THEN 'queued' WHEN g % 2000 = 1 THEN 'unknown' ELSE 'sent' END, 0, g \
     FROM generate_series(1, 100000) g",
    "INSERT INTO decision (chat, number, cause_entry, seed, at, config_seq, policy, verdict, reason, inputs, scores, \
     chain_depth) SELECT g % 50 + 1, g, CASE WHEN g % 20 = 0 THEN NULL ELSE g END, g, g, 1, 'natural', 'speak', 'asked', \
     '{}', '{}', 0 FROM generate_series(1, 100000) g",
];

/// Makes the planner believe that each table holds a hundred times as many rows.
const PLANTED: &str = "\
UPDATE pg_class SET reltuples = reltuples * 100 WHERE reltuples >= 100 \
AND (oid IN (SELECT oid FROM pg_class WHERE relname = ANY(string_to_array('inbox,transcript,turn,outbox,decision', ','))) \
OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid::regclass::text = \
ANY(string_to_array('inbox,transcript,turn,outbox,decision', ','))))";

/// Returns each node of a plan.
fn nodes(plan: &Value) -> Vec<&Value> {
    let children = plan["Plans"].as_array().into_iter().flatten();
    std::iter::once(plan).chain(children.flat_map(nodes)).collect()
}

/// Returns the table of an index.
fn table_of(index: &str) -> Option<&'static str> {
    LARGE.into_iter().find(|table| index.starts_with(table))
}

/// Tells how a node reads one of the large tables from end to end, if it does.
fn scan(node: &Value) -> Option<String> {
    let (kind, relation) = (node["Node Type"].as_str()?, node["Relation Name"].as_str().unwrap_or_default());
    if kind == "Seq Scan" && LARGE.contains(&relation) {
        return Some(format!("reads {relation} from one end to the other"));
    }
    let index = node["Index Name"].as_str()?;
    let bounded = node.get("Index Cond").is_some() || OF_WHAT_WAITS.contains(&index);
    (table_of(index).is_some() && !bounded).then(|| format!("reads {index} from one end to the other"))
}

fn values_of(statement: &str) -> usize {
    let numbers = statement.split('$').skip(1);
    let number = |piece: &str| piece.bytes().take_while(u8::is_ascii_digit).count();
    numbers.filter_map(|piece| piece[..number(piece)].parse().ok()).max().unwrap_or(0)
}

async fn plan(connection: &mut PgConnection, statement: &str) -> Value {
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    connection.execute(run(format!("PREPARE proof AS {statement}"))).await.unwrap();
    let nothing = vec!["NULL"; values_of(statement)].join(", ");
    let values = if nothing.is_empty() { String::new() } else { format!("({nothing})") };
    let explain = run(format!("EXPLAIN (FORMAT JSON) EXECUTE proof{values}"));
    let row = connection.fetch_one(explain).await.unwrap();
    connection.execute("DEALLOCATE proof").await.unwrap();
    let text: String = row.try_get_unchecked(0).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Returns the statements on a large table.
fn on_the_datas_way() -> impl Iterator<Item = (&'static str, String)> {
    let large = |text: &str| text.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| LARGE.contains(&word));
    sent_to(Backend::Postgres).into_iter().filter(move |(_, text)| large(text))
}

#[test]
fn every_mark_of_every_statement_is_known() {
    for (name, text) in sent_to(Backend::Postgres) {
        assert!(!text.contains('`') && !text.contains("unknown mark"), "{name}: {text}");
    }
}

#[tokio::test]
async fn no_statement_reads_ten_million_rows() {
    let database = database().await;
    let mut connection = PgConnection::connect(&server().await.url(&database)).await.unwrap();
    for rows in ROWS {
        connection.execute(rows).await.unwrap();
    }
    for table in LARGE {
        let alone = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(alone))).await.unwrap();
    }
    connection.execute("ANALYZE").await.unwrap();
    connection.execute(PLANTED).await.unwrap();
    let believed = plan(&mut connection, "SELECT * FROM decision").await;
    assert!(believed[0]["Plan"]["Plan Rows"].as_f64().unwrap() > 9e6, "{believed}");
    for (name, value) in PLANNING {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("SET {name} = {value}")))).await.unwrap();
    }
    let mut broken = Vec::new();
    for (name, statement) in on_the_datas_way() {
        let plan = plan(&mut connection, &statement).await;
        let root = &plan[0]["Plan"];
        broken.extend(nodes(root).into_iter().filter_map(scan).map(|what| format!("{name} {what}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let planted = plan(&mut connection, "SELECT count(*) FROM inbox WHERE payload = 'x'").await;
    assert!(nodes(&planted[0]["Plan"]).into_iter().any(|node| scan(node).is_some()), "the proof can fail: {planted}");
}

/// 100,000 entries of 50 principals, 20 acts and 1,000 things, ten to a block.
const ENTRIES: &str = "\
INSERT INTO audit_entry (id, at, principal, act, object, hash, salt, body, block, place) \
SELECT g::text, g, 'p' || g % 50, 'a' || g % 20, 'bot:' || g % 1000, 'h', 's', '{}', g / 10 + 1, g % 10 + 1 \
FROM generate_series(1, 100000) g";

#[tokio::test]
async fn i16_a_page_of_the_audit_begins_at_its_place_whatever_the_filters() {
    let database = database().await;
    let mut connection = PgConnection::connect(&server().await.url(&database)).await.unwrap();
    connection.execute(ENTRIES).await.unwrap();
    connection.execute("ANALYZE audit_entry").await.unwrap();
    for (name, value) in PLANNING {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("SET {name} = {value}")))).await.unwrap();
    }
    let pages: Vec<_> =
        sent_to(Backend::Postgres).into_iter().filter(|(name, _)| name.starts_with("audit_page")).collect();
    assert_eq!(pages.len(), 16, "each combination of filters, in both orders");
    for (_, text) in pages {
        let plan = plan(&mut connection, &text).await;
        let wanted = if text.contains("$7") { "audit_entry_by_" } else { "audit_entry_place" };
        let indexes: Vec<&str> = nodes(&plan[0]["Plan"])
            .into_iter()
            .inspect(|node| assert_ne!(node["Node Type"], "Seq Scan", "{text}: {plan}"))
            .filter_map(|node| node.get("Index Cond").and(node["Index Name"].as_str()))
            .collect();
        assert!(!indexes.is_empty() && indexes.iter().all(|index| index.starts_with(wanted)), "{text}: {plan}");
    }
}
