//! Reads chats, turns, messages and what waits. Layer: adapter.

use std::sync::Arc;

use botfleet_actors::domain::control::{StopScope, Stops};
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId, DeadLetterState};
use botfleet_actors::domain::ids::{BotId, ChatId, MessageId, Number, TelegramChatId, TurnId};
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::operator_order::OrderTarget;
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::domain::roster::DeliveryChoice;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::store::{Backlog, ChatMemory, QueueDepths, QueuedTalk};

use super::text::statements;
use super::values::{Rows, values};
use crate::store::engine::{Engine, Reads};
use crate::store::fault::Fault;
use crate::store::rows::array::read_all;
use crate::store::rows::control::StoredStop;
use crate::store::rows::part::{columns, unreadable};

statements! {
    HEAD "chat_head" = "SELECT last_number, last_decision, next_tick_at, calm_until, disclosed FROM chat_head WHERE chat = $1";
    ABSENT "absent" = "SELECT bot FROM chat_absence WHERE chat = $1 ORDER BY bot";
    /// Selects the highest message id under each Telegram id of the chat; each is one step into the index of keys.
    HIGHEST "highest_messages" = "\
SELECT c.id, (SELECT max(t.message_id) FROM transcript t WHERE t.telegram_chat = c.id) FROM (\
SELECT telegram_id AS id FROM chat WHERE id = $1 UNION SELECT telegram_chat_id FROM chat_alias WHERE chat = $1) c";
    UNHANDLED "unhandled" = "\
SELECT `columns inbox` FROM inbox WHERE chat = $1 AND outcome IS NULL ORDER BY id LIMIT $2";
    TRANSCRIPT "transcript" = "\
SELECT `columns transcript` FROM transcript WHERE chat = $1 AND number <= $2 ORDER BY number DESC LIMIT $3";
    /// Selects the end of a conversation. The values are the chat, the last number, how many messages are wanted, and
    /// among how many entries they are looked for.
    CONVERSATION "conversation" = "\
WITH page AS MATERIALIZED (SELECT number, kind, telegram_chat, message_id FROM transcript \
WHERE chat = $1 AND number <= $2 ORDER BY number DESC LIMIT $4), \
start AS MATERIALIZED (SELECT min(number) AS number FROM (SELECT number FROM page \
WHERE kind IN ('message', 'member') ORDER BY number DESC LIMIT $3) s \
HAVING count(*) = $3 UNION ALL SELECT min(number) FROM page), \
chosen AS MATERIALIZED (SELECT number FROM page WHERE kind IN ('message', 'member') \
UNION ALL SELECT max(number) FROM page WHERE kind = 'edit' GROUP BY telegram_chat, message_id) \
SELECT `columns transcript` FROM transcript WHERE chat = $1 AND number IN (SELECT number FROM chosen) \
AND number >= (SELECT max(number) FROM start) ORDER BY number";
    FIND "find_messages" = "\
SELECT `columns transcript` FROM transcript WHERE (chat, number) IN (\
SELECT f.chat, min(f.number) FROM transcript f WHERE f.telegram_chat = $1 AND f.message_id `among 2` \
GROUP BY f.chat, f.message_id) ORDER BY number";
    ENTRY_NUMBERS "entry_numbers" = "\
SELECT r.place, t.number FROM `places 1 ..key` `CROSS JOIN|JOIN` transcript t ON t.telegram_chat = r.telegram_chat \
AND t.message_id = r.message_id AND t.kind = r.kind AND t.revision = r.revision";
    OFFSET "next_offset" = "SELECT next_offset FROM bot_cursor WHERE bot = $1";
    QUEUED_TURNS "queued_turns" = "\
SELECT `columns turn` FROM turn WHERE `open turns` state = 'queued' AND bot = $1 \
ORDER BY priority, created_at, id LIMIT $2";
    /// Selects queued turns, on PostgreSQL with the end of the conversation of the first four that are not known: the
    /// values are the bot, how many turns, how many messages, and the known turns. For SQLite the next statement is near.
    QUEUED_TALK "queued_talk" = "\
SELECT `columns turn`, CASE WHEN `$3 = $4 OR 1|\
id = ANY($4) OR row_number() OVER (ORDER BY priority, created_at, id) > 4` THEN NULL ELSE coalesce((`|\
WITH page AS MATERIALIZED (SELECT number, kind, telegram_chat, message_id FROM transcript \
WHERE chat = turn.chat AND number <= coalesce(turn.target, turn.root, 9223372036854775807) \
ORDER BY number DESC LIMIT $3 * 8), \
start AS MATERIALIZED (SELECT min(number) AS number FROM (SELECT number FROM page \
WHERE kind IN ('message', 'member') ORDER BY number DESC LIMIT $3) s \
HAVING count(*) = $3 UNION ALL SELECT min(number) FROM page), \
chosen AS MATERIALIZED (SELECT number FROM page WHERE kind IN ('message', 'member') \
UNION ALL SELECT max(number) FROM page WHERE kind = 'edit' GROUP BY telegram_chat, message_id) \
`SELECT `collect ..transcript of t` FROM `(SELECT * FROM transcript WHERE chat = turn.chat AND number = 0)|\
(SELECT * FROM transcript WHERE chat = turn.chat AND number IN (SELECT number FROM chosen) \
AND number >= (SELECT max(number) FROM start) ORDER BY number)` t), '[]') END FROM turn \
WHERE `open turns` state = 'queued' AND bot = $1 ORDER BY priority, created_at, id LIMIT $2";
    WAITING_MESSAGES "waiting_messages" = "\
SELECT `columns outbox` FROM outbox WHERE `open messages` state IN ('queued', 'retry_at') AND bot = $1 \
ORDER BY turn, part LIMIT $2";
    UNKNOWN_MESSAGES "unknown_messages" = "\
SELECT `columns outbox` FROM outbox WHERE `open messages` state = 'unknown' AND chat = $1 ORDER BY id";
    TURN "turn" = "SELECT `columns turn` FROM turn WHERE id = $1";
    MESSAGES_OF_TURN "messages_of_turn" = "SELECT `columns outbox` FROM outbox WHERE turn = $1 ORDER BY part";
    MESSAGE "message" = "SELECT `columns outbox` FROM outbox WHERE id = $1";
    /// Selects the newest texts of the bot's own first, by the index of sent messages.
    SAID_LATELY "said_lately" = "\
SELECT text FROM outbox WHERE state = 'sent' AND bot = $1 AND text <> '' AND NOT by_operator ORDER BY id DESC LIMIT $2";
    /// Selects the work that waits. In a cluster it goes lease by lease: the cost follows what this incarnation owns,
    /// not what waits elsewhere.
    BACKLOG "backlog" = "`\
SELECT 0, chat FROM inbox WHERE outcome IS NULL AND chat IS NOT NULL GROUP BY chat \
UNION ALL SELECT 1, h.chat FROM chat_head h CROSS JOIN chat c ON c.id = h.chat AND c.in_use = 1 WHERE h.next_tick_at <= $1 \
UNION ALL SELECT 2, bot FROM (\
SELECT bot FROM turn WHERE state IN ('queued', 'claimed', 'dead') AND state = 'queued' AND due_at <= $1 \
UNION SELECT bot FROM outbox WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') \
AND state IN ('queued', 'retry_at') AND due_at <= $1 \
UNION SELECT bot FROM retraction WHERE state = 'waiting' AND due_at <= $1) \
UNION ALL SELECT 3, count(*) FROM turn WHERE state IN ('queued', 'claimed', 'dead') AND state IN ('queued', 'claimed') \
UNION ALL SELECT DISTINCT CASE q.target_kind WHEN 'bot' THEN 4 WHEN 'chat' THEN 5 ELSE 6 END, q.target FROM operator_order q \
WHERE q.state IN ('waiting', 'begun') AND CASE q.target_kind \
WHEN 'node' THEN q.state = 'waiting' AND q.target = (SELECT max(n.epoch) FROM node n) \
ELSE q.state = 'waiting' OR q.epoch <> (SELECT l.epoch FROM lease l WHERE l.kind = q.target_kind AND l.key = q.target) END\
|\
SELECT 0::bigint, l.key FROM lease l WHERE l.owner = $2 AND l.kind = 'chat' \
AND EXISTS (SELECT 1 FROM inbox i WHERE i.chat = l.key AND i.outcome IS NULL) \
UNION ALL SELECT 1, l.key FROM lease l JOIN chat_head h ON h.chat = l.key AND h.next_tick_at <= $1 \
JOIN chat c ON c.id = l.key AND c.in_use WHERE l.owner = $2 AND l.kind = 'chat' \
UNION ALL SELECT 2, l.key FROM lease l WHERE l.owner = $2 AND l.kind = 'bot' AND (\
EXISTS (SELECT 1 FROM turn t WHERE t.bot = l.key AND t.state = 'queued' AND t.due_at <= $1) \
OR EXISTS (SELECT 1 FROM outbox o WHERE o.bot = l.key AND o.state IN ('queued', 'retry_at') AND o.due_at <= $1) \
OR EXISTS (SELECT 1 FROM retraction r WHERE r.bot = l.key AND r.state = 'waiting' AND r.due_at <= $1)) \
UNION ALL SELECT 3, count(*) FROM lease l JOIN turn t ON t.bot = l.key AND t.state IN ('queued', 'claimed') \
WHERE l.owner = $2 AND l.kind = 'bot' \
UNION ALL SELECT DISTINCT CASE q.target_kind WHEN 'bot' THEN 4 ELSE 5 END, q.target FROM operator_order q \
JOIN lease l ON l.kind = q.target_kind AND l.key = q.target AND l.owner = $2 \
WHERE q.state IN ('waiting', 'begun') AND (q.state = 'waiting' OR q.epoch <> l.epoch) \
UNION ALL SELECT DISTINCT 6, q.target FROM operator_order q WHERE q.state IN ('waiting', 'begun') AND q.state = 'waiting' \
AND q.target_kind = 'node' AND q.target = $2` ORDER BY 1, 2";
    DEPTHS "depths" = "\
SELECT (SELECT count(*) FROM inbox WHERE outcome IS NULL), \
(SELECT count(*) FROM turn WHERE `open turns` state IN ('queued', 'claimed')), \
(SELECT count(*) FROM outbox WHERE `open messages` state IN ('queued', 'sending', 'retry_at')), \
(SELECT count(*) FROM turn WHERE `open turns` state = 'dead'), \
(SELECT count(*) FROM outbox WHERE `open messages` state = 'unknown')";
    ALLOWANCES "allowances" = "\
SELECT `columns period`, granted FROM allowance a WHERE period_start = (SELECT max(b.period_start) FROM allowance b \
WHERE b.scope = a.scope AND b.key = a.key AND b.unit = a.unit AND b.per = a.per)";
    STOPS "stops" = "SELECT `columns control` FROM control";
    PAUSES "pauses" = "SELECT bot, chat, until FROM send_pause WHERE bot = $1";
    DELIVERY "delivery" = "SELECT mode, webhook_url FROM bot_delivery WHERE bot = $1";
    /// Ids of all tables come from one source, so they can be ordered across tables.
    DEAD_LETTERS "dead_letters" = "\
SELECT * FROM (\
SELECT 'turn' AS kind, id, state, error, bot, chat, attempts, created_at FROM turn \
WHERE `open turns` state = 'dead' AND id >= $1 \
UNION ALL SELECT 'message', id, state, error, bot, chat, attempts, created_at FROM outbox \
WHERE `open messages` state = 'unknown' AND id >= $1 \
UNION ALL SELECT 'message', id, state, error, bot, chat, attempts, created_at FROM outbox \
WHERE state = 'rejected' AND id >= $1 \
UNION ALL SELECT 'update', id, outcome, reason, bot, chat, 1, received_at FROM inbox \
WHERE outcome = 'dead' AND id >= $1) d \
WHERE (d.id, d.kind) > ($1, $2) ORDER BY d.id, d.kind LIMIT $3";
}

