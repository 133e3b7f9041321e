//! Removes texts that are older than their chats keep them; ends turns and messages that nobody took in time. Layer:
//! adapter. Keeps I14.
//!
//! Each chat is walked by number, from where the last call of any process ended, so a call meets only rows that have
//! become old since. Messages are found through the decisions that led to them. Rows are locked as the group commit
//! locks them.

use botfleet_actors::domain::people::REMOVED;
use botfleet_actors::domain::time::Timestamp;

use super::people::empty_messages;
use super::text::{Sql, statements};
use super::values::values;
use crate::store::engine::{Engine, Reads, Run, Work};
use crate::store::fault::Fault;

/// The number of entries, or of decisions, whose texts one transaction removes because of their age.
const BATCH: i64 = 100;
/// The most transactions of [`BATCH`] in one call; the next call does the rest.
const BATCHES: u32 = 100;
/// The number of inbox rows that one transaction passes.
const UPDATES_BATCH: i64 = 500;
/// The most turns, and the most messages, that one call ends because nobody took them in time.
const UNSPOKEN_ROWS: i64 = 2_000;
/// The reason stored with turns and messages that ended so.
const UNSPOKEN: &str = "could not speak: nobody took it in its time";
/// The milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

statements! {
    /// Selects the chats that limit how long they keep texts, each with the instant before which texts are old.
    CHATS "chats_that_expire" = "\
SELECT c.id, $1 - c.retention_days * 86400000 FROM chat c `CROSS JOIN|JOIN` chat_head h ON h.chat = c.id \
WHERE c.retention_days > 0 ORDER BY c.id";
    /// Selects the number where the last call ended, and the last number before the first entry of the page that is not
    /// old.
    OLD_ENTRIES "old_texts" = "\
WITH page AS MATERIALIZED (SELECT number, date FROM transcript WHERE chat = $1 \
AND number > (SELECT expired_entry FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) \
SELECT h.expired_entry, coalesce((SELECT min(number) - 1 FROM page WHERE date >= $2), \
(SELECT max(number) FROM page), h.expired_entry) FROM chat_head h WHERE h.chat = $1";
    OLD_DECISIONS "old_texts" = "\
WITH page AS MATERIALIZED (SELECT number, at FROM decision WHERE chat = $1 \
AND number > (SELECT expired_decision FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) \
SELECT h.expired_decision, coalesce((SELECT min(number) - 1 FROM page WHERE at >= $2), \
(SELECT max(number) FROM page), h.expired_decision) FROM chat_head h WHERE h.chat = $1";
    EMPTY_ENTRIES "expire_entries" = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL WHERE chat = $1 AND number > $2 AND number <= $3";
    ENTRIES_DONE "entries_expired" = "\
UPDATE chat_head SET expired_entry = `max|greatest`(expired_entry, $2) WHERE chat = $1";
    TURNS_OF "turns_to_expire" = "\
SELECT id FROM turn WHERE chat = $1 AND decision > $2 AND decision <= $3 ORDER BY id `for update`";
    EMPTY_DECISIONS "expire_decisions" = "\
UPDATE decision SET inputs = '{}', scores = '{}' WHERE chat = $1 AND number > $2 AND number <= $3";
    DECISIONS_DONE "decisions_expired" = "\
UPDATE chat_head SET expired_decision = `max|greatest`(expired_decision, $2) WHERE chat = $1";

    /// Selects the different numbers of days for which chats keep texts.
    LENGTHS "lengths_of_retention" = "SELECT DISTINCT retention_days FROM chat WHERE retention_days > 0 ORDER BY 1";
    /// Selects the next rows, and whether each holds something to remove. The walk ends at the first row that is not
    /// old.
    UPDATES_PAGE "updates_to_expire" = "\
WITH page AS MATERIALIZED (SELECT id, chat, received_at, outcome, payload FROM inbox \
WHERE id > coalesce((SELECT CAST(value AS bigint) FROM setting WHERE key = $1), 0) ORDER BY id LIMIT $4) \
SELECT p.id, p.outcome IS NOT NULL AND p.payload <> '{}' \
AND EXISTS (SELECT 1 FROM chat c WHERE c.id = p.chat AND c.retention_days = $3) FROM page p \
WHERE p.id < coalesce((SELECT min(id) FROM page WHERE received_at >= $2), 9223372036854775807) ORDER BY p.id";
    UPDATES_DONE "updates_expired" = "\
INSERT INTO setting (key, value, config_seq) VALUES ($1, $2, 0) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    EMPTY_UPDATES "expire_updates" = "\
`|WITH locked AS MATERIALIZED (SELECT id FROM inbox WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) `\
UPDATE inbox SET payload = '{}' `|FROM locked `WHERE \
`id IN (SELECT value FROM json_each($1))|inbox.id = locked.id` AND inbox.outcome IS NOT NULL";

    /// Skips locked rows: whoever holds them is alive, and the next call comes in a minute.
    UNSPOKEN_TURNS "unspoken_turns" = "\
UPDATE turn SET state = 'expired', error = $2 WHERE id IN (SELECT id FROM turn \
WHERE `open turns` state IN ('queued', 'claimed') AND expires_at <= $1 LIMIT $3 `|FOR NO KEY UPDATE SKIP LOCKED`)";
    UNSPOKEN_MESSAGES "unspoken_messages" = "\
UPDATE outbox SET state = 'cancelled', error = $2 WHERE id IN (SELECT id FROM outbox \
WHERE `open messages` state IN ('queued', 'sending', 'retry_at') AND state <> 'sending' AND expires_at <= $1 \
LIMIT $3 `|FOR NO KEY UPDATE SKIP LOCKED`)";
}

