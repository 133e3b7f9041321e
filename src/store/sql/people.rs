//! Reads rights of people and the record about a person, and removes a person's words. Layer: adapter. Keeps I3.
//!
//! Removal runs in transactions of bounded size; entries keep their numbers. Every statement touches a bounded number
//! of rows: updates are walked by id, all else is found by an index. Rows are locked as the group commit locks them:
//! turns, messages, updates, each by id.

use botfleet_actors::domain::ids::{ChatId, Number, TelegramUserId};
use botfleet_actors::domain::inbox::SentEvent;
use botfleet_actors::domain::incoming::Author;
use botfleet_actors::domain::people::{
    FORGOTTEN, Forgotten, PersonRecord, REMOVED, Right, Rights, SetRight, TOMBSTONE,
};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::Cut;

use super::audit;
use super::text::statements;
use super::values::{Rows, json, values};
use crate::store::engine::{Engine, Reads, Run, Work};
use crate::store::fault::Fault;

/// The number of rows changed in one transaction; on SQLite commits wait meanwhile.
const BATCH: usize = 50;
/// The number of entries, or of updates, that one statement reads.
const PAGE: usize = 500;

statements! {
    NUMBER "people_number" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('people', '{}', 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = setting.config_seq + 1";
    AUDIT "audit" = "\
INSERT INTO audit (seq, person, action, at, by) \
SELECT config_seq, $1, $2, $3, $4 FROM setting WHERE key = 'people'";
    ERASURE "erasure" = "\
INSERT INTO erasure (seq, person, at, by) SELECT config_seq, $1, $2, $3 FROM setting WHERE key = 'people'";
    /// Applies only when no order is stored that is newer than the newest of this batch: `right_said` was written before in
    /// this transaction, under its row's lock, and another node may have committed a newer order meanwhile.
    OPT_OUT "opt_out" = "\
INSERT INTO opt_out (person, at, by) SELECT CAST($1 AS bigint), CAST($2 AS bigint), CAST($3 AS text) \
WHERE (SELECT s.at / 1000 FROM right_said s WHERE s.person = $1) <= $4 / 1000 ON CONFLICT (person) DO NOTHING";
    OPT_IN "opt_in" = "\
DELETE FROM opt_out WHERE person = $1 AND (SELECT s.at / 1000 FROM right_said s WHERE s.person = $1) <= $2 / 1000";
    SEQ "people_seq" = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'people'), 0)";
    OPTED_OUT "opted_out" = "SELECT person FROM opt_out";
    WISHES "wishes" = "\
SELECT person, max(at), max(CASE WHEN counts = '{}' THEN seq END) FROM erasure GROUP BY person";
    /// Extends an open erasure request to a later instant.
    PROLONGED "wish_prolonged" = "\
UPDATE erasure SET at = $2 WHERE person = $1 AND counts = '{}' AND at < $2";
    WISHED_AT "wished_at" = "SELECT at FROM erasure WHERE seq = $1";
    /// Notes that the request is fulfilled, unless it was extended meanwhile.
    FULFILLED "wish_fulfilled" = "UPDATE erasure SET counts = $2 WHERE seq = $1 AND at = $3";

    ENTRIES_OF "entries_of_person" = "\
SELECT e.chat, e.number, e.date, (SELECT count(*) FROM turn t WHERE t.chat = e.chat AND t.target = e.number) \
FROM transcript e WHERE e.fleet_bot IS NULL AND \
`e.author ->> 'id'|substring(e.author from '^\\{\"id\":(-?[0-9]+)')::bigint` = $1 \
AND (e.chat, e.number) > ($2, $3) ORDER BY e.chat, e.number LIMIT $4";
    UPDATES_OF "updates_of_person" = "\
SELECT max(id), count(CASE WHEN payload LIKE $2 OR payload LIKE $3 THEN 1 END) FROM (\
SELECT id, payload FROM inbox WHERE id > $1 ORDER BY id LIMIT $4) page";
    SINCE "opted_out_since" = "SELECT at FROM opt_out WHERE person = $1";

    FIND_UPDATES "updates_to_forget" = "\
SELECT id, CASE WHEN payload LIKE $2 OR payload LIKE $3 THEN payload END FROM inbox WHERE id > $1 ORDER BY id LIMIT $4";
    CUT_UPDATES "forget_updates" = "\
`|WITH locked AS MATERIALIZED (SELECT id FROM inbox WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) `\
UPDATE inbox SET payload = r.payload, \
outcome = CASE WHEN r.payload = '{}' THEN coalesce(outcome, 'ignored') ELSE outcome END, \
reason = CASE WHEN r.payload = '{}' AND outcome IS NULL THEN $3 ELSE reason END \
FROM `rows 2 id, payload text``|, locked` WHERE inbox.id = r.id`| AND locked.id = r.id`";
    FIND_ENTRIES "entries_to_forget" = "\
SELECT e.chat, e.number FROM transcript e WHERE e.fleet_bot IS NULL AND \
`e.author ->> 'id'|substring(e.author from '^\\{\"id\":(-?[0-9]+)')::bigint` = $1 \
AND (e.chat, e.number) > ($2, $3) ORDER BY e.chat, e.number LIMIT $4";
    TURNS_OF "turns_to_forget" = "\
SELECT t.id FROM `rows 1 chat, number` `CROSS JOIN|JOIN` turn t ON t.chat = r.chat AND t.target = r.number \
ORDER BY t.id `for update of t`";
    MESSAGES_OF "messages_to_empty" = "SELECT id FROM outbox WHERE turn `among 1` ORDER BY id `for update`";
    SENT_OF "sent_to_empty" = "\
SELECT i.id, i.payload FROM outbox o `CROSS JOIN|JOIN` inbox i ON i.bot = o.bot AND i.source = 'sent' \
AND i.source_id = o.id WHERE o.id `among 1` ORDER BY i.id `for update of i`";
    DROP_TURNS "forget_turns" = "\
UPDATE turn SET state = 'dropped', error = $2 WHERE id `among 1` AND state IN ('queued', 'claimed')";
    EMPTY_OUTBOX "empty_outbox" = "\
UPDATE outbox SET text = '', marks = '[]', state = CASE WHEN state IN ('queued', 'retry_at') THEN 'cancelled' ELSE state END, \
error = CASE WHEN state IN ('queued', 'retry_at') THEN $2 ELSE error END WHERE id `among 1` AND text <> ''";
    EMPTY_SENT "empty_sent" = "\
UPDATE inbox SET payload = r.payload FROM `rows 1 id, payload text` WHERE inbox.id = r.id";
    EMPTY_ACTS "empty_acts" = "\
UPDATE turn SET act = '{\"do\":\"say\",\"text\":\"\"}' WHERE id `among 1` AND act LIKE '{\"do\":\"say\"%'";
    EMPTY_SAID "empty_said" = "\
UPDATE transcript SET text = NULL, entities = '[]' WHERE text IS NOT NULL AND (telegram_chat, message_id) IN (\
SELECT telegram_chat, message_id FROM outbox WHERE id `among 1` AND message_id IS NOT NULL)";
    EMPTY_DECISIONS "forget_decisions" = "\
UPDATE decision SET inputs = '{}', scores = '{}', reason = $2 WHERE cause_entry IS NOT NULL \
AND (chat, cause_entry) IN (SELECT chat, number FROM `rows 1 chat, number`)";
    EMPTY_ENTRIES "forget_entries" = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL, author = $2 \