columns!(QueueDepths { inbox, turns, outbox, dead, unknown });

columns!(DeliveryChoice { mode, webhook_url });

type Entries = Vec<Arc<TranscriptEntry>>;

pub(crate) async fn chat_memory(db: &impl Reads, chat: ChatId, recent: usize) -> Result<ChatMemory, Fault> {
    let Some((last_number, last_decision, next_tick_at, calm_until, disclosed)) =
        db.all(&HEAD, values![chat]).await?.pop()
    else {
        return Ok(ChatMemory::default());
    };
    let absent = db.all(&ABSENT, values![chat]).await?;
    let highest: Vec<(TelegramChatId, Option<MessageId>)> = db.all(&HIGHEST, values![chat]).await?;
    Ok(ChatMemory {
        last_number,
        last_decision,
        next_tick_at,
        absent,
        calm_until,
        disclosed,
        highest: highest.into_iter().filter_map(|(chat, message)| Some((chat, message?))).collect(),
        recent: conversation(db, chat, last_number, recent).await?,
    })
}

pub(crate) async fn unhandled(db: &impl Reads, chat: ChatId, limit: usize) -> Result<Vec<InboxRow>, Fault> {
    db.all(&UNHANDLED, values![chat, limit]).await
}

pub(crate) async fn transcript(db: &impl Reads, chat: ChatId, upto: Number, limit: usize) -> Result<Entries, Fault> {
    let mut entries: Entries = db.all(&TRANSCRIPT, values![chat, upto, limit]).await?;
    entries.reverse();
    Ok(entries)
}

