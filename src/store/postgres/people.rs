//! Reads rights of people and the record about a person, and removes a person's words. Layer: adapter. Keeps I3.
//!
//! Removal runs in transactions of bounded size; entries keep their numbers. Every statement touches a bounded number
//! of rows: updates are walked by id, all else is found by an index. Rows are locked as the group commit locks them:
//! turns, messages, updates, each by id. The server frees the overwritten rows by vacuum. The operator must let the
//! server's log and backups expire.

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{FORGOTTEN, Forgotten, PersonRecord, Right, Rights, SetRight};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{Cut, StoreError};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::{Error, Row};

use super::error::to_port;
use super::reads::all;
use super::session::{Session, Sessions};
use crate::store::columns::Columns;
use crate::store::loaded::array;
use crate::store::person::{Entries, Naming, WishRow, nobody, rights_of, without_text};

/// The number of rows changed in one transaction.
const BATCH: usize = 50;
/// The number of entries, or of updates, that one statement reads.
const PAGE: i64 = 500;

const NUMBER: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ('people', '{}', 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = setting.config_seq + 1";
const AUDIT: &str = "\
INSERT INTO audit (seq, person, action, at, by) \
SELECT config_seq, $1, $2, $3, $4 FROM setting WHERE key = 'people'";
/// Applies only when no newer order is stored: `right_said` was written before in this transaction, under its row's
/// lock, and another node may have committed a newer order meanwhile.
const OPT_OUT: &str = "\
INSERT INTO opt_out (person, at, by) SELECT $1::bigint, $2::bigint, $3::text \
WHERE (SELECT s.at / 1000 FROM right_said s WHERE s.person = $1) <= $2 / 1000 ON CONFLICT (person) DO NOTHING";
const OPT_IN: &str =
    "DELETE FROM opt_out WHERE person = $1 AND (SELECT s.at / 1000 FROM right_said s WHERE s.person = $1) <= $2 / 1000";
const SEQ: &str = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'people'), 0)";
const OPTED_OUT: &str = "SELECT person FROM opt_out";
const WISHES: &str = "\
SELECT person, max(at), max(seq) FILTER (WHERE counts = '{}') FROM audit WHERE action = 'forget' GROUP BY person";
/// Extends an open erasure request to a later instant.
const PROLONGED: &str =
    "UPDATE audit SET at = $2 WHERE action = 'forget' AND person = $1 AND counts = '{}' AND at < $2";
const WISHED_AT: &str = "SELECT at FROM audit WHERE seq = $1";
/// Notes that the request is fulfilled, unless it was extended meanwhile.
const FULFILLED: &str = "UPDATE audit SET counts = $2 WHERE seq = $1 AND at = $3";

pub(super) const ENTRIES_OF: &str = "\
SELECT e.chat, e.number, e.date, (SELECT count(*) FROM turn t WHERE t.chat = e.chat AND t.target = e.number) \
FROM transcript e WHERE e.fleet_bot IS NULL AND substring(e.author from '^\\{\"id\":(-?[0-9]+)')::bigint = $1 \
AND (e.chat, e.number) > ($2, $3) ORDER BY e.chat, e.number LIMIT $4";
pub(super) const UPDATES_OF: &str = "\
SELECT max(id), count(*) FILTER (WHERE payload LIKE $2 OR payload LIKE $3) FROM (\
SELECT id, payload FROM inbox WHERE id > $1 ORDER BY id LIMIT $4) page";
const SINCE: &str = "SELECT at FROM opt_out WHERE person = $1";

