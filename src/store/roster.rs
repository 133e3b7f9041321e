//! Makes the stored roster what the manifest says. Layer: adapter.

use std::collections::BTreeMap;

use botfleet_actors::domain::ids::{BotId, ChatId, ConfigSeq, TelegramChatId};
use botfleet_actors::domain::roster::{BotProfile, ChatProfile, DeliveryChoice, Roster, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::columns::Columns;
use super::error::to_port;
use super::load::array;
use super::orders::{DELIVERY, delivery_of, write_deliveries};
use super::reconcile::{Difference, Stored, StoredBot, StoredChat, reconcile};
use super::writer::Writer;

/// Names change places without meeting: every bot and chat that changes is first called by its id.
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
/// Bots and chats that came during a tenure belong to it at once.
const LEASES: &str = "\
INSERT OR IGNORE INTO lease (kind, key, owner_node, owner_incarnation, epoch) \
SELECT k.kind, k.id, n.id, n.incarnation, n.epoch \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k JOIN node n ON n.epoch = $1";
const USERNAME: &str = "UPDATE bot SET username = $2 WHERE id = $1 AND username IS NOT $2";
const USERNAME_SEQ: &str = "UPDATE setting SET config_seq = config_seq + 1 WHERE key = 'roster'";
const CONFIG_SEQ: &str = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0)";
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

/// Stores a username; the configuration gets its next number when it is news.
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

/// The ways that are news in the manifest; a person may have changed the others, and that stays.
fn deliveries(stored: &Stored, difference: &Difference) -> BTreeMap<BotId, DeliveryChoice> {
    let mode = |bot: &StoredBot| bot.spec.delivery;
    let news = difference.bots.iter().filter(|(id, bot)| stored.bots.get(id).map(mode) != Some(mode(bot)));
    news.map(|(id, bot)| {
        let before = stored.deliveries.get(id).cloned().unwrap_or_default();
        (*id, DeliveryChoice { mode: bot.spec.delivery, ..before })
    })
    .collect()
}

async fn write(
    connection: &mut SqliteConnection,
    difference: &Difference,
    epoch: Option<i64>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let personas: Vec<Value> =
        difference.personas.iter().map(|(name, (revision, body))| json!([name, revision, body])).collect();
    let bots: Vec<Value> = difference
        .bots
        .iter()
        .map(|(id, StoredBot { spec, persona_revision, token_generation, in_use })| {
            let (name, telegram_id, credential, persona) =
                (&spec.name, spec.telegram_id, &spec.credential, &spec.persona.name);
            json!([
                id,
                name,
                telegram_id,
                credential,
                persona,
                persona_revision,
                token_generation,
                spec,
                u8::from(*in_use)
            ])
        })
        .collect();
    let chats: Vec<Value> = difference
        .chats
        .iter()
        .map(|(id, StoredChat { spec, members, in_use })| {
            let (name, telegram_id, zone, days) = (&spec.name, spec.telegram_id, &spec.time_zone, spec.retention_days);
            json!([id, name, telegram_id, zone, days, spec, u8::from(*in_use), members])
        })
        .collect();
    let aliases: Vec<_> = difference.aliases.iter().collect();
    let (bots, chats) = (array(&bots), array(&chats));
    sqlx::query(FREE_NAMES).bind(&bots).bind(&chats).execute(&mut *connection).await?;
    sqlx::query(PERSONAS).bind(array(&personas)).bind(now.as_millis()).execute(&mut *connection).await?;
    sqlx::query(BOTS).bind(bots).execute(&mut *connection).await?;
    sqlx::query(CHATS).bind(chats).bind(array(&aliases)).bind(now.as_millis()).execute(&mut *connection).await?;
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
    read: impl Fn(&SqliteRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = sqlx::query(sql).fetch_all(connection).await.map_err(|error| to_port(&error))?;
    rows.iter().map(read).collect()
}

async fn read(connection: &mut SqliteConnection) -> Result<Stored, StoreError> {
    let bots = rows(connection, "SELECT id, spec, persona_revision, token_generation, in_use FROM bot", |row| {
        let mut columns = Columns::of(row);
        let id = BotId(columns.take()?);
        let bot = StoredBot {
            spec: columns.json()?,
            persona_revision: columns.take()?,
            token_generation: columns.take()?,
            in_use: columns.take()?,
        };
        Ok((id, bot))
    });
    let bots = bots.await?;
    let mut members: BTreeMap<ChatId, Vec<BotId>> = BTreeMap::new();
    let member = |row: &SqliteRow| {
        let mut columns = Columns::of(row);
        Ok((ChatId(columns.take()?), BotId(columns.take()?)))
    };
    for (chat, bot) in rows(connection, "SELECT chat, bot FROM chat_member ORDER BY chat, position", member).await? {
        members.entry(chat).or_default().push(bot);
    }
    let chats = rows(connection, "SELECT id, spec, in_use FROM chat", |row| {
        let mut columns = Columns::of(row);
        let id = ChatId(columns.take()?);
        let members = members.get(&id).cloned().unwrap_or_default();
        Ok((id, StoredChat { spec: columns.json()?, members, in_use: columns.take()? }))
    });
    let chats = chats.await?;
    let aliases = rows(connection, "SELECT telegram_chat_id, chat FROM chat_alias", |row| {
        let mut columns = Columns::of(row);
        Ok((TelegramChatId(columns.take()?), ChatId(columns.take()?)))
    });
    let aliases = aliases.await?;
    let latest = "SELECT p.name, p.revision, r.body FROM persona p \
                  JOIN persona_revision r ON r.persona = p.name AND r.revision = p.revision";
    let personas = rows(connection, latest, |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, (columns.take()?, columns.json()?)))
    });
    let personas = personas.await?;
    let deliveries = rows(connection, DELIVERY, delivery_of).await?;
    Ok(Stored {
        deliveries: deliveries.into_iter().collect(),
        bots: bots.into_iter().collect(),
        chats: chats.into_iter().collect(),
        aliases: aliases.into_iter().collect(),
        personas: personas.into_iter().collect(),
    })
}

