//! Runs everything that only reads, except outcomes and the archive. Layer: adapter.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use botfleet_actors::domain::allowance::{AllowanceKey, BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit};
use botfleet_actors::domain::control::Stops;
use botfleet_actors::domain::ids::{
    BotId, ChatId, DecisionNumber, MessageId, Number, OutboxId, TelegramChatId, TurnId,
};
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::store::{Backlog, ChatMemory, QueueDepths, StoreError};
use sqlx::AssertSqlSafe;

use super::session::{Sessions, Statement};
use crate::store::columns::{self, Cells, Columns, pause, stop_of, stop_scope, unreadable};

/// The statements with their lists of columns filled in.
pub(super) struct Sql {
    pub(super) unhandled: Arc<str>,
    pub(super) transcript: Arc<str>,
    pub(super) conversation: Arc<str>,
    pub(super) find: Arc<str>,
    pub(super) queued_turns: Arc<str>,
    pub(super) waiting_messages: Arc<str>,
    pub(super) unknown_messages: Arc<str>,
    pub(super) turn: Arc<str>,
    pub(super) messages_of_turn: Arc<str>,
    pub(super) message: Arc<str>,
}

pub(super) static SQL: LazyLock<Sql> = LazyLock::new(|| {
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
             SELECT f.chat, min(f.number) FROM transcript f WHERE f.telegram_chat = $1 AND f.message_id = ANY($2) \
             GROUP BY f.chat, f.message_id) ORDER BY number"
        )
        .into(),
        queued_turns: format!(
            "SELECT {turn} FROM turn WHERE state = 'queued' AND bot = $1 ORDER BY priority, created_at, id LIMIT $2"
        )
        .into(),
        waiting_messages: format!(
            "SELECT {outbox} FROM outbox WHERE state IN ('queued', 'retry_at') AND bot = $1 ORDER BY turn, part LIMIT $2"
        )
        .into(),
        unknown_messages: format!("SELECT {outbox} FROM outbox WHERE state = 'unknown' AND chat = $1 ORDER BY id").into(),
        turn: format!("SELECT {turn} FROM turn WHERE id = $1").into(),
        messages_of_turn: format!("SELECT {outbox} FROM outbox WHERE turn = $1 ORDER BY part").into(),
        message: format!("SELECT {outbox} FROM outbox WHERE id = $1").into(),
    }
});

/// Selects the work of one incarnation, lease by lease: the cost follows what is owned, not what waits elsewhere.
pub(super) const BACKLOG: &str = "\
SELECT 0::bigint, l.key FROM lease l WHERE l.owner = $2 AND l.kind = 'chat' \
AND EXISTS (SELECT 1 FROM inbox i WHERE i.chat = l.key AND i.outcome IS NULL) \
UNION ALL SELECT 1, l.key FROM lease l JOIN chat_head h ON h.chat = l.key AND h.next_tick_at <= $1 \
JOIN chat c ON c.id = l.key AND c.in_use WHERE l.owner = $2 AND l.kind = 'chat' \
UNION ALL SELECT 2, l.key FROM lease l WHERE l.owner = $2 AND l.kind = 'bot' AND (\
EXISTS (SELECT 1 FROM turn t WHERE t.bot = l.key AND t.state = 'queued' AND t.due_at <= $1) \
OR EXISTS (SELECT 1 FROM outbox o WHERE o.bot = l.key AND o.state IN ('queued', 'retry_at') AND o.due_at <= $1)) \
UNION ALL SELECT 3, count(*) FROM lease l JOIN turn t ON t.bot = l.key AND t.state IN ('queued', 'claimed') \
WHERE l.owner = $2 AND l.kind = 'bot' ORDER BY 1, 2";
pub(super) const DEPTHS: &str = "\
SELECT (SELECT count(*) FROM inbox WHERE outcome IS NULL), \
(SELECT count(*) FROM turn WHERE state IN ('queued', 'claimed')), \
(SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending', 'retry_at')), \
(SELECT count(*) FROM turn WHERE state = 'dead'), (SELECT count(*) FROM outbox WHERE state = 'unknown')";
const ALLOWANCES: &str = "\
SELECT DISTINCT ON (scope, key, unit, per) scope, key, unit, per, period_start, granted FROM allowance \
ORDER BY scope, key, unit, per, period_start DESC";
const HEAD: &str =
    "SELECT last_number, last_decision, next_tick_at, calm_until, disclosed FROM chat_head WHERE chat = $1";
/// Selects the highest message id under each Telegram id of the chat; each is one step into the index of keys.
pub(super) const HIGHEST: &str = "\
SELECT c.id, (SELECT max(t.message_id) FROM transcript t WHERE t.telegram_chat = c.id) FROM (\
SELECT telegram_id AS id FROM chat WHERE id = $1 UNION SELECT telegram_chat_id FROM chat_alias WHERE chat = $1) c";
pub(super) const ENTRY_NUMBERS: &str = "\
SELECT j.place - 1, t.number FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) WITH ORDINALITY \
AS j (telegram_chat, message_id, kind, revision, place) JOIN transcript t ON t.telegram_chat = j.telegram_chat \
AND t.message_id = j.message_id AND t.kind = j.kind AND t.revision = j.revision";
const OFFSET: &str = "SELECT next_offset FROM bot_cursor WHERE bot = $1";
const ABSENT: &str = "SELECT bot FROM chat_absence WHERE chat = $1 ORDER BY bot";
const PAUSES: &str = "SELECT chat, until FROM send_pause WHERE bot = $1";

