//! Stores orders of people and rare changes: delivery modes, dead letters that are tried again, chats with a new
//! address. Layer: adapter. Keeps I1.
//!
//! Such changes have statements of their own, so that the group commit keeps its few texts.

use std::collections::BTreeMap;

use botfleet_actors::domain::commit::rows::Orders;
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId, DeadLetterState};
use botfleet_actors::domain::ids::{BotId, ChatId, InboxId, OutboxId, TelegramChatId, TurnId};
use botfleet_actors::domain::roster::DeliveryChoice;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use sqlx::Error;

use super::people;
use super::reads::all;
use super::session::{Session, Sessions};
use crate::store::columns::Columns;
use crate::store::stored::delivery_of;

const DELIVERIES: &str = "\
INSERT INTO bot_delivery (bot, mode, webhook_url) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) \
ON CONFLICT (bot) DO UPDATE SET mode = excluded.mode, webhook_url = excluded.webhook_url";
/// Deletes the offset with the old delivery mode: the first poll after webhooks sends none (I1).
const OFFSETS: &str = "DELETE FROM bot_cursor WHERE bot = ANY($1)";
const TURNS: &str = "\
UPDATE turn SET due_at = r.due_at, expires_at = r.expires_at \
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r (id, due_at, expires_at) WHERE turn.id = r.id";
const OUTBOX: &str = "\
UPDATE outbox SET expires_at = r.expires_at FROM unnest($1::bigint[], $2::bigint[]) AS r (id, expires_at) \
WHERE outbox.id = r.id";
pub(super) const UNHANDLED: &str = "\
UPDATE inbox SET outcome = NULL, reason = NULL, number = NULL, decision = NULL WHERE id = ANY($1)";
const SHORTER: &str = "\
UPDATE send_pause SET until = least(send_pause.until, r.until) \
FROM unnest($1::bigint[], $2::bigint[]) AS r (bot, until) WHERE send_pause.bot = r.bot";
const ALIASES: &str = "\
INSERT INTO chat_alias (telegram_chat_id, chat, since) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
ON CONFLICT (telegram_chat_id) DO NOTHING";
/// Replaces the chat's own field only: within a string its quotes would be escaped.
const ADDRESSES: &str = "\
UPDATE chat SET telegram_id = r.telegram_id, \
spec = regexp_replace(chat.spec, '\"telegram_id\": ?-?[0-9]+', '\"telegram_id\":' || r.telegram_id) \
FROM unnest($1::bigint[], $2::bigint[]) AS r (telegram_id, chat) \
WHERE chat.id = r.chat \
AND EXISTS (SELECT 1 FROM chat_alias a WHERE a.telegram_chat_id = r.telegram_id AND a.chat = r.chat)";
pub(super) const READDRESSED: &str = "\
UPDATE outbox SET telegram_chat = r.telegram_id, reply_to = NULL \
FROM unnest($1::bigint[], $2::bigint[]) AS r (telegram_id, chat) \
WHERE outbox.state IN ('queued', 'retry_at') AND outbox.chat = r.chat";
const SAID: &str = "\
INSERT INTO right_said (person, at) SELECT * FROM unnest($1::bigint[], $2::bigint[]) \
ON CONFLICT (person) DO UPDATE SET at = greatest(right_said.at, excluded.at)";
const DELIVERY: &str = "SELECT bot, mode, webhook_url FROM bot_delivery WHERE bot = $1";

/// Ids of all kinds come from one source, so they can be ordered across tables.
pub(super) const DEAD_LETTERS: &str = "\
SELECT * FROM (\
SELECT id, 'turn' AS kind, state, error, bot, chat, attempts, created_at FROM turn WHERE state = 'dead' AND id >= $1 \
UNION ALL SELECT id, 'message', state, error, bot, chat, attempts, created_at FROM outbox \
WHERE state = 'unknown' AND id >= $1 \
UNION ALL SELECT id, 'message', state, error, bot, chat, attempts, created_at FROM outbox \
WHERE state = 'rejected' AND id >= $1 \
UNION ALL SELECT id, 'update', outcome, reason, bot, chat, 1, received_at FROM inbox \
WHERE outcome = 'dead' AND id >= $1) d \
WHERE (d.id, d.kind) > ($1, $2) ORDER BY d.id, d.kind LIMIT $3";

