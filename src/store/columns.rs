//! Reads rows of both databases as domain types. Layer: adapter. Each list of columns stands beside the function that
//! reads it.

use botfleet_actors::domain::commit::rows::StopChange;
use botfleet_actors::domain::control::{Rank, Stop, StopScope};
use botfleet_actors::domain::ids::{
    AttemptId, BotId, ChatId, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId, ThreadId,
    TurnId, UpdateId,
};
use botfleet_actors::domain::inbox::{InboxRow, Outcome, OutcomeKind, Source};
use botfleet_actors::domain::outbox::{OnUnknown, OutboxMessage, OutboxState, SendProgress};
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKey, EntryKind, TranscriptEntry};
use botfleet_actors::domain::turn::{Act, Turn, TurnProgress, TurnState, Usage};
use botfleet_actors::ports::store::StoreError;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

/// Reports a stored value that this version cannot read.
pub(super) fn unreadable(what: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Incompatible(format!("{what}: {value}"))
}

/// A row of either database: 64-bit integers, texts and booleans.
pub(super) trait Cells: Sync {
    /// Reads an integer; `None` when the column is NULL.
    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error>;
    /// Reads a text; `None` when the column is NULL.
    fn text(&self, index: usize) -> Result<Option<&str>, sqlx::Error>;
    /// Reads a boolean.
    fn truth(&self, index: usize) -> Result<bool, sqlx::Error>;
}

macro_rules! cells {
    ($row:ty) => {
        impl Cells for $row {
            fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
                self.try_get_unchecked(index)
            }

            fn text(&self, index: usize) -> Result<Option<&str>, sqlx::Error> {
                self.try_get_unchecked(index)
            }

            fn truth(&self, index: usize) -> Result<bool, sqlx::Error> {
                self.try_get_unchecked(index)
            }
        }
    };
}

cells!(SqliteRow);
cells!(PgRow);

/// A type that one column can be read as.
pub(super) trait Cell<'r>: Sized {
    /// Reads the column at `index`.
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError>;
}

fn there<T>(value: Option<T>, index: usize) -> Result<T, StoreError> {
    value.ok_or_else(|| unreadable("column", format!("{index} is empty")))
}

fn failed(error: sqlx::Error) -> StoreError {
    unreadable("column", error)
}

impl<'r> Cell<'r> for Option<i64> {
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError> {
        row.number(index).map_err(failed)
    }
}

impl<'r> Cell<'r> for i64 {
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError> {
        there(row.number(index).map_err(failed)?, index)
    }
}

impl<'r> Cell<'r> for Option<&'r str> {
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError> {
        row.text(index).map_err(failed)
    }
}

impl<'r> Cell<'r> for &'r str {
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError> {
        there(row.text(index).map_err(failed)?, index)
    }
}

impl<'r> Cell<'r> for Option<String> {
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError> {
        Ok(row.text(index).map_err(failed)?.map(str::to_owned))
    }
}

impl<'r> Cell<'r> for String {
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError> {
        there(row.text(index).map_err(failed)?, index).map(str::to_owned)
    }
}

impl<'r> Cell<'r> for bool {
    fn read(row: &'r dyn Cells, index: usize) -> Result<Self, StoreError> {
        row.truth(index).map_err(failed)
    }
}

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'r> {
    row: &'r dyn Cells,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r dyn Cells) -> Self {
        Self { row, next: 0 }
    }

    /// Reads the next column.
    pub(super) fn take<T: Cell<'r>>(&mut self) -> Result<T, StoreError> {
        let index = self.next;
        self.next += 1;
        T::read(self.row, index)
    }

    /// Reads the next column, which may be NULL, as a domain type.
    pub(super) fn optional<U>(&mut self, of: impl FnOnce(i64) -> U) -> Result<Option<U>, StoreError> {
        Ok(self.take::<Option<i64>>()?.map(of))
    }

    /// Reads the next column as a count.
    pub(super) fn count<T: TryFrom<i64, Error: std::fmt::Display>>(&mut self) -> Result<T, StoreError> {
        T::try_from(self.take::<i64>()?).map_err(|error| unreadable("count", error))
    }

    fn optional_count<T: TryFrom<i64, Error: std::fmt::Display>>(&mut self) -> Result<Option<T>, StoreError> {
        self.take::<Option<i64>>()?.map(T::try_from).transpose().map_err(|error| unreadable("count", error))
    }

    /// Reads the next column as a name.
    pub(super) fn name<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let name: &str = self.take()?;
        parse(name).ok_or_else(|| unreadable("name", name))
    }

    /// Reads the next column as JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        serde_json::from_str(self.take::<&str>()?).map_err(|error| unreadable("json", error))
    }
}

/// Columns that [`inbox_row`] reads.
pub(super) const INBOX: &str = "id, chat, bot, source, source_id, payload, received_at, outcome, reason";

