//! Texts that are older than their chats keep them. Layer: adapter.
//!
//! Each chat is walked by number, from where the last call ended, of whichever node: a call meets only what has become old
//! since. Messages are found by the decisions that led to them. Rows are locked as the group commit locks them.

use botfleet_actors::domain::people::REMOVED;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use sqlx::Error;

use super::error::to_port;
use super::people::{empty_messages, ids};
use super::reads::all;
use super::session::{Session, Sessions};
use crate::store::columns::Columns;
use crate::store::person::{EXPIRY_BATCH, EXPIRY_BATCHES};

/// Chats that keep texts for a time, and until when they are old now.
const CHATS: &str = "\
SELECT c.id, $1 - c.retention_days * 86400000 FROM chat c JOIN chat_head h ON h.chat = c.id \
WHERE c.retention_days > 0 ORDER BY c.id";
/// After which number everything up to which other one is old, among the next ones.
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

/// What a walk passes.
#[derive(Clone, Copy)]
enum What {
    Entries,
    Decisions,
}

/// Removes texts that are old now.
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
    Ok(passed)
}

/// After which number, and up to which, everything is old.
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
