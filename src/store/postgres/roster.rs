//! Makes the stored roster equal to a plan. Layer: adapter.
//!
//! Plans are applied by one node at a time, under an advisory lock. New bots and chats get a lease that nobody owns, or
//! that this process owns when it is in a tenure of everything.

use std::collections::BTreeMap;

use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::domain::roster::{DeliveryChoice, Roster, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use serde_json::json;
use sqlx::Error;

use super::error::to_port;
use super::orders::write_deliveries;
use super::session::{Session, Sessions};
use crate::store::columns::{Cells, Columns};
use crate::store::reconcile::{Difference, Stored, reconcile};
use crate::store::stored::{
    ALIAS_ROWS, Arrays, BOT_ROWS, CHAT_ROWS, CONFIG_SEQ, DELIVERY, MEMBER_ROWS, OFFSET_ROWS, PERSONA_ROWS,
    USERNAME_ROWS, deliveries, delivery_of, pair, stored_bot, stored_chat, stored_persona, username,
};

const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('botfleet roster'))";
/// Gives every bot and chat that changes its id as a temporary name, so that names can be swapped.
const FREE_BOTS: &str = "\
UPDATE bot SET name = chr(1) || id WHERE id IN (SELECT (value ->> 0)::bigint FROM json_array_elements($1::json))";
const FREE_CHATS: &str = "\
UPDATE chat SET name = chr(1) || id WHERE id IN (SELECT (value ->> 0)::bigint FROM json_array_elements($1::json))";
const PERSONAS: &str = "\
INSERT INTO persona (name, revision) SELECT value ->> 0, (value ->> 1)::bigint FROM json_array_elements($1::json) \
ON CONFLICT (name) DO UPDATE SET revision = excluded.revision";
const PERSONA_REVISIONS: &str = "\
INSERT INTO persona_revision (persona, revision, body, created_at) \
SELECT value ->> 0, (value ->> 1)::bigint, value ->> 2, $2 FROM json_array_elements($1::json)";
const BOTS: &str = "\
INSERT INTO bot (id, name, telegram_id, credential, persona, persona_revision, token_generation, spec, in_use) \
SELECT (value ->> 0)::bigint, value ->> 1, (value ->> 2)::bigint, value ->> 3, value ->> 4, (value ->> 5)::bigint, \
(value ->> 6)::bigint, value ->> 7, value ->> 8 = '1' FROM json_array_elements($1::json) \
ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_id = excluded.telegram_id, \
credential = excluded.credential, persona = excluded.persona, persona_revision = excluded.persona_revision, \
token_generation = excluded.token_generation, spec = excluded.spec, in_use = excluded.in_use";
const CHATS: &str = "\
INSERT INTO chat (id, name, telegram_id, time_zone, retention_days, spec, in_use) \
SELECT (value ->> 0)::bigint, value ->> 1, (value ->> 2)::bigint, value ->> 3, (value ->> 4)::bigint, value ->> 5, \
value ->> 6 = '1' FROM json_array_elements($1::json) \
ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_id = excluded.telegram_id, \
time_zone = excluded.time_zone, retention_days = excluded.retention_days, spec = excluded.spec, \
in_use = excluded.in_use";
const HEADS: &str = "\
INSERT INTO chat_head (chat) SELECT (value ->> 0)::bigint FROM json_array_elements($1::json) ON CONFLICT (chat) DO NOTHING";
const ALIASES: &str = "\
INSERT INTO chat_alias (telegram_chat_id, chat, since) \
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, $2 FROM json_array_elements($1::json)";
const NO_MEMBERS: &str = "\
DELETE FROM chat_member WHERE chat IN (SELECT (value ->> 0)::bigint FROM json_array_elements($1::json))";
const MEMBERS: &str = "\
INSERT INTO chat_member (chat, position, bot) SELECT (j.value ->> 0)::bigint, m.place - 1, (m.value #>> '{}')::bigint \
FROM json_array_elements($1::json) AS j (value), json_array_elements(j.value -> 7) WITH ORDINALITY AS m (value, place)";
const LEASES: &str = "\
INSERT INTO lease (kind, key, owner, epoch) SELECT k.kind, k.id, $1::bigint, $2::bigint \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k ORDER BY k.kind, k.id \
ON CONFLICT (kind, key) DO NOTHING";
const NEXT_CONFIG_SEQ: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ('roster', $1, 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = setting.config_seq + 1, value = excluded.value";
const USERNAME: &str = "UPDATE bot SET username = $2 WHERE id = $1 AND username IS DISTINCT FROM $2";
const USERNAME_SEQ: &str = "UPDATE setting SET config_seq = config_seq + 1 WHERE key = 'roster'";
/// Gives all statements of the transaction one snapshot.
const ONE_LOOK: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Applies a plan in one transaction. Leases of new bots and chats belong to `tenure`, or to nobody.
pub(super) async fn apply(
    sessions: &Sessions,
    plan: &RosterPlan,
    tenure: Option<(Incarnation, Epoch)>,
    now: Timestamp,
) -> Result<Roster, StoreError> {
    let mut session = sessions.transaction().await?;
    session.fetch_all("roster_lock", sqlx::query(LOCK)).await.map_err(|error| to_port(&error))?;
    let mut stored = read(&mut session).await?;
    let difference = match reconcile(&stored, plan) {
        Ok(difference) => difference,
        Err(refused) => {
            session.roll_back().await;
            return Err(refused);
        }
    };
    if !difference.is_empty() {
        let news = deliveries(&stored, &difference);
        write(&mut session, &difference, &news, tenure, now).await.map_err(|error| to_port(&error))?;
        stored.bots.extend(difference.bots);
        stored.chats.extend(difference.chats);
        stored.aliases.extend(difference.aliases);
    }
    let roster = in_use(&mut session, stored).await?;
    session.commit().await.map_err(|error| to_port(&error))?;
    Ok(roster)
}

/// Reads the roster in one snapshot.
pub(super) async fn stored(sessions: &Sessions) -> Result<Roster, StoreError> {
    let mut session = sessions.transaction().await?;
    session.run("one_look", ONE_LOOK).await.map_err(|error| to_port(&error))?;
    let stored = read(&mut session).await?;
    let roster = in_use(&mut session, stored).await?;
    session.commit().await.map_err(|error| to_port(&error))?;
    Ok(roster)
}

/// Stores a username. A new one gives the configuration its next number.
pub(super) async fn set_username(sessions: &Sessions, bot: BotId, name: &str) -> Result<(), StoreError> {
    let mut session = sessions.transaction().await?;
    let written = async {
        if session.execute("username", sqlx::query(USERNAME).bind(bot.0).bind(name.to_owned())).await? > 0 {
            session.execute("config_seq", sqlx::query(USERNAME_SEQ)).await?;
        }
        session.commit().await
    };
    written.await.map_err(|error| to_port(&error))
}

async fn write(
    session: &mut Session<'_>,
    difference: &Difference,
    news: &BTreeMap<BotId, DeliveryChoice>,
    tenure: Option<(Incarnation, Epoch)>,
    now: Timestamp,
) -> Result<(), Error> {
    let Arrays { personas, bots, chats, aliases } = Arrays::of(difference);
    let now_ms = now.as_millis();
    session.execute("roster", sqlx::query(FREE_BOTS).bind(bots.clone())).await?;
    session.execute("roster", sqlx::query(FREE_CHATS).bind(chats.clone())).await?;
    session.execute("roster", sqlx::query(PERSONAS).bind(personas.clone())).await?;
    session.execute("roster", sqlx::query(PERSONA_REVISIONS).bind(personas).bind(now_ms)).await?;
    session.execute("roster", sqlx::query(BOTS).bind(bots)).await?;
    session.execute("roster", sqlx::query(CHATS).bind(chats.clone())).await?;
    session.execute("roster", sqlx::query(HEADS).bind(chats.clone())).await?;
    session.execute("roster", sqlx::query(ALIASES).bind(aliases).bind(now_ms)).await?;
    session.execute("roster", sqlx::query(NO_MEMBERS).bind(chats.clone())).await?;
    session.execute("roster", sqlx::query(MEMBERS).bind(chats)).await?;
    let owner = tenure.map(|(Incarnation(incarnation), _)| incarnation);
    let epoch = tenure.map_or(0, |(_, Epoch(epoch))| epoch);
    session.execute("roster", sqlx::query(LEASES).bind(owner).bind(epoch)).await?;
    let at = json!({ "applied_at": now }).to_string();
    session.execute("roster", sqlx::query(NEXT_CONFIG_SEQ).bind(at)).await?;
    write_deliveries(session, news.iter().collect()).await
}

async fn rows<T>(
    session: &mut Session<'_>,
    sql: &'static str,
    read: impl Fn(&dyn Cells) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = session.fetch_all("roster", sqlx::query(sql)).await.map_err(|error| to_port(&error))?;
    rows.iter().map(|row| read(row)).collect()
}

async fn read(session: &mut Session<'_>) -> Result<Stored, StoreError> {
    let bots = rows(session, BOT_ROWS, stored_bot).await?.into_iter().collect();
    let members = rows(session, MEMBER_ROWS, pair).await?;
    let chats = rows(session, CHAT_ROWS, stored_chat).await?;
    let aliases = rows(session, ALIAS_ROWS, pair).await?;
    let personas = rows(session, PERSONA_ROWS, stored_persona).await?.into_iter().collect();
    let deliveries = rows(session, DELIVERY, delivery_of).await?.into_iter().collect();
    Ok(Stored::of(bots, &members, chats, &aliases, personas, deliveries))
}

async fn in_use(session: &mut Session<'_>, stored: Stored) -> Result<Roster, StoreError> {
    let offsets = rows(session, OFFSET_ROWS, pair).await?;
    let deliveries = rows(session, DELIVERY, delivery_of).await?.into_iter().collect();
    let usernames = rows(session, USERNAME_ROWS, username).await?.into_iter().collect();
    let seq = rows(session, CONFIG_SEQ, |row| Columns::of(row).take()).await?;
    Ok(stored.in_use(&offsets, deliveries, usernames, seq.first().copied().unwrap_or(0)))
}