WHERE (chat, number) IN (SELECT chat, number FROM `rows 1 chat, number`)";
}

/// Returns the patterns of `LIKE` that find a person in an update of Telegram: the id with a field after it, and the id
/// as the last field of its object. Ids are digits, so nothing in them is special to `LIKE`.
fn naming(person: TelegramUserId) -> [String; 2] {
    [format!("%\"id\":{person},%"), format!("%\"id\":{person}}}%")]
}

/// Returns the payload of a sent message's event without its text. PostgreSQL cannot do this: it cannot read JSON with
/// NUL.
fn without_text(payload: &str) -> String {
    let event = serde_json::from_str::<SentEvent>(payload);
    event.map_or_else(|_| TOMBSTONE.to_owned(), |event| json(&SentEvent { text: String::new(), ..event }))
}

/// Writes a right that a person exercised, within the open transaction. `newest` is the time of the person's newest order
/// in the batch: an order is not outdated by a repetition of itself.
pub(super) async fn write(run: &mut impl Run, right: &SetRight, newest: Timestamp) -> Result<(), Fault> {
    let SetRight { person, right, by, at } = right;
    run.execute(&NUMBER, values![]).await?;
    if *right == Right::Forget {
        if run.execute(&PROLONGED, values![*person, *at]).await? == 0 {
            run.execute(&ERASURE, values![*person, *at, by.as_str()]).await?;
        }
        return Ok(());
    }
    run.execute(&AUDIT, values![*person, right.as_str(), *at, by.as_str()]).await?;
    if *right == Right::OptOut {
        run.execute(&OPT_OUT, values![*person, *at, by.as_str(), newest]).await?;
    } else {
        run.execute(&OPT_IN, values![*person, newest]).await?;
    }
    Ok(())
}