async fn in_use(connection: &mut SqliteConnection, stored: Stored) -> Result<Roster, StoreError> {
    let offset = |row: &SqliteRow| {
        let mut columns = Columns::of(row);
        Ok((BotId(columns.take()?), columns.take()?))
    };
    let offsets: BTreeMap<BotId, i64> =
        rows(connection, "SELECT bot, next_offset FROM bot_cursor", offset).await?.into_iter().collect();
    let mut deliveries: BTreeMap<_, _> = rows(connection, DELIVERY, delivery_of).await?.into_iter().collect();
    let username = |row: &SqliteRow| {
        let mut columns = Columns::of(row);
        Ok((BotId(columns.take()?), columns.take()?))
    };
    let usernames = "SELECT id, username FROM bot WHERE username IS NOT NULL";
    let mut usernames: BTreeMap<BotId, String> = rows(connection, usernames, username).await?.into_iter().collect();
    let seq = rows(connection, CONFIG_SEQ, |row| Columns::of(row).take()).await?;
    let bots = stored.bots.into_iter().filter(|(_, bot)| bot.in_use).map(|(id, bot)| {
        let StoredBot { spec, persona_revision, token_generation, .. } = bot;
        let (next_offset, delivery) = (offsets.get(&id).copied(), deliveries.remove(&id).unwrap_or_default());
        let username = usernames.remove(&id);
        (id, BotProfile { id, spec, persona_revision, token_generation, next_offset, delivery, username })
    });
    let chats: BTreeMap<ChatId, ChatProfile> = stored
        .chats
        .into_iter()
        .filter(|(_, chat)| chat.in_use)
        .map(|(id, StoredChat { spec, members, .. })| (id, ChatProfile { id, spec, members }))
        .collect();
    Ok(Roster {
        bots: bots.collect(),
        aliases: stored.aliases.into_iter().filter(|(_, chat)| chats.contains_key(chat)).collect(),
        chats,
        config_seq: ConfigSeq(seq.first().copied().unwrap_or(0)),
    })
}
