//! Reads rights of people and the record about a person, and removes a person's words. Layer: adapter. Keeps I3.
//!
//! Removal reads through the pool and writes in transactions of bounded size; entries keep their numbers. Every
//! statement touches a bounded number of rows: updates are walked by id, all else is found by an index. SQLite
//! overwrites what it frees (`secure_delete`). The write-ahead log is emptied at the end, so that the file holds
//! nothing removed.

use std::time::Duration;

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{FORGOTTEN, Forgotten, PersonRecord, Right, Rights, SetRight};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{Cut, StoreError};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{ConnectOptions, Executor, Row};
use tokio::sync::Mutex;

use super::error::{is_busy, to_port};
use super::reads::all;
use super::writer::Writer;
use crate::store::columns::Columns;
use crate::store::loaded::array;
use crate::store::person::{Entries, Naming, WishRow, nobody, rights_of};

/// The number of rows changed in one transaction; commits wait meanwhile.
const BATCH: usize = 50;
/// The number of entries, or of updates, that one statement reads.
const PAGE: i64 = 500;
/// The number of attempts to empty the write-ahead log while readers are active, and the wait between two attempts.
const EMPTYING_TRIES: u32 = 50;
const EMPTYING_WAIT: Duration = Duration::from_millis(100);

const NUMBER: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ('people', '{}', 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = config_seq + 1";
const AUDIT: &str = "\
INSERT INTO audit (seq, person, action, at, by) \
SELECT config_seq, $1, $2, $3, $4 FROM setting WHERE key = 'people'";
const OPT_OUT: &str = "INSERT INTO opt_out (person, at, by) VALUES ($1, $2, $3) ON CONFLICT (person) DO NOTHING";
const OPT_IN: &str = "DELETE FROM opt_out WHERE person = $1";
const SEQ: &str = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'people'), 0)";
const OPTED_OUT: &str = "SELECT person FROM opt_out";
const WISHES: &str = "\
SELECT person, max(at), max(CASE WHEN counts = '{}' THEN seq END) FROM audit WHERE action = 'forget' GROUP BY person";
/// Extends an open erasure request to a later instant.
const PROLONGED: &str =
    "UPDATE audit SET at = $2 WHERE action = 'forget' AND person = $1 AND counts = '{}' AND at < $2";
const WISHED_AT: &str = "SELECT at FROM audit WHERE seq = $1";
/// Notes that the request is fulfilled, unless it was extended meanwhile.
const FULFILLED: &str = "UPDATE audit SET counts = $2 WHERE seq = $1 AND at = $3";

const ENTRIES_OF: &str = "\
SELECT e.chat, e.number, e.date, (SELECT count(*) FROM turn t WHERE t.chat = e.chat AND t.target = e.number) \
FROM transcript e WHERE e.fleet_bot IS NULL AND e.author ->> 'id' = $1 AND (e.chat, e.number) > ($2, $3) \
ORDER BY e.chat, e.number LIMIT $4";
const UPDATES_OF: &str = "\
SELECT max(id), sum(payload LIKE $2 OR payload LIKE $3) FROM (\
SELECT id, payload FROM inbox WHERE id > $1 ORDER BY id LIMIT $4)";
const SINCE: &str = "SELECT at FROM opt_out WHERE person = $1";

