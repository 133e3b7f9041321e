//! Deletes rows that are older than their use. Layer: adapter. Keeps I2, I3, I16.
//!
//! Entries and decisions go from below: first the chat's low-water marks rise, then the rows below them go. Messages,
//! turns and inbox rows go by their ids, which rise with time, so the oldest rows of a table come first. Each statement
//! is a transaction of its own and takes a bounded number of rows; whoever works on the fleet goes in between.

use botfleet_actors::domain::ids::{ChatId, IdSource};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{AUDIT_DAYS, ENTRY_DAYS_MIN, Kept};

use super::expiry::DAY_MS;
use super::text::{Sql, statements};
use super::values::values;
use crate::store::engine::{Engine, Values};
use crate::store::fault::Fault;

/// The number of rows that one statement deletes, or passes.
const ROWS: u64 = 500;
/// The most statements that delete rows of one kind in a call; the next call does the rest.
const STATEMENTS: u32 = 40;

statements! {
    /// Selects the instant that the marks last rose for, and whether every node that lives has heard of it.
    LOW_WATER "low_water" = "\
SELECT CAST(s.value AS bigint), `1|NOT EXISTS (SELECT 1 FROM node n WHERE n.state <> 'dead' \
AND coalesce((n.report ->> 'low_water')::bigint, 0) < s.config_seq)` FROM setting s WHERE s.key = 'low_water'";
    RISEN "low_water_risen" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('low_water', $1, 1) \
ON CONFLICT (key) DO UPDATE SET value = excluded.value, config_seq = setting.config_seq + 1";
    /// Selects the chats whose lowest entry is old, each with the instant before which its entries are. A copy that
    /// waits for its outcome may be of an old message, whose entry must still be found.
    OLD_ENTRIES "old_entries" = "\
SELECT c.id, $1 - `max|greatest`(c.retention_days, $2) * 86400000 FROM chat c `CROSS JOIN|JOIN` chat_head h ON h.chat = c.id \
`CROSS JOIN|JOIN` transcript t ON t.chat = c.id AND t.number = h.gone_entry + 1 WHERE c.retention_days > 0 \
AND t.date < $1 - `max|greatest`(c.retention_days, $2) * 86400000 AND NOT EXISTS (SELECT 1 FROM inbox i \
WHERE i.chat = c.id AND i.outcome IS NULL AND i.received_at < $1 - 86400000) ORDER BY c.id";
    OLD_DECISIONS "old_decisions" = "\
SELECT h.chat, CAST($1 AS bigint) FROM chat_head h `CROSS JOIN|JOIN` decision t ON t.chat = h.chat AND t.number = h.gone_decision + 1 \
WHERE t.at < $1 ORDER BY h.chat";
    /// Raises a chat's mark to before the first row that is not old, by a bounded number of rows.
    RAISE_ENTRIES "raise_entries" = "\
WITH page AS MATERIALIZED (SELECT number, date AS made FROM transcript WHERE chat = $1 \
AND number > (SELECT gone_entry FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) UPDATE chat_head SET gone_entry = `max|greatest`(gone_entry, \
coalesce((SELECT min(number) - 1 FROM page WHERE made >= $2), (SELECT max(number) FROM page), 0)) WHERE chat = $1";
    RAISE_DECISIONS "raise_decisions" = "\
WITH page AS MATERIALIZED (SELECT number, at AS made FROM decision WHERE chat = $1 \
AND number > (SELECT gone_decision FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) UPDATE chat_head SET gone_decision = `max|greatest`(gone_decision, \
coalesce((SELECT min(number) - 1 FROM page WHERE made >= $2), (SELECT max(number) FROM page), 0)) WHERE chat = $1";
    /// Selects the chats of which some rows lie below the mark.
    GOING_ENTRIES "going_entries" = "\
SELECT h.chat FROM chat_head h WHERE EXISTS (SELECT 1 FROM transcript t WHERE t.chat = h.chat AND t.number <= h.gone_entry) ORDER BY h.chat";
    GOING_DECISIONS "going_decisions" = "\
SELECT h.chat FROM chat_head h WHERE EXISTS (SELECT 1 FROM decision t WHERE t.chat = h.chat AND t.number <= h.gone_decision) ORDER BY h.chat";
    DROP_ENTRIES "drop_entries" = "\
DELETE FROM transcript WHERE chat = $1 AND number IN (SELECT number FROM transcript WHERE chat = $1 AND number <= \
(SELECT gone_entry FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $2`| FOR UPDATE SKIP LOCKED`)";
    DROP_DECISIONS "drop_decisions" = "\
DELETE FROM decision WHERE chat = $1 AND number IN (SELECT number FROM decision WHERE chat = $1 AND number <= \
(SELECT gone_decision FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $2`| FOR UPDATE SKIP LOCKED`)";
    DROP_MESSAGES "drop_messages" = "\
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id < $2 AND (state IN ('sent', 'cancelled') AND created_at < $3 \
OR state IN ('rejected', 'unknown') AND created_at < $4) ORDER BY id LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
    DROP_TURNS "drop_turns" = "\
DELETE FROM turn WHERE id IN (SELECT t.id FROM turn t WHERE t.id < $2 AND (t.state IN ('done', 'dropped', 'expired') \
AND t.created_at < $3 OR t.state = 'dead' AND t.created_at < $4) \
AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.turn = t.id) ORDER BY t.id LIMIT $1`| FOR UPDATE OF t SKIP LOCKED`)";
    DROP_AUDIT "drop_audit" = "\
DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < $2 ORDER BY at LIMIT $1)";
    /// Gives up rows that wait for chats outside the manifest.
    ABANDONED "abandon_updates" = "\
UPDATE inbox SET outcome = 'ignored', reason = 'its chat left the manifest', payload = '{}' WHERE id IN (\
SELECT id FROM inbox WHERE outcome IS NULL AND chat IN (SELECT id FROM chat WHERE NOT in_use) AND received_at < $2 \
ORDER BY id LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
    DROP_UPDATES "drop_updates" = "\
DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE id < $2 AND received_at < $3 AND outcome IS NOT NULL \
ORDER BY id LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
    /// Deletes ended periods of budgets, once neither the period nor its day can be asked for again.
    DROP_ALLOWANCES "drop_allowances" = "DELETE FROM allowance WHERE per <> 'total' AND period_start < $1 - 86400000";
}