/// The kinds of rows that a walk passes.
#[derive(Clone, Copy)]
enum Walk {
    Entries,
    Decisions,
}

/// Removes the texts that are old at `now`.
pub(crate) async fn expire(db: &impl Engine, now: Timestamp) -> Result<u64, Fault> {
    let chats: Vec<(i64, i64)> = db.all(&CHATS, values![now]).await?;
    let (mut passed, mut batches) = (0, 0);
    for (chat, until) in chats {
        for walk in [Walk::Entries, Walk::Decisions] {
            while batches < BATCHES {
                let (after, upto) = old(db, walk, chat, until).await?;
                if upto <= after {
                    break;
                }
                let mut task = db.begin().await?;
                empty(&mut task, walk, (chat, after, upto)).await?;
                task.commit().await?;
                passed += (upto - after).unsigned_abs();
                batches += 1;
            }
        }
    }
    Ok(passed + expire_updates(db, now).await?)
}

/// Empties handled inbox rows that are old. For each number of days that chats keep texts, the inbox is walked by id
/// from where the last call of any process ended. A row that is handled after the walk has passed it is removed by
/// pruning.
async fn expire_updates(db: &impl Engine, now: Timestamp) -> Result<u64, Fault> {
    let mut emptied = 0;
    for days in db.all::<i64>(&LENGTHS, values![]).await? {
        let (until, cursor) = (now.as_millis() - days * DAY_MS, format!("expired_inbox_{days}"));
        for _ in 0..BATCHES {
            let page: Vec<(i64, bool)> =
                db.all(&UPDATES_PAGE, values![cursor.as_str(), until, days, UPDATES_BATCH]).await?;
            let Some((last, _)) = page.last() else { break };
            let old: Vec<i64> = page.iter().filter(|(_, holds)| *holds).map(|(id, _)| *id).collect();
            let mut task = db.begin().await?;
            task.execute(&UPDATES_DONE, values![cursor.as_str(), last.to_string()]).await?;
            emptied += task.execute(&EMPTY_UPDATES, values![old]).await?;
            task.commit().await?;
        }
    }
    Ok(emptied)
}

/// Returns a range of numbers, the first excluded and the last included, in which everything is old.
async fn old(db: &impl Reads, walk: Walk, chat: i64, until: i64) -> Result<(i64, i64), Fault> {
    let statement: &'static Sql = match walk {
        Walk::Entries => &OLD_ENTRIES,
        Walk::Decisions => &OLD_DECISIONS,
    };
    Ok(db.all(statement, values![chat, until, BATCH]).await?.pop().unwrap_or_default())
}

async fn empty(run: &mut impl Run, walk: Walk, (chat, after, upto): (i64, i64, i64)) -> Result<(), Fault> {
    match walk {
        Walk::Entries => {
            run.execute(&EMPTY_ENTRIES, values![chat, after, upto]).await?;
            run.execute(&ENTRIES_DONE, values![chat, upto]).await?;
        }
        Walk::Decisions => {
            let turns = run.fetch(&TURNS_OF, values![chat, after, upto]).await?;
            empty_messages(run, turns, REMOVED).await?;
            run.execute(&EMPTY_DECISIONS, values![chat, after, upto]).await?;
            run.execute(&DECISIONS_DONE, values![chat, upto]).await?;
        }
    }
    Ok(())
}

/// Ends turns and messages whose time was over at `before`.
pub(crate) async fn expire_unspoken(db: &impl Engine, before: Timestamp) -> Result<u64, Fault> {
    let mut ended = 0;
    for statement in [&UNSPOKEN_TURNS, &UNSPOKEN_MESSAGES] {
        let mut task = db.begin().await?;
        ended += task.execute(statement, values![before, UNSPOKEN, UNSPOKEN_ROWS]).await?;
        task.commit().await?;
    }
    Ok(ended)
}
