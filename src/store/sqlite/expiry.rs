//! Texts that are older than their chats keep them. Layer: adapter.
//!
//! Each chat is walked by number, from where the last call ended: a call meets only what has become old since. Messages are
//! found by the decisions that led to them.

use botfleet_actors::domain::people::REMOVED;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use sqlx::Executor;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::reads::all;
use super::writer::Writer;
use crate::store::columns::Columns;
use crate::store::person::{EXPIRY_BATCH, EXPIRY_BATCHES};

/// Chats that keep texts for a time, and until when they are old now.
const CHATS: &str = "\
SELECT c.id, $1 - c.retention_days * 86400000 FROM chat c CROSS JOIN chat_head h ON h.chat = c.id \
WHERE c.retention_days > 0 ORDER BY c.id";
/// The number before the first one that is not old, among the next ones.
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
const EMPTY_DECISIONS: &str = "\
UPDATE decision SET inputs = '{}', scores = '{}' WHERE chat = $1 AND number > $2 AND number <= $3";
const DECISIONS_DONE: &str = "UPDATE chat_head SET expired_decision = $2 WHERE chat = $1";

/// What a walk passes.
#[derive(Clone, Copy)]
enum What {
    Entries,
    Decisions,
}

/// Removes texts that are old now.
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
    Ok(passed)
}

/// After which number, and up to which, everything is old.
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
            connection.execute(range(EMPTY_DECISIONS)).await?;
            connection.execute(done(DECISIONS_DONE)).await?;
        }
    }
    Ok(())
}