/// Writes the orders of people. Runs before all other writes of its batch.
pub(super) async fn write(session: &mut Session<'_>, orders: &Orders) -> Result<(), Error> {
    write_deliveries(session, orders.deliveries.iter().collect()).await?;
    if !orders.turns.is_empty() {
        let (mut ids, mut dues, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (turn, (due_at, expires_at)) in &orders.turns {
            ids.push(turn.0);
            dues.push(due_at.as_millis());
            ends.push(expires_at.as_millis());
        }
        session.execute("renew_turns", sqlx::query(TURNS).bind(ids).bind(dues).bind(ends)).await?;
    }
    if !orders.outbox.is_empty() {
        let (ids, ends): (Vec<i64>, Vec<i64>) =
            orders.outbox.iter().map(|(outbox, expires_at)| (outbox.0, expires_at.as_millis())).unzip();
        session.execute("renew_messages", sqlx::query(OUTBOX).bind(ids).bind(ends)).await?;
    }
    if !orders.inbox.is_empty() {
        let ids: Vec<i64> = orders.inbox.iter().map(|inbox| inbox.0).collect();
        session.execute("renew_updates", sqlx::query(UNHANDLED).bind(ids)).await?;
    }
    if !orders.said.is_empty() {
        let (people, said): (Vec<i64>, Vec<i64>) =
            orders.said.iter().map(|(person, at)| (person.0, at.as_millis())).unzip();
        session.execute("rights_said", sqlx::query(SAID).bind(people).bind(said)).await?;
    }
    if !orders.pauses.is_empty() {
        let (bots, ends): (Vec<i64>, Vec<i64>) =
            orders.pauses.iter().map(|(bot, until)| (bot.0, until.as_millis())).unzip();
        session.execute("shorten_pauses", sqlx::query(SHORTER).bind(bots).bind(ends)).await?;
    }
    for right in &orders.rights {
        people::write(session, right).await?;
    }
    Ok(())
}

/// Stores delivery modes and deletes the offsets of those bots.
pub(super) async fn write_deliveries(
    session: &mut Session<'_>,
    deliveries: Vec<(&BotId, &DeliveryChoice)>,
) -> Result<(), Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let bots: Vec<i64> = deliveries.iter().map(|(bot, _)| bot.0).collect();
    let modes: Vec<&str> = deliveries.iter().map(|(_, choice)| choice.mode.as_str()).collect();
    let urls: Vec<Option<String>> = deliveries.iter().map(|(_, choice)| choice.webhook_url.clone()).collect();
    session.execute("deliveries", sqlx::query(DELIVERIES).bind(bots.clone()).bind(modes).bind(urls)).await?;
    session.execute("forget_offsets", sqlx::query(OFFSETS).bind(bots)).await?;
    Ok(())
}

/// Gives chats their new address. Runs after all other writes of the batch, whose new messages go there too.
pub(super) async fn write_migrations(
    session: &mut Session<'_>,
    migrations: &BTreeMap<ChatId, (TelegramChatId, Timestamp)>,
) -> Result<(), Error> {
    let to: Vec<i64> = migrations.values().map(|(to, _)| to.0).collect();
    let chats: Vec<i64> = migrations.keys().map(|chat| chat.0).collect();
    let since: Vec<i64> = migrations.values().map(|(_, at)| at.as_millis()).collect();
    session.execute("aliases", sqlx::query(ALIASES).bind(to.clone()).bind(chats.clone()).bind(since)).await?;
    session.execute("addresses", sqlx::query(ADDRESSES).bind(to.clone()).bind(chats.clone())).await?;
    session.execute("readdressed", sqlx::query(READDRESSED).bind(to).bind(chats)).await?;
    Ok(())
}

/// Returns the delivery mode of a bot.
pub(super) async fn delivery(sessions: &Sessions, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError> {
    let found = all(sessions, "delivery", || sqlx::query(DELIVERY).bind(bot.0), delivery_of).await?.pop();
    Ok(found.map(|(_, choice)| choice))
}

/// Returns the dead letters after `after`.
pub(super) async fn dead_letters(
    sessions: &Sessions,
    after: Option<DeadLetterId>,
    most: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let (id, kind) = after.map_or((0, ""), DeadLetterId::place);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    all(
        sessions,
        "dead_letters",
        || sqlx::query(DEAD_LETTERS).bind(id).bind(kind).bind(most),
        |row| {
            let mut columns = Columns::of(row);
            let id = columns.take()?;
            Ok(DeadLetter {
                id: columns.name(|kind| match kind {
                    "turn" => Some(DeadLetterId::Turn(TurnId(id))),
                    "message" => Some(DeadLetterId::Message(OutboxId(id))),
                    "update" => Some(DeadLetterId::Update(InboxId(id))),
                    _ => None,
                })?,
                state: columns.name(DeadLetterState::parse)?,
                reason: columns.take()?,
                bot: BotId(columns.take()?),
                chat: columns.optional(ChatId)?,
                attempts: columns.count()?,
                created_at: Timestamp::from_millis(columns.take()?),
            })
        },
    )
    .await
}
