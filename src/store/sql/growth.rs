//! Deletes rows that are older than their use. Layer: adapter. Keeps I2, I3, I16.
//!
//! Entries and decisions go from below: first the chat's low-water marks rise, then the rows below them go. Messages,
//! turns and inbox rows go by their ids, which rise with time, so the oldest rows of a table come first. Each statement
//! that deletes is a transaction of its own and takes a bounded number of rows; others go in between.

use botfleet_actors::domain::ids::{ChatId, IdSource, Number};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{AUDIT_DAYS, ENTRY_DAYS_MIN, Kept, ORDER_DAYS};

use super::expiry::DAY_MS;
use super::operator_orders::{self, DROP_ORDERS};
use super::text::{Sql, statements};
use super::values::values;
use crate::store::engine::{Engine, Run, Values, Work};
use crate::store::fault::Fault;

/// The number of rows that one statement deletes, or passes.
const ROWS: u64 = 500;
/// The most statements that delete rows of one kind in a call; the next call does the rest.
const STATEMENTS: u32 = 40;

/// True when every node that lives has heard of the last rise of the marks.
macro_rules! every_node_knows {
    () => {
        "`true|NOT EXISTS (SELECT 1 FROM node n JOIN setting s ON s.key = 'low_water' WHERE n.state <> 'dead' \
AND coalesce((n.report ->> 'low_water')::bigint, 0) < s.config_seq)`"
    };
}