/// Returns the rights in force, if their number is not `known`: one wish for each person, however often they asked.
pub(crate) async fn rights(db: &impl Reads, known: i64) -> Result<Option<Rights>, Fault> {
    let seq = db.all(&SEQ, values![]).await?.pop().unwrap_or(0);
    if seq == known {
        return Ok(None);
    }
    let opted_out = db.all(&OPTED_OUT, values![]).await?.into_iter().collect();
    let wishes: Vec<(TelegramUserId, Timestamp, Option<i64>)> = db.all(&WISHES, values![]).await?;
    Ok(Some(Rights {
        seq,
        opted_out,
        forgotten: wishes.iter().map(|(person, at, _)| (*person, *at)).collect(),
        pending: wishes.into_iter().filter_map(|(person, at, open)| Some((open?, person, at))).collect(),
    }))
}

/// Returns the record about a person.
pub(crate) async fn person(db: &impl Reads, person: TelegramUserId) -> Result<PersonRecord, Fault> {
    let mut record = PersonRecord::default();
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let page: Vec<(i64, i64, Timestamp, u64)> =
            db.all(&ENTRIES_OF, values![person, after.0, after.1, PAGE]).await?;
        let Some(last) = page.last() else { break };
        after = (last.0, last.1);
        for (_, _, date, answers) in page {
            record.entries += 1;
            record.answers += answers;
            record.first = Some(record.first.map_or(date, |first| first.min(date)));
            record.last = record.last.max(Some(date));
        }
    }
    let [before, last] = naming(person);
    let mut after = i64::MIN;
    while let Some((Some(newest), updates)) =
        db.all::<(Option<i64>, u64)>(&UPDATES_OF, values![after, before.as_str(), last.as_str(), PAGE]).await?.pop()
    {
        after = newest;
        record.updates += updates;
    }
    record.opted_out_since = db.all(&SINCE, values![person]).await?.pop();
    Ok(record)
}

/// Removes a person's words.
pub(crate) async fn forget(
    db: &impl Engine,
    person: TelegramUserId,
    wish: Option<i64>,
    cut: Cut<'_>,
) -> Result<Forgotten, Fault> {
    let wished_at: Option<Timestamp> = db.all(&WISHED_AT, values![wish]).await?.pop();
    let mut forgotten = forget_updates(db, person, cut).await?;
    forgotten += forget_entries(db, person).await?;
    audit::forget(db, person).await?;
    db.wipe().await?;
    if let Some((wish, at)) = wish.zip(wished_at) {
        let mut task = db.begin().await?;
        // Takes the number first, as a new request does, so that locks are taken in one order.
        task.execute(&NUMBER, values![]).await?;
        task.execute(&FULFILLED, values![wish, json(&forgotten), at]).await?;
        task.commit().await?;
    }
    Ok(forgotten)
}

