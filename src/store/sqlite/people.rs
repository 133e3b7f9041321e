//! Rights of people: what is in force, what is stored about somebody, and its removal. Layer: adapter. Keeps I3.
//!
//! Removal reads by the pool and writes in transactions of bounded size; entries keep their numbers. What SQLite frees is
//! overwritten (`secure_delete`), and the log is emptied at the end, so that the file holds nothing of it.

use botfleet_actors::domain::commit::operation::SetRight;
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{FORGOTTEN, Forgotten, PersonRecord, Right, Rights};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{Cut, StoreError};
use sqlx::Executor;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::reads::all;
use super::writer::Writer;
use crate::store::columns::Columns;
use crate::store::loaded::array;
use crate::store::person::{Naming, WishRow, rights_of};

/// Rows read, and changed in one transaction.
const BATCH: i64 = 500;

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
const WISHES: &str = "SELECT seq, person, at, counts = '{}' FROM audit WHERE action = 'forget'";
const FULFILLED: &str = "UPDATE audit SET counts = $2 WHERE seq = $1";

const ENTRIES_OF: &str = "SELECT count(*), min(date), max(date) FROM transcript WHERE author LIKE $1";
const UPDATES_OF: &str = "SELECT count(*) FROM inbox WHERE payload LIKE $1 OR payload LIKE $2";
const ANSWERS_TO: &str = "\
SELECT count(*) FROM transcript e CROSS JOIN turn t ON t.chat = e.chat AND t.target = e.number WHERE e.author LIKE $1";
const SINCE: &str = "SELECT at FROM opt_out WHERE person = $1";