pub(super) const FIND_UPDATES: &str = "\
SELECT id, CASE WHEN payload LIKE $2 OR payload LIKE $3 THEN payload END FROM inbox WHERE id > $1 ORDER BY id LIMIT $4";
pub(super) const CUT_UPDATES: &str = "\
WITH locked AS MATERIALIZED (SELECT id FROM inbox WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) \
UPDATE inbox SET payload = r.payload, \
outcome = CASE WHEN r.payload = '{}' THEN coalesce(outcome, 'ignored') ELSE outcome END, \
reason = CASE WHEN r.payload = '{}' AND outcome IS NULL THEN $3 ELSE reason END \
FROM unnest($1::bigint[], $2::text[]) AS r (id, payload), locked WHERE inbox.id = r.id AND locked.id = r.id";
pub(super) const FIND_ENTRIES: &str = "\
SELECT e.chat, e.number FROM transcript e WHERE e.fleet_bot IS NULL \
AND substring(e.author from '^\\{\"id\":(-?[0-9]+)')::bigint = $1 \
AND (e.chat, e.number) > ($2, $3) ORDER BY e.chat, e.number LIMIT $4";
pub(super) const TURNS_OF: &str = "\
SELECT t.id FROM unnest($1::bigint[], $2::bigint[]) AS r (chat, number) \
JOIN turn t ON t.chat = r.chat AND t.target = r.number ORDER BY t.id FOR NO KEY UPDATE OF t";
pub(super) const MESSAGES_OF: &str = "SELECT id FROM outbox WHERE turn = ANY($1) ORDER BY id FOR NO KEY UPDATE";
pub(super) const SENT_OF: &str = "\
SELECT i.id, i.payload FROM unnest($1::bigint[]) AS r (id) JOIN outbox o ON o.id = r.id \
JOIN inbox i ON i.bot = o.bot AND i.source = 'sent' AND i.source_id = o.id ORDER BY i.id FOR NO KEY UPDATE OF i";
const DROP_TURNS: &str = "\
UPDATE turn SET state = 'dropped', error = $2 WHERE id = ANY($1) AND state IN ('queued', 'claimed')";
const EMPTY_OUTBOX: &str = "\
UPDATE outbox SET text = '', state = CASE WHEN state IN ('queued', 'retry_at') THEN 'cancelled' ELSE state END, \
error = CASE WHEN state IN ('queued', 'retry_at') THEN $2 ELSE error END WHERE id = ANY($1) AND text <> ''";
const EMPTY_SENT: &str = "\
UPDATE inbox SET payload = r.payload FROM unnest($1::bigint[], $2::text[]) AS r (id, payload) WHERE inbox.id = r.id";
const EMPTY_ACTS: &str = "\
UPDATE turn SET act = '{\"do\":\"say\",\"text\":\"\"}' WHERE id = ANY($1) AND act LIKE '{\"do\":\"say\"%'";
pub(super) const EMPTY_SAID: &str = "\
UPDATE transcript SET text = NULL, entities = '[]' WHERE text IS NOT NULL AND (telegram_chat, message_id) IN (\
SELECT telegram_chat, message_id FROM outbox WHERE id = ANY($1) AND message_id IS NOT NULL)";
pub(super) const EMPTY_DECISIONS: &str = "\
UPDATE decision SET inputs = '{}', scores = '{}', reason = $3 WHERE cause_entry IS NOT NULL \
AND (chat, cause_entry) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";
pub(super) const EMPTY_ENTRIES: &str = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL, author = $3 \
WHERE (chat, number) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";

/// Writes a right that a person exercised, within the open transaction.
pub(super) async fn write(session: &mut Session<'_>, right: &SetRight) -> Result<(), Error> {
    let (person, at, by) = (right.person.0, right.at.as_millis(), right.by.clone());
    session.run("people_number", NUMBER).await?;
    if right.right == Right::Forget
        && session.execute("wish_prolonged", sqlx::query(PROLONGED).bind(person).bind(at)).await? > 0
    {
        return Ok(());
    }
    let audit = sqlx::query(AUDIT).bind(person).bind(right.right.as_str()).bind(at).bind(by.clone());
    session.execute("audit", audit).await?;
    match right.right {
        Right::OptOut => session.execute("opt_out", sqlx::query(OPT_OUT).bind(person).bind(at).bind(by)).await?,
        Right::OptIn => session.execute("opt_in", sqlx::query(OPT_IN).bind(person).bind(at)).await?,
        Right::Forget => 0,
    };
    Ok(())
}

