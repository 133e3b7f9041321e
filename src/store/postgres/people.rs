//! Rights of people: what is in force, what is stored about somebody, and its removal. Layer: adapter. Keeps I3.
//!
//! Removal is done in transactions of bounded size; entries keep their numbers. The server frees what was overwritten by
//! vacuum; what its log and backups still hold is the operator's to let expire.

use botfleet_actors::domain::commit::operation::SetRight;
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{FORGOTTEN, Forgotten, PersonRecord, Right, Rights};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{Cut, StoreError};
use sqlx::{AssertSqlSafe, Error};

use super::error::to_port;
use super::reads::all;
use super::session::{Session, Sessions};
use crate::store::columns::Columns;
use crate::store::loaded::array;
use crate::store::person::{Naming, WishRow, rights_of};

/// Rows read, and changed in one transaction.
const BATCH: i64 = 500;

const NUMBER: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ('people', '{}', 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = setting.config_seq + 1";
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
SELECT count(*) FROM transcript e JOIN turn t ON t.chat = e.chat AND t.target = e.number WHERE e.author LIKE $1";
const SINCE: &str = "SELECT at FROM opt_out WHERE person = $1";

const FIND_UPDATES: &str = "\
SELECT id, payload FROM inbox WHERE id > $1 AND (payload LIKE $2 OR payload LIKE $3) ORDER BY id LIMIT $4";
const CUT_UPDATES: &str = "\
UPDATE inbox SET payload = r.payload, \
outcome = CASE WHEN r.payload = '{}' THEN coalesce(outcome, 'ignored') ELSE outcome END, \
reason = CASE WHEN r.payload = '{}' AND outcome IS NULL THEN $3 ELSE reason END \
FROM unnest($1::bigint[], $2::text[]) AS r (id, payload) WHERE inbox.id = r.id";
const FIND_ENTRIES: &str = "\
SELECT chat, number FROM transcript WHERE (chat, number) > ($1, $2) AND author LIKE $3 ORDER BY chat, number LIMIT $4";
const ANSWERED: &str = "\
turn IN (SELECT t.id FROM unnest($1::bigint[], $2::bigint[]) AS r (chat, number) \
JOIN turn t ON t.chat = r.chat AND t.target = r.number)";
const EMPTY_SENT: &str = "\
UPDATE inbox SET payload = jsonb_set(payload::jsonb, '{text}', '\"\"')::text \
WHERE source = 'sent' AND (bot, source_id) IN (SELECT bot, id FROM outbox WHERE ";
const EMPTY_SAID: &str = "\
UPDATE transcript SET text = NULL, entities = '[]' WHERE text IS NOT NULL AND (telegram_chat, message_id) IN (\
SELECT telegram_chat, message_id FROM outbox WHERE message_id IS NOT NULL AND ";
const EMPTY_OUTBOX: &str = "\
UPDATE outbox SET text = '', state = CASE WHEN state IN ('queued', 'retry_at') THEN 'cancelled' ELSE state END, \
error = CASE WHEN state IN ('queued', 'retry_at') THEN $3 ELSE error END WHERE text <> '' AND ";
const DROP_TURNS: &str = "\
UPDATE turn SET state = 'dropped', error = $3 WHERE state IN ('queued', 'claimed') \
AND (chat, target) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";
const EMPTY_DECISIONS: &str = "\
UPDATE decision SET inputs = '{}', scores = '{}', reason = $3 \
WHERE (chat, cause_entry) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";
const EMPTY_ENTRIES: &str = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL, author = $3 \
WHERE (chat, number) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";

/// Writes a right that a person made use of, within the transaction that is open.
pub(super) async fn write(session: &mut Session<'_>, right: &SetRight) -> Result<(), Error> {
    let (person, at, by) = (right.person.0, right.at.as_millis(), right.by.clone());
    session.run("people_number", NUMBER).await?;
    let audit = sqlx::query(AUDIT).bind(person).bind(right.right.as_str()).bind(at).bind(by.clone());
    session.execute("audit", audit).await?;
    match right.right {
        Right::OptOut => session.execute("opt_out", sqlx::query(OPT_OUT).bind(person).bind(at).bind(by)).await?,
        Right::OptIn => session.execute("opt_in", sqlx::query(OPT_IN).bind(person)).await?,
        Right::Forget => 0,
    };
    Ok(())
}

/// What is in force, if it is news.
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

/// What is stored about somebody.
pub(super) async fn person(sessions: &Sessions, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
    let naming = Naming::of(person);
    let entries = all(
        sessions,
        "entries_of_person",
        || sqlx::query(ENTRIES_OF).bind(naming.author.clone()),
        |row| {
            let mut columns = Columns::of(row);
            Ok(PersonRecord {
                entries: columns.count()?,
                first: columns.optional(Timestamp::from_millis)?,
                last: columns.optional(Timestamp::from_millis)?,
                ..PersonRecord::default()
            })
        },
    );
    let record = entries.await?.pop().unwrap_or_default();
    let [before, last] = &naming.payload;
    let updates = || sqlx::query(UPDATES_OF).bind(before.clone()).bind(last.clone());
    let updates = all(sessions, "updates_of_person", updates, |row| Columns::of(row).count()).await?;
    let answers = || sqlx::query(ANSWERS_TO).bind(naming.author.clone());
    let answers = all(sessions, "answers_to_person", answers, |row| Columns::of(row).count()).await?;
    let since = || sqlx::query(SINCE).bind(person.0);
    let since = all(sessions, "opted_out_since", since, |row| Columns::of(row).take()).await?;
    Ok(PersonRecord {
        opted_out_since: since.first().copied().map(Timestamp::from_millis),
        updates: updates.first().copied().unwrap_or(0),
        answers: answers.first().copied().unwrap_or(0),
        ..record
    })
}

/// Removes somebody's words.
pub(super) async fn forget(
    sessions: &Sessions,
    person: TelegramUserId,
    wish: Option<i64>,
    cut: Cut<'_>,
) -> Result<Forgotten, StoreError> {
    let naming = Naming::of(person);
    let mut forgotten = forget_updates(sessions, &naming, cut).await?;
    forgotten += forget_entries(sessions, &naming).await?;
    if let Some(wish) = wish {
        let mut session = sessions.transaction().await?;
        let fulfilled = sqlx::query(FULFILLED).bind(wish).bind(array(&forgotten));
        session.execute("wish_fulfilled", fulfilled).await.map_err(|error| to_port(&error))?;
        session.run("people_number", NUMBER).await.map_err(|error| to_port(&error))?;
        session.commit().await.map_err(|error| to_port(&error))?;
    }
    Ok(forgotten)
}

async fn forget_updates(sessions: &Sessions, naming: &Naming, cut: Cut<'_>) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let mut after = i64::MIN;
    let [before, last] = &naming.payload;
    loop {
        let found = || sqlx::query(FIND_UPDATES).bind(after).bind(before.clone()).bind(last.clone()).bind(BATCH);
        let found: Vec<(i64, String)> = all(sessions, "updates_to_forget", found, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some((newest, _)) = found.last() else { return Ok(forgotten) };
        after = *newest;
        let (ids, payloads): (Vec<i64>, Vec<String>) =
            found.into_iter().filter_map(|(id, payload)| Some((id, cut(&payload)?))).unzip();
        forgotten.updates += ids.len() as u64;
        let mut session = sessions.session().await?;
        let update = sqlx::query(CUT_UPDATES).bind(ids).bind(payloads).bind(FORGOTTEN);
        session.execute("forget_updates", update).await.map_err(|error| to_port(&error))?;
    }
}

async fn forget_entries(sessions: &Sessions, naming: &Naming) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let (mut chat, mut number) = (i64::MIN, i64::MIN);
    loop {
        let found = || sqlx::query(FIND_ENTRIES).bind(chat).bind(number).bind(naming.author.clone()).bind(BATCH);
        let found: Vec<(i64, i64)> = all(sessions, "entries_to_forget", found, |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, columns.take()?))
        })
        .await?;
        let Some(last) = found.last() else { return Ok(forgotten) };
        (chat, number) = *last;
        let (chats, numbers): (Vec<i64>, Vec<i64>) = found.into_iter().unzip();
        let mut session = sessions.transaction().await?;
        forgotten += empty(&mut session, &chats, &numbers, naming).await.map_err(|error| to_port(&error))?;
        session.commit().await.map_err(|error| to_port(&error))?;
    }
}

