//! Pages through the outcomes: where everything came from and what became of it. Layer: adapter. Keeps I3: each inbox
//! row is one line.
//!
//! A page is read in one snapshot by at most four statements, whatever its size.

use std::collections::{BTreeSet, HashMap};

use botfleet_actors::domain::ids::TurnId;
use botfleet_actors::ports::store::{OutcomeCursor, OutcomeMessage, OutcomeRecord, OutcomeTurn, StoreError};
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::error::to_port;
use crate::store::loaded::array;
use crate::store::outcome_rows::{DecisionKey, inbox_record, message_line, tick_record, turn_line};

const ROWS: &str = "\
SELECT i.id, i.chat, i.decision, i.source, i.source_id, CASE i.source WHEN 'sent' THEN i.payload END, b.telegram_id, \
i.outcome, i.reason, i.number, coalesce(t.telegram_chat, c.telegram_id), t.message_id \
FROM inbox i LEFT JOIN bot b ON b.id = i.bot LEFT JOIN chat c ON c.id = i.chat \
LEFT JOIN transcript t ON t.chat = i.chat AND t.number = i.number \
WHERE i.id > $1 ORDER BY i.id LIMIT $2";
const TICKS: &str = "\
SELECT d.chat, d.number, c.telegram_id, d.verdict, d.reason FROM decision d LEFT JOIN chat c ON c.id = d.chat \
WHERE d.cause_entry IS NULL AND (d.chat, d.number) > ($1, $2) ORDER BY d.chat, d.number LIMIT $3";
const TURNS: &str = "\
SELECT t.chat, t.decision, t.id, b.telegram_id, t.state FROM json_each($1) j \
CROSS JOIN turn t ON t.chat = j.value ->> 0 AND t.decision = j.value ->> 1 \
LEFT JOIN bot b ON b.id = t.bot ORDER BY t.ordinal, t.id";
const MESSAGES: &str = "\
SELECT o.turn, o.id, o.part, o.telegram_chat, o.state, o.message_id FROM json_each($1) j \
CROSS JOIN outbox o ON o.turn = j.value ORDER BY o.turn, o.part";

type Page = Vec<(Option<DecisionKey>, OutcomeRecord)>;

/// Returns the next page and where it ends.
pub(super) async fn page(
    pool: &SqlitePool,
    cursor: OutcomeCursor,
    limit: usize,
) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError> {
    let mut snapshot = pool.begin().await.map_err(|error| to_port(&error))?;
    let connection = &mut *snapshot;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let (mut page, mut next) = (Page::new(), cursor);
    if cursor.tick.is_none() {
        let after = cursor.inbox.map_or(i64::MIN, |inbox| inbox.0);
        let rows = sqlx::query(ROWS).bind(after).bind(most).fetch_all(&mut *connection).await;
        for row in &rows.map_err(|error| to_port(&error))? {
            let (id, decision, record) = inbox_record(row)?;
            next.inbox = Some(id);
            page.push((decision, record));
        }
    }
    if page.is_empty() {
        let (chat, number) = cursor.tick.map_or((i64::MIN, 0), |(chat, number)| (chat.0, number.0));
        let rows = sqlx::query(TICKS).bind(chat).bind(number).bind(most).fetch_all(&mut *connection).await;
        for row in &rows.map_err(|error| to_port(&error))? {
            let (decision, record) = tick_record(row)?;
            next.tick = Some(decision);
            page.push((Some(decision), record));
        }
    }
    let mut turns = turns(connection, &page).await?;
    let records = page
        .into_iter()
        .map(|(decision, record)| OutcomeRecord {
            turns: decision.and_then(|decision| turns.get_mut(&decision)).cloned().unwrap_or_default(),
            ..record
        })
        .collect();
    Ok((records, next))
}

async fn turns(
    connection: &mut SqliteConnection,
    page: &Page,
) -> Result<HashMap<DecisionKey, Vec<OutcomeTurn>>, StoreError> {
    let decisions: BTreeSet<DecisionKey> = page.iter().filter_map(|(decision, _)| *decision).collect();
    let mut turns: HashMap<DecisionKey, Vec<OutcomeTurn>> = HashMap::new();
    if decisions.is_empty() {
        return Ok(turns);
    }
    let rows = sqlx::query(TURNS).bind(array(&decisions)).fetch_all(&mut *connection).await;
    let rows = rows.map_err(|error| to_port(&error))?;
    let ids = rows.iter().map(|row| turn_line(row)).collect::<Result<Vec<_>, StoreError>>()?;
    let mut messages = messages(connection, &ids.iter().map(|(_, turn, ..)| *turn).collect::<Vec<_>>()).await?;
    for (decision, turn, bot_id, state) in ids {
        let messages = messages.remove(&turn).unwrap_or_default();
        turns.entry(decision).or_default().push(OutcomeTurn { id: turn.to_string(), bot_id, state, messages });
    }
    Ok(turns)
}

async fn messages(
    connection: &mut SqliteConnection,
    turns: &[TurnId],
) -> Result<HashMap<TurnId, Vec<OutcomeMessage>>, StoreError> {
    let rows = sqlx::query(MESSAGES).bind(array(turns)).fetch_all(connection).await;
    let mut messages: HashMap<TurnId, Vec<OutcomeMessage>> = HashMap::new();
    for row in &rows.map_err(|error| to_port(&error))? {
        let (turn, message) = message_line(row)?;
        messages.entry(turn).or_default().push(message);
    }
    Ok(messages)
}