/// A kind of rows that goes from below.
struct Low {
    old: &'static Sql,
    raise: &'static Sql,
    going: &'static Sql,
    drop: &'static Sql,
}

const ENTRIES: Low = Low { old: &OLD_ENTRIES, raise: &RAISE_ENTRIES, going: &GOING_ENTRIES, drop: &DROP_ENTRIES };
const DECISIONS: Low =
    Low { old: &OLD_DECISIONS, raise: &RAISE_DECISIONS, going: &GOING_DECISIONS, drop: &DROP_DECISIONS };

/// Deletes rows that nobody needs any more.
pub(crate) async fn prune(db: &impl Engine, now: Timestamp, kept: &Kept) -> Result<u64, Fault> {
    let handled = now - kept.handled;
    repeat(db, &ABANDONED, || values![ROWS, handled]).await?;
    let mut rows = repeat(db, &DROP_UPDATES, || values![ROWS, IdSource::first_at(handled), handled]).await?;
    rows += db.once(&DROP_ALLOWANCES, values![handled]).await?;
    let audited = now.as_millis() - i64::from(AUDIT_DAYS) * DAY_MS;
    rows += repeat(db, &DROP_AUDIT, || values![ROWS, audited]).await?;
    rows += drop_the_old(db, now, kept).await?;
    db.tidy().await?;
    Ok(rows)
}

/// Deletes what the marks have risen for, and raises them anew. A process that is alone has nobody to wait for, and
/// raises them first.
async fn drop_the_old(db: &impl Engine, now: Timestamp, kept: &Kept) -> Result<u64, Fault> {
    let decided = now - kept.decisions;
    if db.is_alone() {
        raise(db, now, decided).await?;
        return drop_below(db, decided, now - kept.letters).await;
    }
    let mut rows = 0;
    match db.all::<(Timestamp, bool)>(&LOW_WATER, values![]).await?.pop() {
        Some((_, false)) => return Ok(0),
        Some((risen_for, true)) => rows = drop_below(db, risen_for, now - kept.letters).await?,
        None => {}
    }
    raise(db, now, decided).await?;
    db.once(&RISEN, values![decided.as_millis().to_string()]).await?;
    Ok(rows)
}

async fn raise(db: &impl Engine, now: Timestamp, decided: Timestamp) -> Result<(), Fault> {
    for (kind, values) in [(&ENTRIES, values![now, ENTRY_DAYS_MIN]), (&DECISIONS, values![decided])] {
        for (chat, until) in db.all::<(ChatId, Timestamp)>(kind.old, values).await? {
            db.once(kind.raise, values![chat, until, ROWS]).await?;
        }
    }
    Ok(())
}

/// Deletes entries and decisions below the marks; messages from before `decided` that have ended, then turns without
/// messages. Letters go when they are from before `letters`.
async fn drop_below(db: &impl Engine, decided: Timestamp, letters: Timestamp) -> Result<u64, Fault> {
    let mut rows = 0;
    for kind in [&ENTRIES, &DECISIONS] {
        for chat in db.all::<ChatId>(kind.going, values![]).await? {
            rows += repeat(db, kind.drop, || values![chat, ROWS]).await?;
        }
    }
    for sql in [&DROP_MESSAGES, &DROP_TURNS] {
        rows += repeat(db, sql, || values![ROWS, IdSource::first_at(decided), decided, letters.min(decided)]).await?;
    }
    Ok(rows)
}

/// Runs a statement until it finds less than a full number of rows, and returns how many it found.
async fn repeat(db: &impl Engine, sql: &'static Sql, values: impl Fn() -> Values<'static>) -> Result<u64, Fault> {
    let mut rows = 0;
    for _ in 0..STATEMENTS {
        let some = db.once(sql, values()).await?;
        rows += some;
        if some < ROWS {
            break;
        }
    }
    Ok(rows)
}