/// Runs a statement and reads all its rows by `read`.
pub(super) async fn all<'q, T>(
    sessions: &Sessions,
    name: &'static str,
    statement: impl Fn() -> Statement<'q>,
    read: impl Fn(&dyn Cells) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    sessions.read(name, statement).await?.iter().map(|row| read(row)).collect()
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn query(sql: &Arc<str>) -> Statement<'static> {
    sqlx::query(AssertSqlSafe(sql.clone()))
}

pub(super) async fn chat_memory(sessions: &Sessions, chat: ChatId, recent: usize) -> Result<ChatMemory, StoreError> {
    let heads = all(
        sessions,
        "chat_head",
        || sqlx::query(HEAD).bind(chat.0),
        |row| {
            let mut head = Columns::of(row);
            Ok(ChatMemory {
                last_number: Number(head.take()?),
                last_decision: DecisionNumber(head.take()?),
                next_tick_at: head.optional(Timestamp::from_millis)?,
                calm_until: head.optional(Timestamp::from_millis)?,
                disclosed: head.take()?,
                ..ChatMemory::default()
            })
        },
    );
    let Some(head) = heads.await?.pop() else { return Ok(ChatMemory::default()) };
    let absent = all(sessions, "absent", || sqlx::query(ABSENT).bind(chat.0), |row| Columns::of(row).take().map(BotId));
    let absent = absent.await?;
    let highest = all(sessions, "highest_messages", || sqlx::query(HIGHEST).bind(chat.0), columns::highest_message);
    let highest = highest.await?.into_iter().flatten().collect();
    Ok(ChatMemory { recent: conversation(sessions, chat, head.last_number, recent).await?, absent, highest, ..head })
}

pub(super) async fn unhandled(sessions: &Sessions, chat: ChatId, most: usize) -> Result<Vec<InboxRow>, StoreError> {
    let statement = || query(&SQL.unhandled).bind(chat.0).bind(limit(most));
    all(sessions, "unhandled", statement, columns::inbox_row).await
}

pub(super) async fn transcript(
    sessions: &Sessions,
    chat: ChatId,
    upto: Number,
    most: usize,
) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
    let newest_first = || query(&SQL.transcript).bind(chat.0).bind(upto.0).bind(limit(most));
    let mut entries = all(sessions, "transcript", newest_first, |row| columns::entry(row).map(Arc::new)).await?;
    entries.reverse();
    Ok(entries)
}

pub(super) async fn entry_numbers(
    sessions: &Sessions,
    keys: &[EntryKey],
) -> Result<Vec<(EntryKey, Number)>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let statement = || {
        sqlx::query(ENTRY_NUMBERS)
            .bind(keys.iter().map(|key| key.telegram_chat.0).collect::<Vec<i64>>())
            .bind(keys.iter().map(|key| key.message_id.0).collect::<Vec<i64>>())
            .bind(keys.iter().map(|key| key.kind.as_str()).collect::<Vec<&str>>())
            .bind(keys.iter().map(|key| key.revision).collect::<Vec<i64>>())
    };
    all(sessions, "entry_numbers", statement, |row| columns::entry_number(row, keys)).await
}

pub(super) async fn conversation(
    sessions: &Sessions,
    chat: ChatId,
    upto: Number,
    said: usize,
) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
    let (said, page) = (limit(said), limit(said.saturating_mul(8)));
    let statement = || query(&SQL.conversation).bind(chat.0).bind(upto.0).bind(said).bind(page);
    all(sessions, "conversation", statement, |row| columns::entry(row).map(Arc::new)).await
}

pub(super) async fn find_messages(
    sessions: &Sessions,
    chat: TelegramChatId,
    messages: &[MessageId],
) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = messages.iter().map(|message| message.0).collect();
    let statement = || query(&SQL.find).bind(chat.0).bind(ids.clone());
    all(sessions, "find_messages", statement, |row| columns::entry(row).map(Arc::new)).await
}

pub(super) async fn next_offset(sessions: &Sessions, bot: BotId) -> Result<Option<i64>, StoreError> {
    let statement = || sqlx::query(OFFSET).bind(bot.0);
    let found = all(sessions, "next_offset", statement, |row| Columns::of(row).take()).await?;
    Ok(found.first().copied())
}

pub(super) async fn queued_turns(sessions: &Sessions, bot: BotId, most: usize) -> Result<Vec<Turn>, StoreError> {
    let statement = || query(&SQL.queued_turns).bind(bot.0).bind(limit(most));
    all(sessions, "queued_turns", statement, columns::turn).await
}

pub(super) async fn waiting_messages(
    sessions: &Sessions,
    bot: BotId,
    most: usize,
) -> Result<Vec<OutboxMessage>, StoreError> {
    let statement = || query(&SQL.waiting_messages).bind(bot.0).bind(limit(most));
    all(sessions, "waiting_messages", statement, columns::message).await
}

