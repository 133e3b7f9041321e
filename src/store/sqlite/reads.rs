//! Runs everything that only reads, except outcomes and the archive. Layer: adapter.
//!
//! The conditions repeat the text of the partial indexes; SQLite uses a partial index only for such a condition.

use std::sync::{Arc, LazyLock};

use botfleet_actors::domain::allowance::{AllowanceKey, BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit};
use botfleet_actors::domain::control::Stops;
use botfleet_actors::domain::ids::{
    BotId, ChatId, DecisionNumber, MessageId, Number, OutboxId, TelegramChatId, TurnId,
};
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::store::{Backlog, ChatMemory, QueueDepths, StoreError};
use sqlx::AssertSqlSafe;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqlitePool};

use super::error::to_port;
use crate::store::columns::unreadable;
use crate::store::columns::{self, Cells, Columns, pause, stop_of, stop_scope};
use crate::store::loaded::array;

/// The statements with their lists of columns filled in.
struct Sql {
    unhandled: Arc<str>,
    transcript: Arc<str>,
    conversation: Arc<str>,
    find: Arc<str>,
    queued_turns: Arc<str>,
    waiting_messages: Arc<str>,
    unknown_messages: Arc<str>,
    turn: Arc<str>,
    messages_of_turn: Arc<str>,
    message: Arc<str>,
}

static SQL: LazyLock<Sql> = LazyLock::new(|| {
    let (inbox, transcript, turn, outbox) = (columns::INBOX, columns::TRANSCRIPT, columns::TURN, columns::OUTBOX);
    Sql {
        unhandled: format!("SELECT {inbox} FROM inbox WHERE chat = $1 AND outcome IS NULL ORDER BY id LIMIT $2").into(),
        transcript: format!(
            "SELECT {transcript} FROM transcript WHERE chat = $1 AND number <= $2 ORDER BY number DESC LIMIT $3"
        )
        .into(),
        conversation: columns::conversation_sql().into(),
        find: format!(
            "SELECT {transcript} FROM transcript WHERE (chat, number) IN (\
             SELECT f.chat, min(f.number) FROM json_each($2) j CROSS JOIN transcript f ON f.telegram_chat = $1 \
             AND f.message_id = j.value GROUP BY f.message_id) ORDER BY number"
        )
        .into(),
        queued_turns: format!(
            "SELECT {turn} FROM turn WHERE state IN ('queued', 'claimed', 'dead') AND state = 'queued' AND bot = $1 \
             ORDER BY priority, created_at, id LIMIT $2"
        )
        .into(),
        waiting_messages: format!(
            "SELECT {outbox} FROM outbox WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') \
             AND state IN ('queued', 'retry_at') AND bot = $1 ORDER BY turn, part LIMIT $2"
        )
        .into(),
        unknown_messages: format!(
            "SELECT {outbox} FROM outbox WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') \
             AND state = 'unknown' AND chat = $1 ORDER BY id"
        )
        .into(),
        turn: format!("SELECT {turn} FROM turn WHERE id = $1").into(),
        messages_of_turn: format!("SELECT {outbox} FROM outbox WHERE turn = $1 ORDER BY part").into(),
        message: format!("SELECT {outbox} FROM outbox WHERE id = $1").into(),
    }
});

const BACKLOG: &str = "\
SELECT 0, chat FROM inbox WHERE outcome IS NULL AND chat IS NOT NULL GROUP BY chat \
UNION ALL SELECT 1, h.chat FROM chat_head h CROSS JOIN chat c ON c.id = h.chat AND c.in_use = 1 WHERE h.next_tick_at <= $1 \
UNION ALL SELECT 2, bot FROM (\
 SELECT bot FROM turn WHERE state IN ('queued', 'claimed', 'dead') AND state = 'queued' AND due_at <= $1 \
 UNION SELECT bot FROM outbox WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') \
 AND state IN ('queued', 'retry_at') AND due_at <= $1) \
UNION ALL SELECT 3, count(*) FROM turn WHERE state IN ('queued', 'claimed', 'dead') AND state IN ('queued', 'claimed') \
ORDER BY 1, 2";
const DEPTHS: &str = "\
SELECT (SELECT count(*) FROM inbox WHERE outcome IS NULL), \
(SELECT count(*) FROM turn WHERE state IN ('queued', 'claimed', 'dead') AND state IN ('queued', 'claimed')), \
(SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') AND state <> 'unknown'), \
(SELECT count(*) FROM turn WHERE state IN ('queued', 'claimed', 'dead') AND state = 'dead'), \
(SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') AND state = 'unknown')";

type Reading<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Runs a statement and reads all its rows by `read`.
pub(super) async fn all<T>(
    pool: &SqlitePool,
    query: Reading<'_>,
    read: impl Fn(&dyn Cells) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = query.fetch_all(pool).await.map_err(|error| to_port(&error))?;
    rows.iter().map(|row| read(row)).collect()
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn query(sql: &Arc<str>) -> Reading<'static> {
    sqlx::query(AssertSqlSafe(sql.clone()))
}

