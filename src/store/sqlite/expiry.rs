//! Removes texts that are older than their chats keep them. Layer: adapter.
//!
//! Each chat is walked by number, from where the last call ended, so a call meets only rows that have become old since.
//! Messages are found through the decisions that led to them.

use botfleet_actors::domain::people::REMOVED;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use sqlx::Executor;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::reads::all;
use super::writer::Writer;
use crate::store::columns::Columns;
use crate::store::loaded::array;
use crate::store::person::{DAY_MS, EXPIRY_BATCH, EXPIRY_BATCHES, UPDATES_BATCH, cursor_of};

/// Selects the chats that limit how long they keep texts, each with the instant before which texts are old.
const CHATS: &str = "\
SELECT c.id, $1 - c.retention_days * 86400000 FROM chat c CROSS JOIN chat_head h ON h.chat = c.id \
WHERE c.retention_days > 0 ORDER BY c.id";
/// Selects the number where the last call ended, and the last number before the first entry of the page that is not
/// old.
const OLD_ENTRIES: &str = "\
SELECT h.expired_entry, coalesce((SELECT min(CASE WHEN date >= $2 THEN number - 1 END) FROM page), \
(SELECT max(number) FROM page), h.expired_entry) FROM chat_head h WHERE h.chat = $1";
const OLD_DECISIONS: &str = "\
SELECT h.expired_decision, coalesce((SELECT min(CASE WHEN at >= $2 THEN number - 1 END) FROM page), \
(SELECT max(number) FROM page), h.expired_decision) FROM chat_head h WHERE h.chat = $1";
const ENTRIES_PAGE: &str = "\
WITH page AS (SELECT number, date FROM transcript WHERE chat = $1 \
AND number > (SELECT expired_entry FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) ";
const DECISIONS_PAGE: &str = "\
WITH page AS (SELECT number, at FROM decision WHERE chat = $1 \
AND number > (SELECT expired_decision FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) ";
const EMPTY_ENTRIES: &str = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL WHERE chat = $1 AND number > $2 AND number <= $3";
const ENTRIES_DONE: &str = "UPDATE chat_head SET expired_entry = $2 WHERE chat = $1";
const EMPTY_OUTBOX: &str = "\
UPDATE outbox SET text = '', state = CASE WHEN state IN ('queued', 'retry_at') THEN 'cancelled' ELSE state END, \
error = CASE WHEN state IN ('queued', 'retry_at') THEN $4 ELSE error END WHERE text <> '' \
AND turn IN (SELECT id FROM turn WHERE chat = $1 AND decision > $2 AND decision <= $3)";
const EMPTY_ACTS: &str = "\
UPDATE turn SET act = '{\"do\":\"say\",\"text\":\"\"}' \
WHERE act LIKE '{\"do\":\"say\"%' AND chat = $1 AND decision > $2 AND decision <= $3";
const EMPTY_DECISIONS: &str = "\
UPDATE decision SET inputs = '{}', scores = '{}' WHERE chat = $1 AND number > $2 AND number <= $3";
const DECISIONS_DONE: &str = "UPDATE chat_head SET expired_decision = $2 WHERE chat = $1";

/// Selects the different numbers of days for which chats keep texts.
const LENGTHS: &str = "SELECT DISTINCT retention_days FROM chat WHERE retention_days > 0 ORDER BY 1";
/// Selects the next rows, and whether each holds something to remove. The walk ends at the first row that is not old.
const UPDATES_PAGE: &str = "\
WITH page AS MATERIALIZED (SELECT id, chat, received_at, outcome, payload FROM inbox \
WHERE id > coalesce((SELECT value + 0 FROM setting WHERE key = $1), 0) ORDER BY id LIMIT $4) \
SELECT p.id, p.outcome IS NOT NULL AND p.payload <> '{}' \
AND EXISTS (SELECT 1 FROM chat c WHERE c.id = p.chat AND c.retention_days = $3) FROM page p \
WHERE p.id < coalesce((SELECT min(id) FROM page WHERE received_at >= $2), 9223372036854775807) ORDER BY p.id";
const UPDATES_DONE: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ($1, $2, 0) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const EMPTY_UPDATES: &str = "\
UPDATE inbox SET payload = '{}' WHERE outcome IS NOT NULL AND id IN (SELECT value FROM json_each($1))";