pub(super) async fn turn(sessions: &Sessions, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, StoreError> {
    let found = all(sessions, "turn", || query(&SQL.turn).bind(turn.0), columns::turn).await?.pop();
    let Some(found) = found else { return Ok(None) };
    let statement = || query(&SQL.messages_of_turn).bind(turn.0);
    let messages = all(sessions, "messages_of_turn", statement, columns::message).await?;
    Ok(Some((found, messages)))
}

pub(super) async fn message(sessions: &Sessions, outbox: OutboxId) -> Result<Option<OutboxMessage>, StoreError> {
    Ok(all(sessions, "message", || query(&SQL.message).bind(outbox.0), columns::message).await?.pop())
}

/// Selects the newest texts first, by the index of sent messages; the caller reverses them.
pub(super) const SAID_LATELY: &str =
    "SELECT text FROM outbox WHERE state = 'sent' AND bot = $1 AND text <> '' ORDER BY id DESC LIMIT $2";

pub(super) async fn said_lately(sessions: &Sessions, bot: BotId, most: usize) -> Result<Vec<String>, StoreError> {
    let statement = || sqlx::query(SAID_LATELY).bind(bot.0).bind(limit(most));
    let mut texts = all(sessions, "said_lately", statement, |row| Columns::of(row).take()).await?;
    texts.reverse();
    Ok(texts)
}

pub(super) async fn unknown_messages(sessions: &Sessions, chat: ChatId) -> Result<Vec<OutboxMessage>, StoreError> {
    all(sessions, "unknown_messages", || query(&SQL.unknown_messages).bind(chat.0), columns::message).await
}

pub(super) async fn backlog(
    sessions: &Sessions,
    now: Timestamp,
    me: Option<Incarnation>,
) -> Result<Backlog, StoreError> {
    let me = me.map(|Incarnation(me)| me);
    let mut backlog = Backlog::default();
    let (mut chats, mut ticks, mut bots) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for row in sessions.read("backlog", || sqlx::query(BACKLOG).bind(now.as_millis()).bind(me)).await? {
        let mut columns = Columns::of(&row);
        match (columns.take::<i64>()?, columns.take()?) {
            (0, chat) => drop(chats.insert(ChatId(chat))),
            (1, chat) => drop(ticks.insert(ChatId(chat))),
            (2, bot) => drop(bots.insert(BotId(bot))),
            (_, count) => backlog.turns_open = u64::try_from(count).unwrap_or(0),
        }
    }
    backlog.chats.extend(chats);
    backlog.ticks.extend(ticks);
    backlog.bots.extend(bots);
    Ok(backlog)
}

pub(super) async fn depths(sessions: &Sessions) -> Result<QueueDepths, StoreError> {
    let depths = all(
        sessions,
        "depths",
        || sqlx::query(DEPTHS),
        |row| {
            let mut columns = Columns::of(row);
            Ok(QueueDepths {
                inbox: columns.count()?,
                turns: columns.count()?,
                outbox: columns.count()?,
                dead: columns.count()?,
                unknown: columns.count()?,
            })
        },
    );
    depths.await?.pop().ok_or_else(|| unreadable("depths", "no row"))
}

pub(super) async fn allowances(sessions: &Sessions) -> Result<Vec<(AllowanceKey, i64)>, StoreError> {
    let found = all(
        sessions,
        "allowances",
        || sqlx::query(ALLOWANCES),
        |row| {
            let mut columns = Columns::of(row);
            let kind: &str = columns.take()?;
            let id = columns.take()?;
            let scope = BudgetScope::parse(kind, id).ok_or_else(|| unreadable("scope of a budget", kind))?;
            let budget =
                BudgetKey { scope, unit: columns.name(BudgetUnit::parse)?, per: columns.name(BudgetPeriod::parse)? };
            Ok((AllowanceKey { budget, start: Timestamp::from_millis(columns.take()?) }, columns.take()?))
        },
    );
    found.await
}

pub(super) async fn stops(sessions: &Sessions) -> Result<Stops, StoreError> {
    let rows = all(
        sessions,
        "stops",
        || sqlx::query("SELECT scope, key, stopped_at, by, until, orders FROM control"),
        |row| {
            let mut columns = Columns::of(row);
            let scope = stop_scope(columns.take()?, columns.take()?)?;
            let (at, by) = (Timestamp::from_millis(columns.take()?), columns.take()?);
            Ok((scope, stop_of(at, by, columns.optional(Timestamp::from_millis)?, columns.take()?)?))
        },
    );
    Ok(Stops(rows.await?.into_iter().collect()))
}

pub(super) async fn pauses(sessions: &Sessions, bot: BotId) -> Result<Vec<Pause>, StoreError> {
    all(
        sessions,
        "pauses",
        || sqlx::query(PAUSES).bind(bot.0),
        |row| {
            let mut columns = Columns::of(row);
            Ok(pause(bot, ChatId(columns.take()?), Timestamp::from_millis(columns.take()?)))
        },
    )
    .await
}
