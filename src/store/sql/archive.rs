//! Reads the archive: recorded decisions, turns and entries. Layer: adapter.

use std::collections::HashMap;

use botfleet_actors::domain::decision::Decision;
use botfleet_actors::domain::ids::{BotId, ChatId, DecisionNumber, MessageId, Number, TelegramChatId, TurnId};
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::domain::watching::{AtWork, ChatEnd, WorkStep};
use botfleet_actors::ports::archive::{DecisionQuery, outbox_ids_around};

use super::roster::stored;
use super::text::{Sql, statements};
use super::values::{Value, values};
use crate::store::engine::Reads;
use crate::store::fault::Fault;

statements! {
    OLDEST "decisions" = "\
SELECT `columns decision` FROM decision WHERE chat = $1 AND number > $2 AND number < $3 ORDER BY number LIMIT $4";
    NEWEST "decisions" = "\
SELECT `columns decision` FROM decision WHERE chat = $1 AND number > $2 AND number < $3 ORDER BY number DESC LIMIT $4";
    OLDEST_OF "decisions" = "\
SELECT `columns decision` FROM decision WHERE chat = $1 AND number > $2 AND number < $3 AND cause_entry = $5 \
ORDER BY number LIMIT $4";
    NEWEST_OF "decisions" = "\
SELECT `columns decision` FROM decision WHERE chat = $1 AND number > $2 AND number < $3 AND cause_entry = $5 \
ORDER BY number DESC LIMIT $4";
    TURNS_OF "turns_of" = "\
SELECT `columns turn` FROM turn WHERE chat = $1 AND decision `among 2` ORDER BY decision, ordinal, id";
    MESSAGES_OF "messages_of" = "SELECT `columns outbox` FROM outbox WHERE turn `among 1` ORDER BY turn, part";
    ENTRIES "entries" = "\
SELECT `columns transcript` FROM transcript WHERE chat = $1 AND number >= $2 ORDER BY number LIMIT $3";
    /// Selects the entry of a message, whichever Telegram id the chat had when the message was sent.
    MESSAGE_NUMBER "message_number" = "\
SELECT max(t.number) FROM chat_alias a JOIN transcript t ON t.telegram_chat = a.telegram_chat_id \
AND t.message_id = $2 AND t.kind = 'message' AND t.chat = a.chat WHERE a.chat = $1";
    /// Walks the messages that the bot sent around that time, by the index of sent messages.
    SENT_AS "sent_as" = "\
SELECT `columns outbox` FROM outbox WHERE state = 'sent' AND bot = $1 AND id >= $4 AND id < $5 \
AND telegram_chat = $2 AND message_id = $3 LIMIT 1";
    CHAT_ENDS "chat_ends" = "\
SELECT chat, last_number, last_decision FROM chat_head WHERE chat `among 1` ORDER BY chat";
    /// Walks what is open, by the partial indexes. The sign keeps the planner from walking all turns that a chat ever had.
    AT_WORK "at_work" = "\
SELECT chat, bot, CASE state WHEN 'queued' THEN 'waiting' ELSE 'thinking' END AS step FROM turn \
WHERE `open turns` state IN ('queued', 'claimed') AND +chat `among 1` \
UNION SELECT chat, bot, CASE state WHEN 'sending' THEN 'sending' ELSE 'typing' END FROM outbox \
WHERE `open messages` state IN ('queued', 'sending', 'retry_at') AND +chat `among 1` \
UNION SELECT chat, bot, 'unknown' FROM outbox WHERE `open messages` state = 'unknown' AND +chat `among 1`";
}

fn statement(query: &DecisionQuery) -> &'static Sql {
    match (query.entry.is_some(), query.ascends()) {
        (false, true) => &OLDEST,
        (false, false) => &NEWEST,
        (true, true) => &OLDEST_OF,
        (true, false) => &NEWEST_OF,
    }
}

pub(crate) async fn decisions(db: &impl Reads, chat: ChatId, query: &DecisionQuery) -> Result<Vec<Decision>, Fault> {
    let (after, before) = query.bounds();
    let mut values = values![chat, after, before, query.most()];
    values.extend(query.entry.map(Value::from));
    db.all(statement(query), values).await
}

pub(crate) async fn turns_of(
    db: &impl Reads,
    chat: ChatId,
    decisions: &[DecisionNumber],
) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, Fault> {
    let numbers: Vec<i64> = decisions.iter().map(|number| number.0).collect();
    let turns: Vec<Turn> = db.all(&TURNS_OF, values![chat, numbers]).await?;
    let ids: Vec<i64> = turns.iter().map(|turn| turn.id.0).collect();
    let mut of_turns: HashMap<TurnId, Vec<OutboxMessage>> = HashMap::new();
    for message in db.all::<OutboxMessage>(&MESSAGES_OF, values![ids]).await? {
        of_turns.entry(message.turn).or_default().push(message);
    }
    let with_messages = |turn: Turn| {
        let messages = of_turns.remove(&turn.id).unwrap_or_default();
        (turn, messages)
    };
    Ok(turns.into_iter().map(with_messages).collect())
}

pub(crate) async fn message_number(db: &impl Reads, chat: ChatId, message: MessageId) -> Result<Option<Number>, Fault> {
    Ok(db.all(&MESSAGE_NUMBER, values![chat, message]).await?.pop().flatten())
}

pub(crate) async fn sent_as(
    db: &impl Reads,
    bot: BotId,
    chat: TelegramChatId,
    message: MessageId,
    date: Timestamp,
) -> Result<Option<OutboxMessage>, Fault> {
    let (from, upto) = outbox_ids_around(date);
    Ok(db.all(&SENT_AS, values![bot, chat, message, from, upto]).await?.pop())
}

pub(crate) async fn chat_ends(db: &impl Reads, chats: &[ChatId]) -> Result<Vec<ChatEnd>, Fault> {
    let ids: Vec<i64> = chats.iter().map(|chat| chat.0).collect();
    let found: Vec<(ChatId, Number, DecisionNumber)> = db.all(&CHAT_ENDS, values![ids]).await?;
    Ok(found.into_iter().map(|(chat, number, decision)| ChatEnd { chat, number, decision }).collect())
}

pub(crate) async fn at_work(db: &impl Reads, chats: &[ChatId]) -> Result<Vec<AtWork>, Fault> {
    let ids: Vec<i64> = chats.iter().map(|chat| chat.0).collect();
    let found: Vec<(ChatId, BotId, WorkStep)> = db.all(&AT_WORK, values![ids]).await?;
    let mut found: Vec<AtWork> = found.into_iter().map(|(chat, bot, step)| AtWork { chat, bot, step }).collect();
    found.sort_unstable();
    Ok(found)
}

pub(crate) async fn recorded_roster(db: &impl Reads) -> Result<Roster, Fault> {
    stored(db.look().await?).await
}