pub(crate) async fn conversation(db: &impl Reads, chat: ChatId, upto: Number, said: usize) -> Result<Entries, Fault> {
    db.all(&CONVERSATION, values![chat, upto, said, said.saturating_mul(8)]).await
}

pub(crate) async fn queued_talk(
    db: &impl Reads,
    bot: BotId,
    limit: usize,
    said: usize,
    known: &[TurnId],
) -> Result<Vec<QueuedTalk>, Fault> {
    let known: Vec<i64> = known.iter().map(|turn| turn.0).collect();
    let queued: Vec<(Turn, Option<String>)> = db.all(&QUEUED_TALK, values![bot, limit, said, known]).await?;
    let talk = |(turn, entries): (Turn, Option<String>)| {
        Ok((turn, entries.map(|entries| read_all::<Arc<TranscriptEntry>>(&entries)).transpose()?))
    };
    queued.into_iter().map(talk).collect()
}

pub(crate) async fn find_messages(
    db: &impl Reads,
    chat: TelegramChatId,
    messages: &[MessageId],
) -> Result<Entries, Fault> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let messages: Vec<i64> = messages.iter().map(|message| message.0).collect();
    db.all(&FIND, values![chat, messages]).await
}

pub(crate) async fn entry_numbers<E: Reads>(db: &E, keys: &[EntryKey]) -> Result<Vec<(EntryKey, Number)>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let asked = Rows::over(E::DATABASE, keys);
    let found: Vec<(usize, Number)> = db.all(&ENTRY_NUMBERS, values![asked]).await?;
    let key = |(place, number): (usize, Number)| {
        let key = keys.get(place.wrapping_sub(1)).ok_or_else(|| unreadable("place of a key", place))?;
        Ok((*key, number))
    };
    found.into_iter().map(key).collect()
}