const FIND_UPDATES: &str = "\
SELECT id, CASE WHEN payload LIKE $2 OR payload LIKE $3 THEN payload END FROM inbox WHERE id > $1 ORDER BY id LIMIT $4";
const CUT_UPDATES: &str = "\
UPDATE inbox SET payload = j.value ->> 1, \
outcome = CASE WHEN j.value ->> 1 = '{}' THEN coalesce(outcome, 'ignored') ELSE outcome END, \
reason = CASE WHEN j.value ->> 1 = '{}' AND outcome IS NULL THEN $2 ELSE reason END \
FROM json_each($1) j WHERE inbox.id = j.value ->> 0";
const FIND_ENTRIES: &str = "\
SELECT e.chat, e.number FROM transcript e WHERE e.fleet_bot IS NULL AND e.author ->> 'id' = $1 \
AND (e.chat, e.number) > ($2, $3) ORDER BY e.chat, e.number LIMIT $4";
const ANSWERED: &str = "\
turn IN (SELECT t.id FROM json_each($1) j CROSS JOIN turn t ON t.chat = j.value ->> 0 AND t.target = j.value ->> 1)";
const EMPTY_SENT: &str = "\
UPDATE inbox SET payload = json_set(payload, '$.text', '') \
WHERE source = 'sent' AND (bot, source_id) IN (SELECT bot, id FROM outbox WHERE ";
const EMPTY_SAID: &str = "\
UPDATE transcript SET text = NULL, entities = '[]' WHERE text IS NOT NULL AND (telegram_chat, message_id) IN (\
SELECT telegram_chat, message_id FROM outbox WHERE message_id IS NOT NULL AND ";
const EMPTY_OUTBOX: &str = "\
UPDATE outbox SET text = '', state = CASE WHEN state IN ('queued', 'retry_at') THEN 'cancelled' ELSE state END, \
error = CASE WHEN state IN ('queued', 'retry_at') THEN $2 ELSE error END WHERE text <> '' AND ";
const DROP_TURNS: &str = "\
UPDATE turn SET state = 'dropped', error = $2 WHERE state IN ('queued', 'claimed') \
AND target IS NOT NULL AND (chat, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
const EMPTY_ACTS: &str = "\
UPDATE turn SET act = '{\"do\":\"say\",\"text\":\"\"}' WHERE act LIKE '{\"do\":\"say\"%' \
AND target IS NOT NULL AND (chat, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
const EMPTY_DECISIONS: &str = "\
UPDATE decision SET inputs = '{}', scores = '{}', reason = $2 \
WHERE cause_entry IS NOT NULL AND (chat, cause_entry) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
const EMPTY_ENTRIES: &str = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL, author = $2 \
WHERE (chat, number) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";

/// Writes a right that a person exercised, within the open transaction.
pub(super) async fn write(connection: &mut SqliteConnection, right: &SetRight) -> Result<(), sqlx::Error> {
    let (person, at) = (right.person.0, right.at.as_millis());
    connection.execute(NUMBER).await?;
    if right.right == Right::Forget {
        let prolonged = sqlx::query(PROLONGED).bind(person).bind(at).execute(&mut *connection).await?;
        if prolonged.rows_affected() > 0 {
            return Ok(());
        }
    }
    let audit = sqlx::query(AUDIT).bind(person).bind(right.right.as_str()).bind(at).bind(&right.by);
    audit.execute(&mut *connection).await?;
    match right.right {
        Right::OptOut => {
            sqlx::query(OPT_OUT).bind(person).bind(at).bind(&right.by).execute(connection).await?;
        }
        Right::OptIn => {
            sqlx::query(OPT_IN).bind(person).execute(connection).await?;
        }
        Right::Forget => {}
    }
    Ok(())
}

/// Returns the rights in force, if their number is not `known`.
pub(super) async fn rights(pool: &SqlitePool, known: i64) -> Result<Option<Rights>, StoreError> {
    let seq = all(pool, sqlx::query(SEQ), |row| Columns::of(row).take::<i64>()).await?.pop().unwrap_or(0);
    if seq == known {
        return Ok(None);
    }
    let opted_out = all(pool, sqlx::query(OPTED_OUT), |row| Columns::of(row).take().map(TelegramUserId)).await?;
    let wishes = all(pool, sqlx::query(WISHES), WishRow::read).await?;
    Ok(Some(rights_of(seq, opted_out, &wishes)))
}