statements! {
    /// Selects the number of the last rise of the marks and the instant that it was for, and keeps others from raising them.
    LOW_WATER "low_water" = "\
SELECT config_seq, CAST(value AS bigint) FROM setting WHERE key = 'low_water' `for update`";
    LOW_WATER_READ "low_water" = "SELECT config_seq, CAST(value AS bigint) FROM setting WHERE key = 'low_water'";
    /// Selects whether every node that lives has heard of the last rise.
    KNOWN "low_water_known" = concat!("SELECT ", every_node_knows!());
    RISEN "low_water_risen" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('low_water', $1, 1) \
ON CONFLICT (key) DO UPDATE SET value = excluded.value, config_seq = setting.config_seq + 1";
    /// Selects the chats whose lowest entry is old, each with the instant before which its entries are. A copy that
    /// waits for its outcome may be of an old message, whose entry must still be found.
    OLD_ENTRIES "old_entries" = "\
SELECT c.id, $1 - `max|greatest`(c.retention_days, $2) * 86400000 FROM chat c `CROSS JOIN|JOIN` chat_head h ON h.chat = c.id \
`CROSS JOIN|JOIN` transcript t ON t.chat = c.id \
AND t.number = (SELECT min(l.number) FROM transcript l WHERE l.chat = c.id AND l.number > h.gone_entry) \
WHERE c.retention_days > 0 AND t.date < $1 - `max|greatest`(c.retention_days, $2) * 86400000 \
AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.chat = c.id AND i.outcome IS NULL AND i.received_at < $1 - 86400000) ORDER BY c.id";
    /// Selects the chats whose lowest decision is old, and has lost its texts where the chat keeps them for a time.
    OLD_DECISIONS "old_decisions" = "\
SELECT c.id, CAST($1 AS bigint) FROM chat c `CROSS JOIN|JOIN` chat_head h ON h.chat = c.id \
`CROSS JOIN|JOIN` decision t ON t.chat = c.id \
AND t.number = (SELECT min(l.number) FROM decision l WHERE l.chat = c.id AND l.number > h.gone_decision) \
WHERE t.at < $1 AND (c.retention_days = 0 OR t.number <= h.expired_decision) ORDER BY c.id";
    /// Raises a chat's mark to before the first row that is not old, by a bounded number of rows.
    RAISE_ENTRIES "raise_entries" = "\
WITH page AS MATERIALIZED (SELECT number, date AS made FROM transcript WHERE chat = $1 \
AND number > (SELECT gone_entry FROM chat_head WHERE chat = $1) ORDER BY number LIMIT $3) \
UPDATE chat_head SET gone_entry = `max|greatest`(gone_entry, \
coalesce((SELECT min(number) - 1 FROM page WHERE made >= $2), (SELECT max(number) FROM page), 0)) WHERE chat = $1";
    /// Does the same for decisions, not beyond those that have lost their texts where the chat keeps them for a time.
    RAISE_DECISIONS "raise_decisions" = "\
WITH page AS MATERIALIZED (SELECT number, at AS made FROM decision WHERE chat = $1 \
AND number > (SELECT gone_decision FROM chat_head WHERE chat = $1) AND number <= (SELECT CASE WHEN c.retention_days > 0 \
THEN h.expired_decision ELSE h.last_decision END FROM chat_head h JOIN chat c ON c.id = h.chat WHERE h.chat = $1) \
ORDER BY number LIMIT $3) UPDATE chat_head SET gone_decision = `max|greatest`(gone_decision, \
coalesce((SELECT min(number) - 1 FROM page WHERE made >= $2), (SELECT max(number) FROM page), 0)) WHERE chat = $1";
    /// Selects the chats of which some rows lie below the mark, with the mark, if this process is alone or every node
    /// that lives knows the marks.
    GOING_ENTRIES "going_entries" = concat!("\
SELECT h.chat, h.gone_entry FROM chat_head h WHERE ($1 = 1 OR ", every_node_knows!(), ") \
AND EXISTS (SELECT 1 FROM transcript t WHERE t.chat = h.chat AND t.number <= h.gone_entry) ORDER BY h.chat");
    GOING_DECISIONS "going_decisions" = concat!("\
SELECT h.chat, h.gone_decision FROM chat_head h WHERE ($1 = 1 OR ", every_node_knows!(), ") \
AND EXISTS (SELECT 1 FROM decision t WHERE t.chat = h.chat AND t.number <= h.gone_decision) ORDER BY h.chat");
    DROP_ENTRIES "drop_entries" = "\
DELETE FROM transcript WHERE chat = $2 AND number IN (SELECT number FROM transcript WHERE chat = $2 AND number <= $3 \
ORDER BY number LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
    DROP_DECISIONS "drop_decisions" = "\
DELETE FROM decision WHERE chat = $2 AND number IN (SELECT number FROM decision WHERE chat = $2 AND number <= $3 \
ORDER BY number LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
    /// Spares the messages of a turn of which one is still open, or a letter: they belong to one text. A letter that is
    /// tried again is due anew.
    DROP_MESSAGES "drop_messages" = "\
DELETE FROM outbox WHERE id IN (SELECT m.id FROM outbox m WHERE m.id < $2 AND m.created_at < $3 \
AND (m.state IN ('sent', 'cancelled') OR m.state IN ('rejected', 'unknown') AND `max|greatest`(m.created_at, m.due_at) < $4) \
AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.turn = m.turn AND (p.state IN ('queued', 'sending', 'retry_at') \
OR p.state IN ('rejected', 'unknown') AND `max|greatest`(p.created_at, p.due_at) >= $4)) \
ORDER BY m.id LIMIT $1`| FOR UPDATE OF m SKIP LOCKED`)";
    DROP_TURNS "drop_turns" = "\
DELETE FROM turn WHERE id IN (SELECT t.id FROM turn t WHERE t.id < $2 AND t.created_at < $3 \
AND (t.state IN ('done', 'dropped', 'expired') OR t.state = 'dead' AND `max|greatest`(t.created_at, t.due_at) < $4) \
AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.turn = t.id) ORDER BY t.id LIMIT $1`| FOR UPDATE OF t SKIP LOCKED`)";
    DROP_AUDIT "drop_audit" = "\
DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < $2 AND action <> 'forget' ORDER BY at LIMIT $1)";
    /// Gives up rows that wait for chats outside the manifest.
    ABANDONED "abandon_updates" = "\
UPDATE inbox SET outcome = 'ignored', reason = 'its chat left the manifest', payload = '{}' WHERE id IN (\
SELECT id FROM inbox WHERE outcome IS NULL AND chat IN (SELECT id FROM chat WHERE NOT in_use) AND received_at < $2 \
ORDER BY id LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
    DROP_UPDATES "drop_updates" = "\
DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE id < $2 AND received_at < $3 AND outcome IS NOT NULL \
ORDER BY id LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
    DROP_TAKEOVERS "drop_takeovers" = "DELETE FROM takeover WHERE until <= $1";
    DROP_RETRACTIONS "drop_retractions" = "\
DELETE FROM retraction WHERE (telegram_chat, message_id) IN (SELECT telegram_chat, message_id FROM retraction \
WHERE created_at < $2 AND state <> 'waiting' ORDER BY created_at LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
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
    repeat(db, &ABANDONED, &mut { STATEMENTS }, || values![ROWS, handled]).await?;
    let first = IdSource::first_at(handled);
    let mut rows = repeat(db, &DROP_UPDATES, &mut { STATEMENTS }, || values![ROWS, first, handled]).await?;
    rows += db.once(&DROP_ALLOWANCES, values![handled]).await?;
    let audited = now.as_millis() - i64::from(AUDIT_DAYS) * DAY_MS;
    rows += repeat(db, &DROP_AUDIT, &mut { STATEMENTS }, || values![ROWS, audited]).await?;
    rows += db.once(&DROP_TAKEOVERS, values![now]).await?;
    rows += repeat(db, &DROP_RETRACTIONS, &mut { STATEMENTS }, || values![ROWS, handled]).await?;
    operator_orders::end_the_left(db).await?;
    let given = operator_orders::given_before(now, ORDER_DAYS);
    rows += repeat(db, &DROP_ORDERS, &mut { STATEMENTS }, || values![ROWS, given]).await?;
    rows += drop_the_old(db, now, kept).await?;
    db.tidy().await?;
    Ok(rows)
}