pub(crate) async fn turn(db: &impl Reads, turn: TurnId) -> Result<Option<(Turn, Vec<OutboxMessage>)>, Fault> {
    let Some(found) = db.all(&TURN, values![turn]).await?.pop() else { return Ok(None) };
    Ok(Some((found, db.all(&MESSAGES_OF_TURN, values![turn]).await?)))
}

pub(crate) async fn said_lately(db: &impl Reads, bot: BotId, limit: usize) -> Result<Vec<String>, Fault> {
    let mut texts: Vec<String> = db.all(&SAID_LATELY, values![bot, limit]).await?;
    texts.reverse();
    Ok(texts)
}

pub(crate) async fn backlog(db: &impl Engine, now: Timestamp) -> Result<Backlog, Fault> {
    let mut backlog = Backlog::default();
    for (kind, key) in db.all::<(i64, i64)>(&BACKLOG, values![now, db.me()]).await? {
        match kind {
            0 => backlog.chats.push(ChatId(key)),
            1 => backlog.ticks.push(ChatId(key)),
            2 => backlog.bots.push(BotId(key)),
            3 => backlog.turns_open = u64::try_from(key).unwrap_or(0),
            4 => backlog.orders.push(OrderTarget::Bot(BotId(key))),
            5 => backlog.orders.push(OrderTarget::Chat(ChatId(key))),
            _ => backlog.orders.push(OrderTarget::Node(Incarnation(key))),
        }
    }
    Ok(backlog)
}

pub(crate) async fn depths(db: &impl Reads) -> Result<QueueDepths, Fault> {
    Ok(db.all(&DEPTHS, values![]).await?.pop().ok_or_else(|| unreadable("depths", "no row"))?)
}

pub(crate) async fn stops(db: &impl Reads) -> Result<Stops, Fault> {
    let stops: Vec<(StopScope, StoredStop)> = db.all(&STOPS, values![]).await?;
    Ok(Stops(stops.into_iter().map(|(scope, StoredStop(stop))| (scope, stop)).collect()))
}

pub(crate) async fn dead_letters(
    db: &impl Reads,
    after: Option<DeadLetterId>,
    limit: usize,
) -> Result<Vec<DeadLetter>, Fault> {
    let (id, kind) = after.map_or((0, ""), DeadLetterId::place);
    let found: Vec<(DeadLetterId, String, _, _, _, _, _)> = db.all(&DEAD_LETTERS, values![id, kind, limit]).await?;
    let letter = |(id, state, reason, bot, chat, attempts, created_at): (_, String, _, _, _, _, _)| {
        let state = DeadLetterState::parse(&state).ok_or_else(|| unreadable("state of a dead letter", state))?;
        Ok(DeadLetter { id, state, reason, bot, chat, attempts, created_at })
    };
    found.into_iter().map(letter).collect()
}