/// Returns the record about a person.
pub(super) async fn person(pool: &SqlitePool, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
    let mut entries = Entries::none();
    loop {
        let page = sqlx::query(ENTRIES_OF).bind(person.0).bind(entries.after.0).bind(entries.after.1).bind(PAGE);
        let page = all(pool, page, Entries::read).await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            entries.count(entry);
        }
    }
    let [before, last] = Naming::of(person).payload;
    let (mut after, mut updates) = (i64::MIN, 0);
    loop {
        let page = sqlx::query(UPDATES_OF).bind(after).bind(&before).bind(&last).bind(PAGE);
        let page = all(pool, page, |row| {
            let mut columns = Columns::of(row);
            Ok(columns.take::<Option<i64>>()?.zip(columns.optional(i64::unsigned_abs)?))
        });
        let Some((newest, some)) = page.await?.pop().flatten() else { break };
        after = newest;
        updates += some;
    }
    let since = all(pool, sqlx::query(SINCE).bind(person.0), |row| Columns::of(row).take()).await?;
    let opted_out_since = since.first().copied().map(Timestamp::from_millis);
    Ok(PersonRecord { opted_out_since, updates, ..entries.record() })
}

/// Removes a person's words.
pub(super) async fn forget(
    pool: &SqlitePool,
    writer: &Mutex<Writer>,
    person: TelegramUserId,
    wish: Option<i64>,
    cut: Cut<'_>,
) -> Result<Forgotten, StoreError> {
    let wished_at = all(pool, sqlx::query(WISHED_AT).bind(wish), |row| Columns::of(row).take::<i64>()).await?;
    let mut forgotten = forget_updates(pool, writer, person, cut).await?;
    forgotten += forget_entries(pool, writer, person).await?;
    empty_log(pool, writer).await?;
    if let Some((wish, at)) = wish.zip(wished_at.first().copied()) {
        let mut writer = writer.lock().await;
        let connection = writer.begin().await?;
        let noted = async {
            sqlx::query(FULFILLED).bind(wish).bind(array(&forgotten)).bind(at).execute(&mut *connection).await?;
            connection.execute(NUMBER).await
        };
        if let Err(error) = noted.await {
            return Err(writer.fail(&error));
        }
        writer.commit().await?;
    }
    Ok(forgotten)
}

/// Moves the write-ahead log into the file and empties it, on a connection of its own, so that commits go on. A reader
/// may prevent that; then it is tried again, and in the end left to the next call.
async fn empty_log(pool: &SqlitePool, writer: &Mutex<Writer>) -> Result<(), StoreError> {
    let options = writer.lock().await.options().clone().busy_timeout(Duration::ZERO);
    let mut connection = options.connect().await.map_err(|error| to_port(&error))?;
    for _ in 0..EMPTYING_TRIES {
        for step in ["PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            let busy = connection.fetch_one(step).await.and_then(|row| row.try_get::<i64, _>(0));
            match busy {
                Ok(0) if step.contains("TRUNCATE") => return Ok(()),
                Ok(_) => {}
                Err(error) if is_busy(&error) => {}
                Err(error) => return Err(to_port(&error)),
            }
        }
        if pool.is_closed() {
            break;
        }
        tokio::time::sleep(EMPTYING_WAIT).await;
    }
    tracing::warn!("readers keep the log from being emptied: what was removed may stand in it until the next time");
    Ok(())
}

async fn forget_updates(
    pool: &SqlitePool,
    writer: &Mutex<Writer>,
    person: TelegramUserId,
    cut: Cut<'_>,
) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let mut after = i64::MIN;
    let [before, last] = Naming::of(person).payload;
    loop {
        let page = sqlx::query(FIND_UPDATES).bind(after).bind(&before).bind(&last).bind(PAGE);
        let page: Vec<(i64, Option<String>)> = all(pool, page, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some((newest, _)) = page.last() else { return Ok(forgotten) };
        after = *newest;
        let changed: Vec<(i64, String)> =
            page.into_iter().filter_map(|(id, payload)| Some((id, cut(&payload?)?))).collect();
        for some in changed.chunks(BATCH) {
            let mut writer = writer.lock().await;
            let update = sqlx::query(CUT_UPDATES).bind(array(some)).bind(FORGOTTEN);
            if let Err(error) = update.execute(writer.begin().await?).await {
                return Err(writer.fail(&error));
            }
            writer.commit().await?;
        }
        forgotten.updates += changed.len() as u64;
    }
}