/// Empties entries, and all that came of them. What answers them goes first: it is found by them.
async fn empty(session: &mut Session<'_>, chats: &[i64], numbers: &[i64], naming: &Naming) -> Result<Forgotten, Error> {
    let of = |text: String| sqlx::query(AssertSqlSafe(text)).bind(chats.to_vec()).bind(numbers.to_vec());
    let mut forgotten = Forgotten::default();
    session.execute("forget_sent", of(format!("{EMPTY_SENT}{ANSWERED})"))).await?;
    let said = session.execute("forget_said", of(format!("{EMPTY_SAID}{ANSWERED})"))).await?;
    // In the order in which everybody locks: turns before messages.
    session.execute("forget_turns", of(DROP_TURNS.to_owned()).bind(FORGOTTEN)).await?;
    let outbox = of(format!("{EMPTY_OUTBOX}{ANSWERED}")).bind(FORGOTTEN);
    forgotten.messages = session.execute("forget_outbox", outbox).await?;
    let decisions = of(EMPTY_DECISIONS.to_owned()).bind(FORGOTTEN);
    forgotten.decisions = session.execute("forget_decisions", decisions).await?;
    let own = of(EMPTY_ENTRIES.to_owned()).bind(naming.nobody.clone());
    forgotten.entries = said + session.execute("forget_entries", own).await?;
    Ok(forgotten)
}