/// Deletes what the marks have risen for, and raises them anew. A process that is alone has nobody to wait for, and
/// raises them first.
async fn drop_the_old(db: &impl Engine, now: Timestamp, kept: &Kept) -> Result<u64, Fault> {
    let (decided, letters) = (now - kept.decisions, now - kept.letters);
    if db.is_alone() {
        raise(db, now, decided).await?;
        return drop_below(db, decided, letters).await;
    }
    let risen: Option<(i64, Timestamp)> = db.all(&LOW_WATER_READ, values![]).await?.pop();
    if !db.all::<bool>(&KNOWN, values![]).await?.contains(&true) {
        return Ok(0);
    }
    let rows = match risen {
        Some((_, risen_for)) => drop_below(db, risen_for, letters).await?,
        None => 0,
    };
    raise(db, now, decided).await?;
    Ok(rows)
}

/// Raises the marks and their number in one transaction.
async fn raise(db: &impl Engine, now: Timestamp, decided: Timestamp) -> Result<(), Fault> {
    let mut task = db.begin().await?;
    task.fetch::<(i64, Timestamp)>(&LOW_WATER, values![]).await?;
    if !db.is_alone() && !task.fetch::<bool>(&KNOWN, values![]).await?.contains(&true) {
        // Another node has raised them meanwhile.
        task.give_up().await;
        return Ok(());
    }
    for (kind, values) in [(&ENTRIES, values![now, ENTRY_DAYS_MIN]), (&DECISIONS, values![decided])] {
        for (chat, until) in task.fetch::<(ChatId, Timestamp)>(kind.old, values).await? {
            task.execute(kind.raise, values![chat, until, ROWS]).await?;
        }
    }
    if !db.is_alone() {
        task.execute(&RISEN, values![decided.as_millis().to_string()]).await?;
    }
    task.commit().await
}

/// Deletes entries and decisions below the marks; messages from before `decided` that have ended, then turns without
/// messages. Letters go when they are from before `letters`.
async fn drop_below(db: &impl Engine, decided: Timestamp, letters: Timestamp) -> Result<u64, Fault> {
    let mut rows = 0;
    for kind in [&ENTRIES, &DECISIONS] {
        let mut left = STATEMENTS;
        for (chat, mark) in db.all::<(ChatId, Number)>(kind.going, values![u32::from(db.is_alone())]).await? {
            rows += repeat(db, kind.drop, &mut left, || values![ROWS, chat, mark]).await?;
        }
    }
    for sql in [&DROP_MESSAGES, &DROP_TURNS] {
        let first = IdSource::first_at(decided);
        let values = || values![ROWS, first, decided, letters.min(decided)];
        rows += repeat(db, sql, &mut { STATEMENTS }, values).await?;
    }
    Ok(rows)
}

/// Runs a statement, at most `left` times, until it finds less than a full number of rows; returns how many it found.
async fn repeat(
    db: &impl Engine,
    sql: &'static Sql,
    left: &mut u32,
    values: impl Fn() -> Values<'static>,
) -> Result<u64, Fault> {
    let mut rows = 0;
    while *left > 0 {
        *left -= 1;
        let some = db.once(sql, values()).await?;
        rows += some;
        if some < ROWS {
            break;
        }
    }
    Ok(rows)
}