/// Returns the rights in force, if their number is not `known`.
pub(super) async fn rights(sessions: &Sessions, known: i64) -> Result<Option<Rights>, StoreError> {
    let seq = all(sessions, "people_seq", || sqlx::query(SEQ), |row| Columns::of(row).take::<i64>()).await?;
    let seq = seq.first().copied().unwrap_or(0);
    if seq == known {
        return Ok(None);
    }
    let person = |row: &dyn crate::store::columns::Cells| Columns::of(row).take().map(TelegramUserId);
    let opted_out = all(sessions, "opted_out", || sqlx::query(OPTED_OUT), person).await?;
    let wishes = all(sessions, "wishes", || sqlx::query(WISHES), WishRow::read).await?;
    Ok(Some(rights_of(seq, opted_out, &wishes)))
}

/// Returns the record about a person.
pub(super) async fn person(sessions: &Sessions, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
    let mut entries = Entries::none();
    loop {
        let (chat, number) = entries.after;
        let page = || sqlx::query(ENTRIES_OF).bind(person.0).bind(chat).bind(number).bind(PAGE);
        let page = all(sessions, "entries_of_person", page, Entries::read).await?;
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
        let page = || sqlx::query(UPDATES_OF).bind(after).bind(before.clone()).bind(last.clone()).bind(PAGE);
        let page = all(sessions, "updates_of_person", page, |row| {
            let mut columns = Columns::of(row);
            Ok(columns.take::<Option<i64>>()?.zip(columns.optional(i64::unsigned_abs)?))
        });
        let Some((newest, some)) = page.await?.pop().flatten() else { break };
        after = newest;
        updates += some;
    }
    let since = || sqlx::query(SINCE).bind(person.0);
    let since = all(sessions, "opted_out_since", since, |row| Columns::of(row).take()).await?;
    let opted_out_since = since.first().copied().map(Timestamp::from_millis);
    Ok(PersonRecord { opted_out_since, updates, ..entries.record() })
}

/// Removes a person's words.
pub(super) async fn forget(
    sessions: &Sessions,
    person: TelegramUserId,
    wish: Option<i64>,
    cut: Cut<'_>,
) -> Result<Forgotten, StoreError> {
    let wished_at = || sqlx::query(WISHED_AT).bind(wish);
    let wished_at = all(sessions, "wished_at", wished_at, |row| Columns::of(row).take::<i64>()).await?;
    let mut forgotten = forget_updates(sessions, person, cut).await?;
    forgotten += forget_entries(sessions, person).await?;
    if let Some((wish, at)) = wish.zip(wished_at.first().copied()) {
        let mut session = sessions.transaction().await?;
        // Takes the number first, as a new request does, so that locks are taken in one order.
        session.run("people_number", NUMBER).await.map_err(|error| to_port(&error))?;
        let fulfilled = sqlx::query(FULFILLED).bind(wish).bind(array(&forgotten)).bind(at);
        session.execute("wish_fulfilled", fulfilled).await.map_err(|error| to_port(&error))?;
        session.commit().await.map_err(|error| to_port(&error))?;
    }
    Ok(forgotten)
}

