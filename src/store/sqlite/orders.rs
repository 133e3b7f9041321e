//! Stores orders of people: delivery modes, and dead letters that are tried again. Layer: adapter. Keeps I1.
//!
//! Orders are rare and therefore have statements of their own, so that the group commit keeps its few texts.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use botfleet_actors::domain::commit::rows::Orders;
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId, DeadLetterState};
use botfleet_actors::domain::ids::{BotId, ChatId, InboxId, OutboxId, TurnId};
use botfleet_actors::domain::roster::DeliveryChoice;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{AssertSqlSafe, Row};

use super::people;
use super::reads::all;
use crate::store::columns::Columns;
use crate::store::loaded::array;
use crate::store::stored::delivery_of;

/// Deletes the offset with the old delivery mode: the first poll after webhooks sends none (I1).
const DELIVERIES: &str = "\
INSERT INTO bot_delivery (bot, mode, webhook_url) \
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true \
ON CONFLICT (bot) DO UPDATE SET mode = excluded.mode, webhook_url = excluded.webhook_url; \
DELETE FROM bot_cursor WHERE bot IN (SELECT value ->> 0 FROM json_each($1))";
const RENEWALS: &str = "\
UPDATE turn SET due_at = j.value ->> 1, expires_at = j.value ->> 2 FROM json_each($1) j WHERE turn.id = j.value ->> 0; \
UPDATE outbox SET expires_at = j.value ->> 1 FROM json_each($2) j WHERE outbox.id = j.value ->> 0";

const UNHANDLED: &str = "\
UPDATE inbox SET outcome = NULL, reason = NULL, number = NULL, decision = NULL \
WHERE id IN (SELECT value FROM json_each($1))";
const SAID: &str = "\
INSERT INTO right_said (person, at) SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE true \
ON CONFLICT (person) DO UPDATE SET at = excluded.at";
const SHORTER: &str = "\
UPDATE send_pause SET until = min(until, j.value ->> 1) FROM json_each($1) j WHERE send_pause.bot = j.value ->> 0";
const DEAD: &str = "SELECT i.id FROM json_each($1) j CROSS JOIN inbox i ON i.id = j.value AND i.outcome = 'dead'";

/// The conditions repeat the text of the partial indexes. Ids of all tables come from one source, so they can be
/// ordered across tables.
static DEAD_LETTERS: LazyLock<Arc<str>> = LazyLock::new(|| {
    let columns = "state, error, bot, chat, attempts, created_at";
    let update = "outcome AS state, reason AS error, bot, chat, 1 AS attempts, received_at AS created_at";
    let updates = format!("SELECT id, 'update' AS kind, {update} FROM inbox WHERE outcome = 'dead' AND id >= $1");
    let of = |kind: &str, table: &str, condition: &str| {
        format!("SELECT id, '{kind}' AS kind, {columns} FROM {table} WHERE {condition} AND id >= $1")
    };
    let turns = of("turn", "turn", "state IN ('queued', 'claimed', 'dead') AND state = 'dead'");
    let unknown =
        of("message", "outbox", "state IN ('queued', 'sending', 'retry_at', 'unknown') AND state = 'unknown'");
    let rejected = of("message", "outbox", "state = 'rejected'");
    format!(
        "SELECT * FROM ({turns} UNION ALL {unknown} UNION ALL {rejected} UNION ALL {updates}) \
         WHERE (id, kind) > ($1, $2) ORDER BY id, kind LIMIT $3"
    )
    .into()
});

/// Returns those of the inbox rows that are dead.
pub(super) async fn dead_updates(
    connection: &mut SqliteConnection,
    asked: &BTreeSet<InboxId>,
) -> Result<Vec<InboxId>, sqlx::Error> {
    let rows = sqlx::query(DEAD).bind(array(asked)).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get(0).map(InboxId)).collect()
}

/// Writes the orders of people. Runs before all other writes of its batch.
pub(super) async fn write(connection: &mut SqliteConnection, orders: &Orders) -> Result<(), sqlx::Error> {
    if !orders.deliveries.is_empty() {
        write_deliveries(connection, orders.deliveries.iter()).await?;
    }
    if !orders.turns.is_empty() || !orders.outbox.is_empty() {
        let turns: Vec<_> = orders.turns.iter().map(|(turn, (due, expires))| (turn, due, expires)).collect();
        let outbox: Vec<_> = orders.outbox.iter().collect();
        sqlx::query(RENEWALS).bind(array(&turns)).bind(array(&outbox)).execute(&mut *connection).await?;
    }
    if !orders.inbox.is_empty() {
        sqlx::query(UNHANDLED).bind(array(&orders.inbox)).execute(&mut *connection).await?;
    }
    if !orders.said.is_empty() {
        let said: Vec<_> = orders.said.iter().collect();
        sqlx::query(SAID).bind(array(&said)).execute(&mut *connection).await?;
    }
    if !orders.pauses.is_empty() {
        let pauses: Vec<_> = orders.pauses.iter().collect();
        sqlx::query(SHORTER).bind(array(&pauses)).execute(&mut *connection).await?;
    }
    for right in &orders.rights {
        people::write(&mut *connection, right).await?;
    }
    Ok(())
}

/// Stores delivery modes and deletes the offsets of those bots.
pub(super) async fn write_deliveries<'a>(
    connection: &mut SqliteConnection,
    deliveries: impl Iterator<Item = (&'a BotId, &'a DeliveryChoice)>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> =
        deliveries.map(|(bot, choice)| (bot, choice.mode.as_str(), choice.webhook_url.as_deref())).collect();
    if !rows.is_empty() {
        sqlx::query(DELIVERIES).bind(array(&rows)).execute(connection).await?;
    }
    Ok(())
}

/// Returns the delivery mode of a bot.
pub(super) async fn delivery(pool: &SqlitePool, bot: BotId) -> Result<Option<DeliveryChoice>, StoreError> {
    let query = sqlx::query("SELECT bot, mode, webhook_url FROM bot_delivery WHERE bot = $1").bind(bot.0);
    Ok(all(pool, query, delivery_of).await?.pop().map(|(_, choice)| choice))
}

/// Returns the dead letters after `after`.
pub(super) async fn dead_letters(
    pool: &SqlitePool,
    after: Option<DeadLetterId>,
    most: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let (id, kind) = after.map_or((0, ""), DeadLetterId::place);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    all(pool, sqlx::query(AssertSqlSafe(DEAD_LETTERS.clone())).bind(id).bind(kind).bind(most), |row| {
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
    })
    .await
}