/// The kinds of rows that a walk passes.
#[derive(Clone, Copy)]
enum What {
    Entries,
    Decisions,
}

/// Removes the texts that are old at `now`.
pub(super) async fn expire(pool: &SqlitePool, writer: &Mutex<Writer>, now: Timestamp) -> Result<u64, StoreError> {
    let chats: Vec<(i64, i64)> = all(pool, sqlx::query(CHATS).bind(now.as_millis()), |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?))
    })
    .await?;
    let (mut passed, mut batches) = (0, 0);
    for (chat, until) in chats {
        for what in [What::Entries, What::Decisions] {
            while batches < EXPIRY_BATCHES {
                let (after, upto) = old(pool, what, chat, until).await?;
                if upto <= after {
                    break;
                }
                let mut writer = writer.lock().await;
                if let Err(error) = empty(writer.begin().await?, what, chat, after, upto).await {
                    return Err(writer.fail(&error));
                }
                writer.commit().await?;
                passed += (upto - after).unsigned_abs();
                batches += 1;
            }
        }
    }
    Ok(passed + expire_updates(pool, writer, now).await?)
}

/// Empties handled inbox rows that are old. For each number of days that chats keep texts, the inbox is walked by id
/// from where the last call ended. A row that is handled after the walk has passed it is removed by pruning.
async fn expire_updates(pool: &SqlitePool, writer: &Mutex<Writer>, now: Timestamp) -> Result<u64, StoreError> {
    let mut emptied = 0;
    for days in all(pool, sqlx::query(LENGTHS), |row| Columns::of(row).take::<i64>()).await? {
        let until = now.as_millis() - days * DAY_MS;
        for _ in 0..EXPIRY_BATCHES {
            let page = sqlx::query(UPDATES_PAGE).bind(cursor_of(days)).bind(until).bind(days).bind(UPDATES_BATCH);
            let page: Vec<(i64, i64)> = all(pool, page, |row| {
                let mut columns = Columns::of(row);
                Ok((columns.take()?, columns.take()?))
            })
            .await?;
            let Some((last, _)) = page.last() else { break };
            let old: Vec<i64> = page.iter().filter(|(_, holds)| *holds != 0).map(|(id, _)| *id).collect();
            let mut writer = writer.lock().await;
            let connection = writer.begin().await?;
            let written = async {
                sqlx::query(UPDATES_DONE).bind(cursor_of(days)).bind(last).execute(&mut *connection).await?;
                sqlx::query(EMPTY_UPDATES).bind(array(&old)).execute(connection).await
            };
            match written.await {
                Ok(done) => emptied += done.rows_affected(),
                Err(error) => return Err(writer.fail(&error)),
            }
            writer.commit().await?;
        }
    }
    Ok(emptied)
}

/// Returns a range of numbers, the first excluded and the last included, in which everything is old.
async fn old(pool: &SqlitePool, what: What, chat: i64, until: i64) -> Result<(i64, i64), StoreError> {
    let text = match what {
        What::Entries => format!("{ENTRIES_PAGE}{OLD_ENTRIES}"),
        What::Decisions => format!("{DECISIONS_PAGE}{OLD_DECISIONS}"),
    };
    let statement = sqlx::query(sqlx::AssertSqlSafe(text)).bind(chat).bind(until).bind(EXPIRY_BATCH);
    let found = all(pool, statement, |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?))
    });
    Ok(found.await?.pop().unwrap_or_default())
}

async fn empty(
    connection: &mut SqliteConnection,
    what: What,
    chat: i64,
    after: i64,
    upto: i64,
) -> Result<(), sqlx::Error> {
    let range = |text: &'static str| sqlx::query(text).bind(chat).bind(after).bind(upto);
    let done = |text: &'static str| sqlx::query(text).bind(chat).bind(upto);
    match what {
        What::Entries => {
            connection.execute(range(EMPTY_ENTRIES)).await?;
            connection.execute(done(ENTRIES_DONE)).await?;
        }
        What::Decisions => {
            connection.execute(range(EMPTY_OUTBOX).bind(REMOVED)).await?;
            connection.execute(range(EMPTY_ACTS)).await?;
            connection.execute(range(EMPTY_DECISIONS)).await?;
            connection.execute(done(DECISIONS_DONE)).await?;
        }
    }
    Ok(())
}