async fn forget_updates(sessions: &Sessions, person: TelegramUserId, cut: Cut<'_>) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let mut after = i64::MIN;
    let [before, last] = Naming::of(person).payload;
    loop {
        let page = || sqlx::query(FIND_UPDATES).bind(after).bind(before.clone()).bind(last.clone()).bind(PAGE);
        let page: Vec<(i64, Option<String>)> = all(sessions, "updates_to_forget", page, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some((newest, _)) = page.last() else { return Ok(forgotten) };
        after = *newest;
        let changed: Vec<(i64, String)> =
            page.into_iter().filter_map(|(id, payload)| Some((id, cut(&payload?)?))).collect();
        for some in changed.chunks(BATCH) {
            let (ids, payloads): (Vec<i64>, Vec<String>) = some.iter().cloned().unzip();
            let mut session = sessions.session().await?;
            let update = sqlx::query(CUT_UPDATES).bind(ids).bind(payloads).bind(FORGOTTEN);
            session.execute("forget_updates", update).await.map_err(|error| to_port(&error))?;
        }
        forgotten.updates += changed.len() as u64;
    }
}

async fn forget_entries(sessions: &Sessions, person: TelegramUserId) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let (mut chat, mut number) = (i64::MIN, i64::MIN);
    loop {
        let found = || sqlx::query(FIND_ENTRIES).bind(person.0).bind(chat).bind(number).bind(PAGE);
        let found: Vec<(i64, i64)> = all(sessions, "entries_to_forget", found, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some(last) = found.last() else { return Ok(forgotten) };
        (chat, number) = *last;
        for some in found.chunks(BATCH) {
            let (chats, numbers): (Vec<i64>, Vec<i64>) = some.iter().copied().unzip();
            let mut session = sessions.transaction().await?;
            forgotten += empty(&mut session, &chats, &numbers).await.map_err(|error| to_port(&error))?;
            session.commit().await.map_err(|error| to_port(&error))?;
        }
    }
}

/// Empties entries and everything that came of them. Answers are emptied first, since they are found through the
/// entries.
async fn empty(session: &mut Session<'_>, chats: &[i64], numbers: &[i64]) -> Result<Forgotten, Error> {
    let of = |text: &'static str| sqlx::query(text).bind(chats.to_vec()).bind(numbers.to_vec());
    let mut forgotten = Forgotten::default();
    let turns = ids(session, "turns_to_forget", of(TURNS_OF)).await?;
    session.execute("forget_turns", sqlx::query(DROP_TURNS).bind(turns.clone()).bind(FORGOTTEN)).await?;
    let (messages, emptied) = empty_messages(session, turns, FORGOTTEN).await?;
    forgotten.messages = emptied;
    let said = empty_told(session, messages).await?;
    forgotten.decisions = session.execute("forget_decisions", of(EMPTY_DECISIONS).bind(FORGOTTEN)).await?;
    forgotten.entries = said + session.execute("forget_entries", of(EMPTY_ENTRIES).bind(nobody())).await?;
    Ok(forgotten)
}

/// Empties the texts that turns were to say, and their messages. Returns the messages, and how many of them had a text.
pub(super) async fn empty_messages(
    session: &mut Session<'_>,
    turns: Vec<i64>,
    why: &'static str,
) -> Result<(Vec<i64>, u64), Error> {
    session.execute("empty_acts", sqlx::query(EMPTY_ACTS).bind(turns.clone())).await?;
    let messages = ids(session, "messages_to_empty", sqlx::query(MESSAGES_OF).bind(turns)).await?;
    if messages.is_empty() {
        return Ok((messages, 0));
    }
    let emptied = sqlx::query(EMPTY_OUTBOX).bind(messages.clone()).bind(why);
    let emptied = session.execute("empty_outbox", emptied).await?;
    Ok((messages, emptied))
}

/// Empties the events and the entries of messages. The events are rewritten here, since PostgreSQL cannot read JSON
/// with NUL. Returns how many entries were emptied.
async fn empty_told(session: &mut Session<'_>, messages: Vec<i64>) -> Result<u64, Error> {
    let sent = session.fetch_all("sent_to_empty", sqlx::query(SENT_OF).bind(messages.clone())).await?;
    let (mut ids, mut payloads) = (Vec::<i64>::new(), Vec::<String>::new());
    for row in &sent {
        ids.push(row.try_get(0)?);
        payloads.push(without_text(row.try_get::<&str, _>(1)?));
    }
    session.execute("empty_sent", sqlx::query(EMPTY_SENT).bind(ids).bind(payloads)).await?;
    session.execute("empty_said", sqlx::query(EMPTY_SAID).bind(messages)).await
}

/// Returns the ids of the rows that a statement locks.
pub(super) async fn ids(
    session: &mut Session<'_>,
    name: &'static str,
    statement: Query<'_, Postgres, PgArguments>,
) -> Result<Vec<i64>, Error> {
    session.fetch_all(name, statement).await?.iter().map(|row| row.try_get(0)).collect()
}