const FIND_UPDATES: &str = "\
SELECT id, payload FROM inbox WHERE id > $1 AND (payload LIKE $2 OR payload LIKE $3) ORDER BY id LIMIT $4";
const CUT_UPDATES: &str = "\
UPDATE inbox SET payload = j.value ->> 1, \
outcome = CASE WHEN j.value ->> 1 = '{}' THEN coalesce(outcome, 'ignored') ELSE outcome END, \
reason = CASE WHEN j.value ->> 1 = '{}' AND outcome IS NULL THEN $2 ELSE reason END \
FROM json_each($1) j WHERE inbox.id = j.value ->> 0";
const FIND_ENTRIES: &str = "\
SELECT chat, number FROM transcript WHERE (chat, number) > ($1, $2) AND author LIKE $3 ORDER BY chat, number LIMIT $4";
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
AND (chat, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
const EMPTY_DECISIONS: &str = "\
UPDATE decision SET inputs = '{}', scores = '{}', reason = $2 \
WHERE (chat, cause_entry) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
const EMPTY_ENTRIES: &str = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL, author = $2 \
WHERE (chat, number) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";

/// Writes a right that a person made use of, within the transaction that is open.
pub(super) async fn write(connection: &mut SqliteConnection, right: &SetRight) -> Result<(), sqlx::Error> {
    let (person, at) = (right.person.0, right.at.as_millis());
    connection.execute(NUMBER).await?;
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

/// What is in force, if it is news.
pub(super) async fn rights(pool: &SqlitePool, known: i64) -> Result<Option<Rights>, StoreError> {
    let seq = all(pool, sqlx::query(SEQ), |row| Columns::of(row).take::<i64>()).await?.pop().unwrap_or(0);
    if seq == known {
        return Ok(None);
    }
    let opted_out = all(pool, sqlx::query(OPTED_OUT), |row| Columns::of(row).take().map(TelegramUserId)).await?;
    let wishes = all(pool, sqlx::query(WISHES), WishRow::read).await?;
    Ok(Some(rights_of(seq, opted_out, &wishes)))
}

/// What is stored about somebody.
pub(super) async fn person(pool: &SqlitePool, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
    let naming = Naming::of(person);
    let entries = all(pool, sqlx::query(ENTRIES_OF).bind(&naming.author), |row| {
        let mut columns = Columns::of(row);
        Ok(PersonRecord {
            entries: columns.count()?,
            first: columns.optional(Timestamp::from_millis)?,
            last: columns.optional(Timestamp::from_millis)?,
            ..PersonRecord::default()
        })
    });
    let record = entries.await?.pop().unwrap_or_default();
    let [before, last] = &naming.payload;
    let updates = sqlx::query(UPDATES_OF).bind(before).bind(last);
    let updates = all(pool, updates, |row| Columns::of(row).count()).await?.pop().unwrap_or(0);
    let answers = sqlx::query(ANSWERS_TO).bind(&naming.author);
    let answers = all(pool, answers, |row| Columns::of(row).count()).await?.pop().unwrap_or(0);
    let since = all(pool, sqlx::query(SINCE).bind(person.0), |row| Columns::of(row).take()).await?;
    let opted_out_since = since.first().copied().map(Timestamp::from_millis);
    Ok(PersonRecord { opted_out_since, updates, answers, ..record })
}

/// Removes somebody's words.
pub(super) async fn forget(
    pool: &SqlitePool,
    writer: &Mutex<Writer>,
    person: TelegramUserId,
    wish: Option<i64>,
    cut: Cut<'_>,
) -> Result<Forgotten, StoreError> {
    let naming = Naming::of(person);
    let mut forgotten = forget_updates(pool, writer, &naming, cut).await?;
    forgotten += forget_entries(pool, writer, &naming).await?;
    let mut writer = writer.lock().await;
    if let Some(wish) = wish {
        let connection = writer.begin().await?;
        let noted = async {
            sqlx::query(FULFILLED).bind(wish).bind(array(&forgotten)).execute(&mut *connection).await?;
            connection.execute(NUMBER).await
        };
        if let Err(error) = noted.await {
            return Err(writer.fail(&error));
        }
        writer.commit().await?;
    }
    // What the log still holds goes into the file, and the log becomes empty; a reader may be in the way of it.
    match writer.take().await?.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
        Ok(_) => writer.confirm(),
        Err(error) => return Err(writer.fail(&error)),
    }
    Ok(forgotten)
}

async fn forget_updates(
    pool: &SqlitePool,
    writer: &Mutex<Writer>,
    naming: &Naming,
    cut: Cut<'_>,
) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let mut after = i64::MIN;
    let [before, last] = &naming.payload;
    loop {
        let found = sqlx::query(FIND_UPDATES).bind(after).bind(before).bind(last).bind(BATCH);
        let found: Vec<(i64, String)> = all(pool, found, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some((newest, _)) = found.last() else { return Ok(forgotten) };
        after = *newest;
        let changed: Vec<(i64, String)> =
            found.into_iter().filter_map(|(id, payload)| Some((id, cut(&payload)?))).collect();
        let mut writer = writer.lock().await;
        let update = sqlx::query(CUT_UPDATES).bind(array(&changed)).bind(FORGOTTEN);
        if let Err(error) = update.execute(writer.begin().await?).await {
            return Err(writer.fail(&error));
        }
        writer.commit().await?;
        forgotten.updates += changed.len() as u64;
    }
}

async fn forget_entries(pool: &SqlitePool, writer: &Mutex<Writer>, naming: &Naming) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let (mut chat, mut number) = (i64::MIN, i64::MIN);
    loop {
        let found = sqlx::query(FIND_ENTRIES).bind(chat).bind(number).bind(&naming.author).bind(BATCH);
        let found: Vec<(i64, i64)> = all(pool, found, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some(last) = found.last() else { return Ok(forgotten) };
        (chat, number) = *last;
        let mut writer = writer.lock().await;
        match empty(writer.begin().await?, &array(&found), naming).await {
            Ok(some) => forgotten += some,
            Err(error) => return Err(writer.fail(&error)),
        }
        writer.commit().await?;
    }
}

/// Empties entries, and all that came of them. What answers them goes first: it is found by them.
async fn empty(connection: &mut SqliteConnection, entries: &str, naming: &Naming) -> Result<Forgotten, sqlx::Error> {
    let mut forgotten = Forgotten::default();
    let sent = format!("{EMPTY_SENT}{ANSWERED})");
    sqlx::query(sqlx::AssertSqlSafe(sent)).bind(entries).execute(&mut *connection).await?;
    let said = format!("{EMPTY_SAID}{ANSWERED})");
    let said = sqlx::query(sqlx::AssertSqlSafe(said)).bind(entries).execute(&mut *connection).await?;
    let outbox = format!("{EMPTY_OUTBOX}{ANSWERED}");
    let outbox = sqlx::query(sqlx::AssertSqlSafe(outbox)).bind(entries).bind(FORGOTTEN);
    forgotten.messages = outbox.execute(&mut *connection).await?.rows_affected();
    sqlx::query(DROP_TURNS).bind(entries).bind(FORGOTTEN).execute(&mut *connection).await?;
    let decisions = sqlx::query(EMPTY_DECISIONS).bind(entries).bind(FORGOTTEN).execute(&mut *connection).await?;
    forgotten.decisions = decisions.rows_affected();
    let own = sqlx::query(EMPTY_ENTRIES).bind(entries).bind(&naming.nobody).execute(connection).await?;
    forgotten.entries = said.rows_affected() + own.rows_affected();
    Ok(forgotten)
}