/// Reads an inbox row.
pub(super) fn inbox_row(row: &dyn Cells) -> Result<InboxRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(InboxRow {
        id: InboxId(columns.take()?),
        chat: columns.optional(ChatId)?,
        bot: BotId(columns.take()?),
        source: {
            let sent = columns.name(is_sent)?;
            source(sent, columns.take()?)
        },
        payload: columns.take()?,
        received_at: Timestamp::from_millis(columns.take()?),
        outcome: {
            let kind = columns.take::<Option<&str>>()?;
            let reason = columns.take()?;
            kind.map(|kind| OutcomeKind::parse(kind).ok_or_else(|| unreadable("outcome", kind)))
                .transpose()?
                .map(|kind| Outcome { kind, reason })
        },
        author: None,
    })
}

/// Returns whether a source's name means a message of the fleet; `None` for an unknown name.
pub(super) fn is_sent(name: &str) -> Option<bool> {
    match name {
        "update" => Some(false),
        "sent" => Some(true),
        _ => None,
    }
}

fn source(sent: bool, id: i64) -> Source {
    if sent { Source::Sent(OutboxId(id)) } else { Source::Update(UpdateId(id)) }
}

/// Columns that [`entry`] reads.
pub(super) const TRANSCRIPT: &str = "chat, number, kind, revision, telegram_chat, message_id, thread, reply_to, author, \
     fleet_bot, text, entities, media, date, inbox, chain_depth, root";

/// Builds the statement for the end of a conversation. Its parameters are the chat, the last number, how many messages
/// are wanted, and among how many entries they are looked for.
pub(super) fn conversation_sql() -> String {
    format!(
        "WITH page AS MATERIALIZED (SELECT number, kind, telegram_chat, message_id FROM transcript \
         WHERE chat = $1 AND number <= $2 ORDER BY number DESC LIMIT $4), \
         start AS MATERIALIZED (SELECT min(number) AS number FROM (SELECT number FROM page \
         WHERE kind IN ('message', 'member') ORDER BY number DESC LIMIT $3) s \
         HAVING count(*) = $3 UNION ALL SELECT min(number) FROM page), \
         chosen AS MATERIALIZED (SELECT number FROM page WHERE kind IN ('message', 'member') \
         UNION ALL SELECT max(number) FROM page WHERE kind = 'edit' GROUP BY telegram_chat, message_id) \
         SELECT {TRANSCRIPT} FROM transcript WHERE chat = $1 AND number IN (SELECT number FROM chosen) \
         AND number >= (SELECT max(number) FROM start) ORDER BY number"
    )
}

/// Reads a transcript entry.
pub(super) fn entry(row: &dyn Cells) -> Result<TranscriptEntry, StoreError> {
    let mut columns = Columns::of(row);
    Ok(TranscriptEntry {
        chat: ChatId(columns.take()?),
        number: Number(columns.take()?),
        kind: columns.name(EntryKind::parse)?,
        revision: columns.take()?,
        telegram_chat: TelegramChatId(columns.take()?),
        message_id: MessageId(columns.take()?),
        thread: columns.optional(ThreadId)?,
        reply_to: columns.optional(MessageId)?,
        author: columns.json()?,
        fleet_bot: columns.optional(BotId)?,
        text: columns.take()?,
        entities: columns.json()?,
        media: match columns.take::<Option<&str>>()? {
            Some(text) => Some(serde_json::from_str(text).map_err(|error| unreadable("media", error))?),
            None => None,
        },
        date: Timestamp::from_millis(columns.take()?),
        inbox: InboxId(columns.take()?),
        chain_depth: columns.count()?,
        root: Number(columns.take()?),
    })
}

/// Reads one of the chat's Telegram ids and the highest message id under it, if there is one.
pub(super) fn highest_message(row: &dyn Cells) -> Result<Option<(TelegramChatId, MessageId)>, StoreError> {
    let mut columns = Columns::of(row);
    let chat = TelegramChatId(columns.take()?);
    Ok(columns.optional(MessageId)?.map(|message| (chat, message)))
}

/// Reads a key's position among the keys asked for, and the number of its entry.
pub(super) fn entry_number(row: &dyn Cells, keys: &[EntryKey]) -> Result<(EntryKey, Number), StoreError> {
    let mut columns = Columns::of(row);
    let place: usize = columns.count()?;
    let key = keys.get(place).ok_or_else(|| unreadable("place of a key", place))?;
    Ok((*key, Number(columns.take()?)))
}

/// Columns that [`turn`] reads.
pub(super) const TURN: &str = "id, chat, decision, bot, ordinal, act, target, answers_bot, chain_depth, root, priority, due_at, \
     expires_at, created_at, state, attempts, claimed_epoch, error, provider, model, prompt_tokens, completion_tokens";

