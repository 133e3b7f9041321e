//! Makes the stored roster equal to the manifest. Layer: adapter.

use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::roster::{Roster, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use serde_json::json;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::error::to_port;
use super::orders::write_deliveries;
use super::writer::Writer;
use crate::store::columns::{Cells, Columns};
use crate::store::reconcile::{Difference, Stored, reconcile};
use crate::store::stored::{
    ALIAS_ROWS, Arrays, BOT_ROWS, CHAT_ROWS, CONFIG_SEQ, DELIVERY, MEMBER_ROWS, OFFSET_ROWS, PERSONA_ROWS,
    USERNAME_ROWS, deliveries, delivery_of, pair, stored_bot, stored_chat, stored_persona, username,
};

/// Gives every bot and chat that changes its id as a temporary name, so that names can be swapped.
const FREE_NAMES: &str = "\
UPDATE bot SET name = char(0) || id WHERE id IN (SELECT value ->> 0 FROM json_each($1)); \
UPDATE chat SET name = char(0) || id WHERE id IN (SELECT value ->> 0 FROM json_each($2))";
const PERSONAS: &str = "\
INSERT INTO persona (name, revision) SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE true \
ON CONFLICT (name) DO UPDATE SET revision = excluded.revision; \
INSERT INTO persona_revision (persona, revision, body, created_at) \
SELECT value ->> 0, value ->> 1, value -> 2, $2 FROM json_each($1)";
const BOTS: &str = "\
INSERT INTO bot (id, name, telegram_id, credential, persona, persona_revision, token_generation, spec, in_use) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value -> 7, \
value ->> 8 FROM json_each($1) WHERE true \
ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_id = excluded.telegram_id, \
credential = excluded.credential, persona = excluded.persona, persona_revision = excluded.persona_revision, \
token_generation = excluded.token_generation, spec = excluded.spec, in_use = excluded.in_use";
const CHATS: &str = "\
INSERT INTO chat (id, name, telegram_id, time_zone, retention_days, spec, in_use) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value -> 5, value ->> 6 \
FROM json_each($1) WHERE true \
ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_id = excluded.telegram_id, \
time_zone = excluded.time_zone, retention_days = excluded.retention_days, spec = excluded.spec, \
in_use = excluded.in_use; \
INSERT OR IGNORE INTO chat_head (chat) SELECT value ->> 0 FROM json_each($1); \
INSERT INTO chat_alias (telegram_chat_id, chat, since) SELECT value ->> 0, value ->> 1, $3 FROM json_each($2); \
DELETE FROM chat_member WHERE chat IN (SELECT value ->> 0 FROM json_each($1)); \
INSERT INTO chat_member (chat, position, bot) SELECT j.value ->> 0, m.key, m.value \
FROM json_each($1) j, json_each(j.value -> 7) m";
/// Gives leases of the current tenure to bots and chats that were added during it.
const LEASES: &str = "\
INSERT OR IGNORE INTO lease (kind, key, owner_node, owner_incarnation, epoch) \
SELECT k.kind, k.id, n.id, n.incarnation, n.epoch \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k JOIN node n ON n.epoch = $1";
const USERNAME: &str = "UPDATE bot SET username = $2 WHERE id = $1 AND username IS NOT $2";
const USERNAME_SEQ: &str = "UPDATE setting SET config_seq = config_seq + 1 WHERE key = 'roster'";
const NEXT_CONFIG_SEQ: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ('roster', $1, 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = config_seq + 1, value = excluded.value";

/// Applies a plan in one transaction.
pub(super) async fn apply(writer: &mut Writer, plan: &RosterPlan, now: Timestamp) -> Result<Roster, StoreError> {
    let epoch = writer.epoch;
    let connection = writer.begin().await?;
    let mut stored = read(connection).await?;
    let difference = reconcile(&stored, plan)?;
    if !difference.is_empty() {
        let written = write(connection, &difference, epoch.map(|epoch| epoch.0), now).await;
        written.map_err(|error| writer.fail(&error))?;
        let news = deliveries(&stored, &difference);
        let written = write_deliveries(writer.connection()?, news.iter()).await;
        written.map_err(|error| writer.fail(&error))?;
        stored.bots.extend(difference.bots);
        stored.chats.extend(difference.chats);
        stored.aliases.extend(difference.aliases);
    }
    let roster = in_use(writer.connection()?, stored).await?;
    writer.commit().await?;
    Ok(roster)
}

/// Reads the roster in one transaction.
pub(super) async fn stored(writer: &mut Writer) -> Result<Roster, StoreError> {
    let connection = writer.begin().await?;
    let stored = read(connection).await?;
    let roster = in_use(connection, stored).await?;
    writer.commit().await?;
    Ok(roster)
}

/// Reads the roster in one transaction on a connection that cannot write.
pub(super) async fn recorded(connection: &mut SqliteConnection) -> Result<Roster, StoreError> {
    let mut look = connection.begin().await.map_err(|error| to_port(&error))?;
    let stored = read(&mut look).await?;
    in_use(&mut look, stored).await
}

/// Stores a username. A new one gives the configuration its next number.
pub(super) async fn set_username(writer: &mut Writer, bot: BotId, username: &str) -> Result<(), StoreError> {
    let written = write_username(writer.begin().await?, bot, username).await;
    written.map_err(|error| writer.fail(&error))?;
    writer.commit().await
}

async fn write_username(connection: &mut SqliteConnection, bot: BotId, username: &str) -> Result<(), sqlx::Error> {
    let news = sqlx::query(USERNAME).bind(bot.0).bind(username).execute(&mut *connection).await?.rows_affected();
    if news > 0 {
        sqlx::query(USERNAME_SEQ).execute(connection).await?;
    }
    Ok(())
}

async fn write(
    connection: &mut SqliteConnection,
    difference: &Difference,
    epoch: Option<i64>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let Arrays { personas, bots, chats, aliases } = Arrays::of(difference);
    sqlx::query(FREE_NAMES).bind(&bots).bind(&chats).execute(&mut *connection).await?;
    sqlx::query(PERSONAS).bind(personas).bind(now.as_millis()).execute(&mut *connection).await?;
    sqlx::query(BOTS).bind(bots).execute(&mut *connection).await?;
    sqlx::query(CHATS).bind(chats).bind(aliases).bind(now.as_millis()).execute(&mut *connection).await?;
    if epoch.is_some() {
        sqlx::query(LEASES).bind(epoch).execute(&mut *connection).await?;
    }
    let at = json!({ "applied_at": now }).to_string();
    sqlx::query(NEXT_CONFIG_SEQ).bind(at).execute(connection).await?;
    Ok(())
}

async fn rows<T>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    read: impl Fn(&dyn Cells) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = sqlx::query(sql).fetch_all(connection).await.map_err(|error| to_port(&error))?;
    rows.iter().map(|row| read(row)).collect()
}

async fn read(connection: &mut SqliteConnection) -> Result<Stored, StoreError> {
    let bots = rows(connection, BOT_ROWS, stored_bot).await?.into_iter().collect();
    let members = rows(connection, MEMBER_ROWS, pair).await?;
    let chats = rows(connection, CHAT_ROWS, stored_chat).await?;
    let aliases = rows(connection, ALIAS_ROWS, pair).await?;
    let personas = rows(connection, PERSONA_ROWS, stored_persona).await?.into_iter().collect();
    let deliveries = rows(connection, DELIVERY, delivery_of).await?.into_iter().collect();
    Ok(Stored::of(bots, &members, chats, &aliases, personas, deliveries))
}

async fn in_use(connection: &mut SqliteConnection, stored: Stored) -> Result<Roster, StoreError> {
    let offsets = rows(connection, OFFSET_ROWS, pair).await?;
    let deliveries = rows(connection, DELIVERY, delivery_of).await?.into_iter().collect();
    let usernames = rows(connection, USERNAME_ROWS, username).await?.into_iter().collect();
    let seq = rows(connection, CONFIG_SEQ, |row| Columns::of(row).take()).await?;
    Ok(stored.in_use(&offsets, deliveries, usernames, seq.first().copied().unwrap_or(0)))
}