async fn forget_entries(
    pool: &SqlitePool,
    writer: &Mutex<Writer>,
    person: TelegramUserId,
) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let (mut chat, mut number) = (i64::MIN, i64::MIN);
    loop {
        let found = sqlx::query(FIND_ENTRIES).bind(person.0).bind(chat).bind(number).bind(PAGE);
        let found: Vec<(i64, i64)> = all(pool, found, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some(last) = found.last() else { return Ok(forgotten) };
        (chat, number) = *last;
        for some in found.chunks(BATCH) {
            let mut writer = writer.lock().await;
            match empty(writer.begin().await?, &array(some)).await {
                Ok(some) => forgotten += some,
                Err(error) => return Err(writer.fail(&error)),
            }
            writer.commit().await?;
        }
    }
}

/// Empties entries and everything that came of them. Answers are emptied first, since they are found through the
/// entries.
async fn empty(connection: &mut SqliteConnection, entries: &str) -> Result<Forgotten, sqlx::Error> {
    let mut forgotten = Forgotten::default();
    let sent = format!("{EMPTY_SENT}{ANSWERED})");
    sqlx::query(sqlx::AssertSqlSafe(sent)).bind(entries).execute(&mut *connection).await?;
    let said = format!("{EMPTY_SAID}{ANSWERED})");
    let said = sqlx::query(sqlx::AssertSqlSafe(said)).bind(entries).execute(&mut *connection).await?;
    let outbox = format!("{EMPTY_OUTBOX}{ANSWERED}");
    let outbox = sqlx::query(sqlx::AssertSqlSafe(outbox)).bind(entries).bind(FORGOTTEN);
    forgotten.messages = outbox.execute(&mut *connection).await?.rows_affected();
    sqlx::query(DROP_TURNS).bind(entries).bind(FORGOTTEN).execute(&mut *connection).await?;
    sqlx::query(EMPTY_ACTS).bind(entries).execute(&mut *connection).await?;
    let decisions = sqlx::query(EMPTY_DECISIONS).bind(entries).bind(FORGOTTEN).execute(&mut *connection).await?;
    forgotten.decisions = decisions.rows_affected();
    let own = sqlx::query(EMPTY_ENTRIES).bind(entries).bind(nobody()).execute(connection).await?;
    forgotten.entries = said.rows_affected() + own.rows_affected();
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    /// Returns SQLite's plan for a statement.
    async fn plan(connection: &mut SqliteConnection, statement: &str) -> String {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = sqlx::query(explain).fetch_all(connection).await.unwrap();
        steps.iter().map(|step| step.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn no_statement_reads_a_table_from_one_end_to_the_other() {
        let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        sqlx::migrate!("migrations/sqlite").run_direct(None, &mut connection, false).await.unwrap();
        let statements = [
            ENTRIES_OF.to_owned(),
            UPDATES_OF.to_owned(),
            FIND_UPDATES.to_owned(),
            FIND_ENTRIES.to_owned(),
            format!("{EMPTY_SENT}{ANSWERED})"),
            format!("{EMPTY_SAID}{ANSWERED})"),
            format!("{EMPTY_OUTBOX}{ANSWERED}"),
            DROP_TURNS.to_owned(),
            EMPTY_ACTS.to_owned(),
            EMPTY_DECISIONS.to_owned(),
            EMPTY_ENTRIES.to_owned(),
        ];
        for statement in statements {
            let plan = plan(&mut connection, &statement).await;
            for table in ["inbox", "transcript", "turn", "outbox", "decision", " t", " e"] {
                assert!(!plan.lines().any(|line| line.ends_with(&format!("SCAN {}", table.trim()))), "{plan}");
            }
            // The chat alone is no bound: an entry or a decision is named by both its columns.
            assert!(!plan.contains("(chat=?)"), "{statement}:\n{plan}");
        }
        assert!(plan(&mut connection, "SELECT * FROM turn").await.contains("SCAN turn"), "the proof can fail");
    }
}