/// Reads a turn.
pub(super) fn turn(row: &dyn Cells) -> Result<Turn, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Turn {
        id: TurnId(columns.take()?),
        chat: ChatId(columns.take()?),
        decision: DecisionNumber(columns.take()?),
        bot: BotId(columns.take()?),
        ordinal: columns.count()?,
        act: match columns.take::<Option<&str>>()? {
            Some(text) => serde_json::from_str(text).map_err(|error| unreadable("act of a turn", error))?,
            None => Act::Answer,
        },
        target: columns.optional(Number)?,
        answers_bot: columns.optional(BotId)?,
        chain_depth: columns.count()?,
        root: columns.optional(Number)?,
        priority: columns.count()?,
        due_at: Timestamp::from_millis(columns.take()?),
        expires_at: Timestamp::from_millis(columns.take()?),
        created_at: Timestamp::from_millis(columns.take()?),
        progress: TurnProgress {
            state: columns.name(TurnState::parse)?,
            attempts: columns.count()?,
            claimed_epoch: columns.optional(Epoch)?,
            error: columns.take()?,
            usage: {
                let provider: Option<String> = columns.take()?;
                let model: Option<String> = columns.take()?;
                let prompt_tokens = columns.optional_count()?;
                let completion_tokens = columns.optional_count()?;
                provider.map(|provider| Usage {
                    provider,
                    model: model.unwrap_or_default(),
                    prompt_tokens: prompt_tokens.unwrap_or_default(),
                    completion_tokens: completion_tokens.unwrap_or_default(),
                })
            },
        },
    })
}

/// Columns that [`message`] reads.
pub(super) const OUTBOX: &str = "id, turn, part, parts, bot, chat, telegram_chat, thread, reply_to, text, answers_bot, \
     chain_depth, root, expires_at, created_at, on_unknown, state, attempts, attempt, claimed_epoch, due_at, message_id, error";

/// Reads a message of the outbox.
pub(super) fn message(row: &dyn Cells) -> Result<OutboxMessage, StoreError> {
    let mut columns = Columns::of(row);
    Ok(OutboxMessage {
        id: OutboxId(columns.take()?),
        turn: TurnId(columns.take()?),
        part: columns.count()?,
        parts: columns.count()?,
        bot: BotId(columns.take()?),
        chat: ChatId(columns.take()?),
        telegram_chat: TelegramChatId(columns.take()?),
        thread: columns.optional(ThreadId)?,
        reply_to: columns.optional(MessageId)?,
        text: columns.take()?,
        answers_bot: columns.optional(BotId)?,
        chain_depth: columns.count()?,
        root: columns.optional(Number)?,
        expires_at: Timestamp::from_millis(columns.take()?),
        created_at: Timestamp::from_millis(columns.take()?),
        on_unknown: columns.name(OnUnknown::parse)?,
        progress: SendProgress {
            state: columns.name(OutboxState::parse)?,
            attempts: columns.count()?,
            attempt: columns.optional(AttemptId)?,
            claimed_epoch: columns.optional(Epoch)?,
            due_at: Timestamp::from_millis(columns.take()?),
            message_id: columns.optional(MessageId)?,
            error: columns.take()?,
        },
    })
}

/// Reads the scope of a stop.
pub(super) fn stop_scope(scope: &str, key: i64) -> Result<StopScope, StoreError> {
    match scope {
        "fleet" => Ok(StopScope::Fleet),
        "chat" => Ok(StopScope::Chat(ChatId(key))),
        "bot" => Ok(StopScope::Bot(BotId(key))),
        _ => Err(unreadable("scope of a stop", scope)),
    }
}

/// Returns the scope and key under which a stop is stored.
fn scope_key(scope: StopScope) -> (&'static str, i64) {
    match scope {
        StopScope::Fleet => ("fleet", 0),
        StopScope::Chat(chat) => ("chat", chat.0),
        StopScope::Bot(bot) => ("bot", bot.0),
    }
}

/// The scope, the key, when and by whom the stop was last changed, when it ends, and its orders as JSON. The end and
/// the orders are `None` for a lifted stop.
pub(super) type StopRow<'a> = (&'static str, i64, Timestamp, &'a str, Option<Timestamp>, Option<String>);

/// Builds the row of a stop.
pub(super) fn stop_row<'a>((scope, change): (&StopScope, &'a StopChange)) -> StopRow<'a> {
    let (kind, key) = scope_key(*scope);
    let orders = change.stop.as_ref().map(|stop| serde_json::to_string(stop).unwrap_or_default());
    (kind, key, change.at, &change.by, change.stop.as_ref().and_then(Stop::until), orders)
}

/// Reads a stop. Earlier versions stored no orders: such a stop is firm until its end, with the rank that the name of
/// its author implies.
pub(super) fn stop_of(
    at: Timestamp,
    by: &str,
    until: Option<Timestamp>,
    orders: Option<&str>,
) -> Result<Stop, StoreError> {
    let rank = if by.starts_with("telegram user ") { Rank::Administrator } else { Rank::Operator };
    orders.map_or_else(
        || Ok(Stop::firm(until, rank, at)),
        |orders| serde_json::from_str(orders).map_err(|error| unreadable("orders of a stop", error)),
    )
}

/// Builds a pause from its row; chat 0 stands for the whole bot.
pub(super) fn pause(bot: BotId, chat: ChatId, until: Timestamp) -> Pause {
    Pause { bot, chat: (chat != ChatId(0)).then_some(chat), until }
}