pub(super) async fn chat_memory(pool: &SqlitePool, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError> {
    let head = sqlx::query(
        "SELECT last_number, last_decision, next_tick_at, calm_until, disclosed FROM chat_head WHERE chat = $1",
    )
    .bind(chat.0);
    let Some(row) = head.fetch_optional(pool).await.map_err(|error| to_port(&error))? else {
        return Ok(ChatMemory::default());
    };
    let mut head = Columns::of(&row);
    let last_number = Number(head.take()?);
    Ok(ChatMemory {
        last_number,
        last_decision: DecisionNumber(head.take()?),
        next_tick_at: head.optional(Timestamp::from_millis)?,
        calm_until: head.optional(Timestamp::from_millis)?,
        disclosed: head.take()?,
        absent: absent(pool, chat).await?,
        highest: highest_messages(pool, chat).await?,
        recent: conversation(pool, chat, last_number, recent).await?,
    })
}

pub(super) async fn unhandled(pool: &SqlitePool, chat: ChatId, most: usize) -> Result<Vec<InboxRow>, StoreError> {
    all(pool, query(&SQL.unhandled).bind(chat.0).bind(limit(most)), columns::inbox_row).await
}

pub(super) async fn transcript(
    pool: &SqlitePool,
    chat: ChatId,
    upto: Number,
    most: usize,
) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
    let newest_first = query(&SQL.transcript).bind(chat.0).bind(upto.0).bind(limit(most));
    let mut entries = all(pool, newest_first, |row| columns::entry(row).map(Arc::new)).await?;
    entries.reverse();
    Ok(entries)
}

pub(super) async fn conversation(
    pool: &SqlitePool,
    chat: ChatId,
    upto: Number,
    said: usize,
) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
    let (said, page) = (limit(said), limit(said.saturating_mul(8)));
    let statement = query(&SQL.conversation).bind(chat.0).bind(upto.0).bind(said).bind(page);
    all(pool, statement, |row| columns::entry(row).map(Arc::new)).await
}

pub(super) async fn find_messages(
    pool: &SqlitePool,
    chat: TelegramChatId,
    messages: &[MessageId],
) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    all(pool, query(&SQL.find).bind(chat.0).bind(array(messages)), |row| columns::entry(row).map(Arc::new)).await
}

/// Selects the highest message id under each Telegram id of the chat; each is one step into the index of keys.
const HIGHEST: &str = "\
SELECT c.id, (SELECT max(t.message_id) FROM transcript t WHERE t.telegram_chat = c.id) FROM (\
SELECT telegram_id AS id FROM chat WHERE id = $1 UNION SELECT telegram_chat_id FROM chat_alias WHERE chat = $1) c";

async fn highest_messages(pool: &SqlitePool, chat: ChatId) -> Result<Vec<(TelegramChatId, MessageId)>, StoreError> {
    let found = all(pool, sqlx::query(HIGHEST).bind(chat.0), columns::highest_message).await?;
    Ok(found.into_iter().flatten().collect())
}

pub(super) async fn entry_numbers(pool: &SqlitePool, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<_> = keys.iter().map(|key| (key.telegram_chat, key.message_id, key.kind, key.revision)).collect();
    let sql = "SELECT j.key, t.number FROM json_each($1) j CROSS JOIN transcript t ON t.telegram_chat = j.value ->> 0 \
               AND t.message_id = j.value ->> 1 AND t.kind = j.value ->> 2 AND t.revision = j.value ->> 3";
    all(pool, sqlx::query(sql).bind(array(&asked)), |row| columns::entry_number(row, keys)).await
}

pub(super) async fn next_offset(pool: &SqlitePool, bot: BotId) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT next_offset FROM bot_cursor WHERE bot = $1";
    let found = all(pool, sqlx::query(sql).bind(bot.0), |row| Columns::of(row).take()).await?;
    Ok(found.first().copied())
}

pub(super) async fn queued_turns(pool: &SqlitePool, bot: BotId, most: usize) -> Result<Vec<Turn>, StoreError> {
    all(pool, query(&SQL.queued_turns).bind(bot.0).bind(limit(most)), columns::turn).await
}

pub(super) async fn waiting_messages(
    pool: &SqlitePool,
    bot: BotId,
    most: usize,
) -> Result<Vec<OutboxMessage>, StoreError> {
    all(pool, query(&SQL.waiting_messages).bind(bot.0).bind(limit(most)), columns::message).await
}

