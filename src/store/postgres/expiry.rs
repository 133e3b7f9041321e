//! Removes texts that are older than their chats keep them. Layer: adapter.
//!
//! Each chat is walked by number, from where the last call of any node ended, so a call meets only rows that have
//! become old since. Messages are found through the decisions that led to them. Rows are locked as the group commit
//! locks them.

use botfleet_actors::domain::people::REMOVED;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use sqlx::Error;

use super::error::to_port;
use super::people::{empty_messages, ids};
use super::reads::all;
use super::session::{Session, Sessions};
use crate::store::columns::Columns;
use crate::store::person::{DAY_MS, EXPIRY_BATCH, EXPIRY_BATCHES, UPDATES_BATCH, cursor_of};

/// Selects the chats that limit how long they keep texts, each with the instant before which texts are old.
const CHATS: &str = "\
SELECT c.id, $1 - c.retention_days * 86400000 FROM chat c JOIN chat_head h ON h.chat = c.id \
WHERE c.retention_days > 0 ORDER BY c.id";
/// Selects the number where the last call ended, and the last number before the first entry of the page that is not
/// old.
pub(super) const OLD_ENTRIES: &str = "\
WITH page AS MATERIALIZED (SELECT number, date FROM transcript WHERE chat = $1 \
AND number > (SELECT expired_entry FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) \
SELECT h.expired_entry, coalesce((SELECT min(number) - 1 FROM page WHERE date >= $2), \
(SELECT max(number) FROM page), h.expired_entry) FROM chat_head h WHERE h.chat = $1";
pub(super) const OLD_DECISIONS: &str = "\
WITH page AS MATERIALIZED (SELECT number, at FROM decision WHERE chat = $1 \
AND number > (SELECT expired_decision FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) \
SELECT h.expired_decision, coalesce((SELECT min(number) - 1 FROM page WHERE at >= $2), \
(SELECT max(number) FROM page), h.expired_decision) FROM chat_head h WHERE h.chat = $1";
pub(super) const EMPTY_ENTRIES: &str = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL WHERE chat = $1 AND number > $2 AND number <= $3";
const ENTRIES_DONE: &str = "UPDATE chat_head SET expired_entry = greatest(expired_entry, $2) WHERE chat = $1";
pub(super) const TURNS_OF: &str = "\
SELECT id FROM turn WHERE chat = $1 AND decision > $2 AND decision <= $3 ORDER BY id FOR NO KEY UPDATE";
pub(super) const EMPTY_DECISIONS: &str = "\
UPDATE decision SET inputs = '{}', scores = '{}' WHERE chat = $1 AND number > $2 AND number <= $3";
const DECISIONS_DONE: &str = "UPDATE chat_head SET expired_decision = greatest(expired_decision, $2) WHERE chat = $1";

/// Selects the different numbers of days for which chats keep texts.
const LENGTHS: &str = "SELECT DISTINCT retention_days::bigint FROM chat WHERE retention_days > 0 ORDER BY 1";
/// Selects the next rows, and whether each holds something to remove. The walk ends at the first row that is not old.
pub(super) const UPDATES_PAGE: &str = "\
WITH page AS MATERIALIZED (SELECT id, chat, received_at, outcome, payload FROM inbox \
WHERE id > coalesce((SELECT value::bigint FROM setting WHERE key = $1), 0) ORDER BY id LIMIT $4) \
SELECT p.id, (p.outcome IS NOT NULL AND p.payload <> '{}' \
AND EXISTS (SELECT 1 FROM chat c WHERE c.id = p.chat AND c.retention_days = $3))::int::bigint FROM page p \
WHERE p.id < coalesce((SELECT min(id) FROM page WHERE received_at >= $2), 9223372036854775807) ORDER BY p.id";
const UPDATES_DONE: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ($1, $2, 0) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
pub(super) const EMPTY_UPDATES: &str = "\
WITH locked AS MATERIALIZED (SELECT id FROM inbox WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) \
UPDATE inbox SET payload = '{}' FROM locked WHERE inbox.id = locked.id AND inbox.outcome IS NOT NULL";

/// The kinds of rows that a walk passes.
#[derive(Clone, Copy)]
enum What {
    Entries,
    Decisions,
}

