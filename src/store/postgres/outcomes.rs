//! Pages through the outcomes: where everything came from and what became of it. Layer: adapter. Keeps I3: each inbox
//! row is one line.
//!
//! A page is read by at most four statements, whatever its size.

use std::collections::{BTreeSet, HashMap};

use botfleet_actors::domain::ids::TurnId;
use botfleet_actors::ports::store::{OutcomeCursor, OutcomeMessage, OutcomeRecord, OutcomeTurn, StoreError};

use super::reads::all;
use super::session::Sessions;
use crate::store::outcome_rows::{DecisionKey, inbox_record, message_line, tick_record, turn_line};

pub(super) const ROWS: &str = "\
SELECT i.id, i.chat, i.decision, i.source, i.source_id, CASE i.source WHEN 'sent' THEN i.payload END, b.telegram_id, \
i.outcome, i.reason, i.number, coalesce(t.telegram_chat, c.telegram_id), t.message_id \
FROM inbox i LEFT JOIN bot b ON b.id = i.bot LEFT JOIN chat c ON c.id = i.chat \
LEFT JOIN transcript t ON t.chat = i.chat AND t.number = i.number \
WHERE i.id > $1 ORDER BY i.id LIMIT $2";
pub(super) const TICKS: &str = "\
SELECT d.chat, d.number, c.telegram_id, d.verdict, d.reason FROM decision d LEFT JOIN chat c ON c.id = d.chat \
WHERE d.cause_entry IS NULL AND (d.chat, d.number) > ($1, $2) ORDER BY d.chat, d.number LIMIT $3";
pub(super) const TURNS: &str = "\
SELECT t.chat, t.decision, t.id, b.telegram_id, t.state FROM unnest($1::bigint[], $2::bigint[]) AS j (chat, decision) \
JOIN turn t ON t.chat = j.chat AND t.decision = j.decision \
LEFT JOIN bot b ON b.id = t.bot ORDER BY t.ordinal, t.id";
pub(super) const MESSAGES: &str = "\
SELECT turn, id, part, telegram_chat, state, message_id FROM outbox WHERE turn = ANY($1) ORDER BY turn, part";

type Page = Vec<(Option<DecisionKey>, OutcomeRecord)>;

/// Returns the next page and where it ends.
pub(super) async fn page(
    sessions: &Sessions,
    cursor: OutcomeCursor,
    limit: usize,
) -> Result<(Vec<OutcomeRecord>, OutcomeCursor), StoreError> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let (mut page, mut next) = (Page::new(), cursor);
    if cursor.tick.is_none() {
        let after = cursor.inbox.map_or(i64::MIN, |inbox| inbox.0);
        let rows = all(sessions, "outcome_rows", || sqlx::query(ROWS).bind(after).bind(most), inbox_record);
        for (id, decision, record) in rows.await? {
            next.inbox = Some(id);
            page.push((decision, record));
        }
    }
    if page.is_empty() {
        let (chat, number) = cursor.tick.map_or((i64::MIN, 0), |(chat, number)| (chat.0, number.0));
        let statement = || sqlx::query(TICKS).bind(chat).bind(number).bind(most);
        for (decision, record) in all(sessions, "outcome_ticks", statement, tick_record).await? {
            next.tick = Some(decision);
            page.push((Some(decision), record));
        }
    }
    let mut turns = turns(sessions, &page).await?;
    let records = page
        .into_iter()
        .map(|(decision, record)| OutcomeRecord {
            turns: decision.and_then(|decision| turns.get_mut(&decision)).cloned().unwrap_or_default(),
            ..record
        })
        .collect();
    Ok((records, next))
}

async fn turns(sessions: &Sessions, page: &Page) -> Result<HashMap<DecisionKey, Vec<OutcomeTurn>>, StoreError> {
    let decisions: BTreeSet<DecisionKey> = page.iter().filter_map(|(decision, _)| *decision).collect();
    let mut turns: HashMap<DecisionKey, Vec<OutcomeTurn>> = HashMap::new();
    if decisions.is_empty() {
        return Ok(turns);
    }
    let chats: Vec<i64> = decisions.iter().map(|(chat, _)| chat.0).collect();
    let numbers: Vec<i64> = decisions.iter().map(|(_, number)| number.0).collect();
    let statement = || sqlx::query(TURNS).bind(chats.clone()).bind(numbers.clone());
    let lines = all(sessions, "outcome_turns", statement, turn_line).await?;
    let mut messages = messages(sessions, lines.iter().map(|(_, turn, ..)| turn.0).collect()).await?;
    for (decision, turn, bot_id, state) in lines {
        let messages = messages.remove(&turn).unwrap_or_default();
        turns.entry(decision).or_default().push(OutcomeTurn { id: turn.to_string(), bot_id, state, messages });
    }
    Ok(turns)
}

async fn messages(sessions: &Sessions, turns: Vec<i64>) -> Result<HashMap<TurnId, Vec<OutcomeMessage>>, StoreError> {
    let statement = || sqlx::query(MESSAGES).bind(turns.clone());
    let mut messages: HashMap<TurnId, Vec<OutcomeMessage>> = HashMap::new();
    for (turn, message) in all(sessions, "outcome_messages", statement, message_line).await? {
        messages.entry(turn).or_default().push(message);
    }
    Ok(messages)
}