async fn forget_updates<E: Engine>(db: &E, person: TelegramUserId, cut: Cut<'_>) -> Result<Forgotten, Fault> {
    let mut forgotten = Forgotten::default();
    let mut after = i64::MIN;
    let [before, last] = naming(person);
    loop {
        let page: Vec<(i64, Option<String>)> =
            db.all(&FIND_UPDATES, values![after, before.as_str(), last.as_str(), PAGE]).await?;
        let Some((newest, _)) = page.last() else { return Ok(forgotten) };
        after = *newest;
        let changed: Vec<(i64, String)> =
            page.into_iter().filter_map(|(id, payload)| Some((id, cut(&payload?)?))).collect();
        for some in changed.chunks(BATCH) {
            let ids: Vec<i64> = some.iter().map(|(id, _)| *id).collect();
            db.once(&CUT_UPDATES, values![ids, Rows::over(E::DATABASE, some), FORGOTTEN]).await?;
        }
        forgotten.updates += changed.len() as u64;
    }
}

async fn forget_entries(db: &impl Engine, person: TelegramUserId) -> Result<Forgotten, Fault> {
    let mut forgotten = Forgotten::default();
    let (mut chat, mut number) = (ChatId(i64::MIN), Number(i64::MIN));
    loop {
        let found: Vec<(ChatId, Number)> = db.all(&FIND_ENTRIES, values![person, chat, number, PAGE]).await?;
        let Some(last) = found.last() else { return Ok(forgotten) };
        (chat, number) = *last;
        for some in found.chunks(BATCH) {
            let mut task = db.begin().await?;
            forgotten += empty(&mut task, some).await?;
            task.commit().await?;
        }
    }
}

/// Empties entries and everything that came of them. Answers are emptied first, since they are found through the
/// entries.
async fn empty<R: Run>(run: &mut R, entries: &[(ChatId, Number)]) -> Result<Forgotten, Fault> {
    let entries = || Rows::over(R::DATABASE, entries);
    let mut forgotten = Forgotten::default();
    let turns: Vec<i64> = run.fetch(&TURNS_OF, values![entries()]).await?;
    run.execute(&DROP_TURNS, values![turns.clone(), FORGOTTEN]).await?;
    let (messages, emptied) = empty_messages(run, turns, FORGOTTEN).await?;
    forgotten.messages = emptied;
    let said = empty_told(run, messages).await?;
    forgotten.decisions = run.execute(&EMPTY_DECISIONS, values![entries(), FORGOTTEN]).await?;
    forgotten.entries = said + run.execute(&EMPTY_ENTRIES, values![entries(), json(&Author::nobody())]).await?;
    Ok(forgotten)
}

/// Empties the texts that turns were to say, and their messages. Returns the messages, and how many of them had a text.
pub(super) async fn empty_messages(
    run: &mut impl Run,
    turns: Vec<i64>,
    why: &'static str,
) -> Result<(Vec<i64>, u64), Fault> {
    run.execute(&EMPTY_ACTS, values![turns.clone()]).await?;
    let messages: Vec<i64> = run.fetch(&MESSAGES_OF, values![turns]).await?;
    if messages.is_empty() {
        return Ok((messages, 0));
    }
    let emptied = run.execute(&EMPTY_OUTBOX, values![messages.clone(), why]).await?;
    Ok((messages, emptied))
}

/// Empties the texts of messages that were sent, with the acts of their turns, their events and their entries.
pub(super) async fn empty_sent(run: &mut impl Run, turns: Vec<i64>, messages: Vec<i64>) -> Result<(), Fault> {
    run.execute(&EMPTY_ACTS, values![turns]).await?;
    run.execute(&EMPTY_OUTBOX, values![messages.clone(), REMOVED]).await?;
    empty_told(run, messages).await.map(drop)
}

/// Empties the events and the entries of messages. Returns how many entries were emptied.
async fn empty_told<R: Run>(run: &mut R, messages: Vec<i64>) -> Result<u64, Fault> {
    let sent: Vec<(i64, String)> = run.fetch(&SENT_OF, values![messages.clone()]).await?;
    let emptied = sent.iter().map(|(id, payload)| (*id, without_text(payload)));
    run.execute(&EMPTY_SENT, values![Rows::of(R::DATABASE, emptied)]).await?;
    run.execute(&EMPTY_SAID, values![messages]).await
}