pub(super) async fn turn(pool: &SqlitePool, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError> {
    let found = all(pool, query(&SQL.turn).bind(turn.0), columns::turn).await?.pop();
    let Some(found) = found else { return Ok(None) };
    let messages = all(pool, query(&SQL.messages_of_turn).bind(turn.0), columns::message).await?;
    Ok(Some((found, messages)))
}

pub(super) async fn message(pool: &SqlitePool, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError> {
    Ok(all(pool, query(&SQL.message).bind(outbox.0), columns::message).await?.pop())
}

pub(super) async fn backlog(pool: &SqlitePool, now: Timestamp) -> Result<Backlog, StoreError> {
    let rows = sqlx::query(BACKLOG).bind(now.as_millis()).fetch_all(pool).await.map_err(|error| to_port(&error))?;
    let mut backlog = Backlog::default();
    for row in &rows {
        let mut columns = Columns::of(row);
        match (columns.take::<i64>()?, columns.take()?) {
            (0, chat) => backlog.chats.push(ChatId(chat)),
            (1, chat) => backlog.ticks.push(ChatId(chat)),
            (2, bot) => backlog.bots.push(BotId(bot)),
            (_, count) => backlog.turns_open = u64::try_from(count).unwrap_or(0),
        }
    }
    Ok(backlog)
}

pub(super) async fn depths(pool: &SqlitePool) -> Result<QueueDepths, StoreError> {
    let row = sqlx::query(DEPTHS).fetch_one(pool).await.map_err(|error| to_port(&error))?;
    let mut columns = Columns::of(&row);
    Ok(QueueDepths {
        inbox: columns.count()?,
        turns: columns.count()?,
        outbox: columns.count()?,
        dead: columns.count()?,
        unknown: columns.count()?,
    })
}

const ALLOWANCES: &str = "\
SELECT scope, key, unit, per, max(period_start), granted FROM allowance GROUP BY scope, key, unit, per";

pub(super) async fn allowances(pool: &SqlitePool) -> Result<Vec<(AllowanceKey, i64)>, StoreError> {
    all(pool, sqlx::query(ALLOWANCES), |row| {
        let mut columns = Columns::of(row);
        let kind: &str = columns.take()?;
        let id = columns.take()?;
        let scope = BudgetScope::parse(kind, id).ok_or_else(|| unreadable("scope of a budget", kind))?;
        let budget =
            BudgetKey { scope, unit: columns.name(BudgetUnit::parse)?, per: columns.name(BudgetPeriod::parse)? };
        Ok((AllowanceKey { budget, start: Timestamp::from_millis(columns.take()?) }, columns.take()?))
    })
    .await
}

pub(super) async fn stops(pool: &SqlitePool) -> Result<Stops, StoreError> {
    let rows = all(pool, sqlx::query("SELECT scope, key, stopped_at, by, until, orders FROM control"), |row| {
        let mut columns = Columns::of(row);
        let scope = stop_scope(columns.take()?, columns.take()?)?;
        let (at, by) = (Timestamp::from_millis(columns.take()?), columns.take()?);
        Ok((scope, stop_of(at, by, columns.optional(Timestamp::from_millis)?, columns.take()?)?))
    })
    .await?;
    Ok(Stops(rows.into_iter().collect()))
}

/// Returns ids of handled inbox rows received before `before`.
pub(super) async fn prunable(pool: &SqlitePool, before: Timestamp, most: usize) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT id FROM inbox WHERE received_at < $1 AND outcome IS NOT NULL LIMIT $2";
    all(pool, sqlx::query(sql).bind(before.as_millis()).bind(limit(most)), |row| Columns::of(row).take()).await
}

pub(super) async fn pauses(pool: &SqlitePool, bot: BotId) -> Result<Vec<Pause>, StoreError> {
    all(pool, sqlx::query("SELECT chat, until FROM send_pause WHERE bot = $1").bind(bot.0), |row| {
        let mut columns = Columns::of(row);
        Ok(pause(bot, ChatId(columns.take()?), Timestamp::from_millis(columns.take()?)))
    })
    .await
}

/// Reads the newest texts first, by the index of sent messages, and returns them oldest first.
pub(super) async fn said_lately(pool: &SqlitePool, bot: BotId, most: usize) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT text FROM outbox WHERE state = 'sent' AND bot = $1 AND text <> '' ORDER BY id DESC LIMIT $2";
    let mut texts = all(pool, sqlx::query(sql).bind(bot.0).bind(limit(most)), |row| Columns::of(row).take()).await?;
    texts.reverse();
    Ok(texts)
}

pub(super) async fn unknown_messages(pool: &SqlitePool, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError> {
    all(pool, query(&SQL.unknown_messages).bind(chat.0), columns::message).await
}

async fn absent(pool: &SqlitePool, chat: ChatId) -> Result<Vec<BotId>, StoreError> {
    let sql = "SELECT bot FROM chat_absence WHERE chat = $1";
    all(pool, sqlx::query(sql).bind(chat.0), |row| Columns::of(row).take().map(BotId)).await
}