/// Removes the texts that are old at `now`.
pub(super) async fn expire(sessions: &Sessions, now: Timestamp) -> Result<u64, StoreError> {
    let chats = || sqlx::query(CHATS).bind(now.as_millis());
    let chats: Vec<(i64, i64)> = all(sessions, "chats_that_expire", chats, |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?))
    })
    .await?;
    let (mut passed, mut batches) = (0, 0);
    for (chat, until) in chats {
        for what in [What::Entries, What::Decisions] {
            while batches < EXPIRY_BATCHES {
                let (after, upto) = old(sessions, what, chat, until).await?;
                if upto <= after {
                    break;
                }
                let mut session = sessions.transaction().await?;
                empty(&mut session, what, chat, after, upto).await.map_err(|error| to_port(&error))?;
                session.commit().await.map_err(|error| to_port(&error))?;
                passed += (upto - after).unsigned_abs();
                batches += 1;
            }
        }
    }
    Ok(passed + expire_updates(sessions, now).await?)
}

/// Empties handled inbox rows that are old. For each number of days that chats keep texts, the inbox is walked by id
/// from where the last call of any node ended. A row that is handled after the walk has passed it is removed by
/// pruning.
async fn expire_updates(sessions: &Sessions, now: Timestamp) -> Result<u64, StoreError> {
    let mut emptied = 0;
    let lengths = all(sessions, "lengths_of_retention", || sqlx::query(LENGTHS), |row| Columns::of(row).take::<i64>());
    for days in lengths.await? {
        let until = now.as_millis() - days * DAY_MS;
        for _ in 0..EXPIRY_BATCHES {
            let page = || sqlx::query(UPDATES_PAGE).bind(cursor_of(days)).bind(until).bind(days).bind(UPDATES_BATCH);
            let page: Vec<(i64, i64)> = all(sessions, "updates_to_expire", page, |row| {
                let mut columns = Columns::of(row);
                Ok((columns.take()?, columns.take()?))
            })
            .await?;
            let Some((last, _)) = page.last() else { break };
            let old: Vec<i64> = page.iter().filter(|(_, holds)| *holds != 0).map(|(id, _)| *id).collect();
            let mut session = sessions.transaction().await?;
            let done = sqlx::query(UPDATES_DONE).bind(cursor_of(days)).bind(last.to_string());
            session.execute("updates_expired", done).await.map_err(|error| to_port(&error))?;
            let empty = sqlx::query(EMPTY_UPDATES).bind(old);
            emptied += session.execute("expire_updates", empty).await.map_err(|error| to_port(&error))?;
            session.commit().await.map_err(|error| to_port(&error))?;
        }
    }
    Ok(emptied)
}

/// Returns a range of numbers, the first excluded and the last included, in which everything is old.
async fn old(sessions: &Sessions, what: What, chat: i64, until: i64) -> Result<(i64, i64), StoreError> {
    let text = match what {
        What::Entries => OLD_ENTRIES,
        What::Decisions => OLD_DECISIONS,
    };
    let statement = || sqlx::query(text).bind(chat).bind(until).bind(EXPIRY_BATCH);
    let found = all(sessions, "old_texts", statement, |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, columns.take()?))
    });
    Ok(found.await?.pop().unwrap_or_default())
}

async fn empty(session: &mut Session<'_>, what: What, chat: i64, after: i64, upto: i64) -> Result<(), Error> {
    let range = |text: &'static str| sqlx::query(text).bind(chat).bind(after).bind(upto);
    let done = |text: &'static str| sqlx::query(text).bind(chat).bind(upto);
    match what {
        What::Entries => {
            session.execute("expire_entries", range(EMPTY_ENTRIES)).await?;
            session.execute("entries_expired", done(ENTRIES_DONE)).await?;
        }
        What::Decisions => {
            let turns = ids(session, "turns_to_expire", range(TURNS_OF)).await?;
            empty_messages(session, turns, REMOVED).await?;
            session.execute("expire_decisions", range(EMPTY_DECISIONS)).await?;
            session.execute("decisions_expired", done(DECISIONS_DONE)).await?;
        }
    }
    Ok(())
}
