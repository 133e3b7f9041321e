//! Reads the stored roster, and makes it equal to a plan. Layer: adapter.
//!
//! One process at a time applies a plan. New bots and chats get a lease that nobody owns, or that this process owns
//! when it is in a tenure of everything.

use std::collections::BTreeMap;

use botfleet_actors::domain::ids::{BotId, ChatId, ConfigSeq};
use botfleet_actors::domain::reconcile::{Difference, Stored, StoredBot, StoredChat, reconcile_with};
use botfleet_actors::domain::roster::{BotProfile, ChatProfile, ChatSpec, DeliveryChoice, Persona, Roster, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use serde_json::json;

use super::orders::write_deliveries;
use super::text::statements;
use super::values::{Database, Rows, Value, values};
use crate::store::engine::{Engine, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::{Of, columns};

statements! {
    BOTS "roster" = "SELECT id, spec, persona_revision, token_generation, in_use FROM bot";
    MEMBERS "roster" = "SELECT chat, bot FROM chat_member ORDER BY chat, position";
    CHATS "roster" = "SELECT id, spec, in_use FROM chat";
    ALIASES "roster" = "SELECT telegram_chat_id, chat FROM chat_alias";
    PERSONAS "roster" = "\
SELECT p.name, p.revision, r.body FROM persona p \
JOIN persona_revision r ON r.persona = p.name AND r.revision = p.revision";
    DELIVERIES "roster" = "SELECT bot, mode, webhook_url FROM bot_delivery";
    OFFSETS "roster" = "SELECT bot, next_offset FROM bot_cursor";
    USERNAMES "roster" = "SELECT id, username FROM bot WHERE username IS NOT NULL";
    CONFIG "roster" = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0)";

    /// Lets one node at a time apply a plan; on SQLite the transaction does that.
    LOCK "roster_lock" = "SELECT `1|pg_advisory_xact_lock(hashtext('botfleet roster'))`";
    /// Gives every bot and chat that changes its id as a temporary name, so that names can be swapped.
    FREE_BOTS "roster" = "UPDATE bot SET name = `char(0)|chr(1)` || id WHERE id `among 1`";
    FREE_CHATS "roster" = "UPDATE chat SET name = `char(0)|chr(1)` || id WHERE id `among 1`";
    NEW_PERSONAS "roster" = "\
INSERT INTO persona (name, revision) SELECT name, revision FROM `rows 1 name text, revision` WHERE true \
ON CONFLICT (name) DO UPDATE SET revision = excluded.revision";
    NEW_REVISIONS "roster" = "\
INSERT INTO persona_revision (persona, revision, body, created_at) \
SELECT persona, revision, body, $2 FROM `rows 1 persona text, revision, body json`";
    NEW_BOTS "roster" = "\
INSERT INTO bot (id, name, telegram_id, credential, persona, persona_revision, token_generation, spec, in_use) \
SELECT id, name, telegram_id, credential, persona, persona_revision, token_generation, spec, in_use \
FROM `rows 1 id, name text, telegram_id, credential text, persona text, persona_revision, token_generation, spec json, in_use truth` \
WHERE true ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_id = excluded.telegram_id, \
credential = excluded.credential, persona = excluded.persona, persona_revision = excluded.persona_revision, \
token_generation = excluded.token_generation, spec = excluded.spec, in_use = excluded.in_use";
    NEW_CHATS "roster" = "\
INSERT INTO chat (id, name, telegram_id, time_zone, retention_days, spec, in_use) \
SELECT id, name, telegram_id, time_zone, retention_days, spec, in_use \
FROM `rows 1 id, name text, telegram_id, time_zone text, retention_days, spec json, in_use truth` \
WHERE true ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_id = excluded.telegram_id, \
time_zone = excluded.time_zone, retention_days = excluded.retention_days, spec = excluded.spec, in_use = excluded.in_use";
    NEW_HEADS "roster" = "\
INSERT INTO chat_head (chat) SELECT id FROM chat WHERE id `among 1` ON CONFLICT (chat) DO NOTHING";
    NEW_ALIASES "roster" = "\
INSERT INTO chat_alias (telegram_chat_id, chat, since) SELECT telegram, chat, $2 FROM `rows 1 telegram, chat`";
    NO_MEMBERS "roster" = "DELETE FROM chat_member WHERE chat `among 1`";
    NEW_MEMBERS "roster" = "\
INSERT INTO chat_member (chat, position, bot) SELECT chat, position, bot FROM `rows 1 chat, position, bot`";
    /// Gives leases to bots and chats that have none. On SQLite they are those of the current tenure; without one the
    /// next tenure makes them.
    NEW_LEASES "roster" = "`\
INSERT OR IGNORE INTO lease (kind, key, owner_node, owner_incarnation, epoch) \
SELECT k.kind, k.id, n.id, n.incarnation, n.epoch|\
INSERT INTO lease (kind, key, owner, epoch) SELECT k.kind, k.id, $1::bigint, $2::bigint` \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k \
`JOIN node n ON n.epoch = $2|ORDER BY k.kind, k.id ON CONFLICT (kind, key) DO NOTHING`";
    NEXT_CONFIG "roster" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('roster', $1, 1) \
ON CONFLICT (key) DO UPDATE SET config_seq = setting.config_seq + 1, value = excluded.value";
    NEW_USERNAMES "username" = "\
UPDATE bot SET username = n.name FROM (SELECT id, name FROM `rows 1 id, name text`) n \
WHERE bot.id = n.id AND bot.username `IS NOT|IS DISTINCT FROM` n.name";
    USERNAME_SEQ "config_seq" = "UPDATE setting SET config_seq = config_seq + 1 WHERE key = 'roster'";
}

columns!(StoredBot { spec, persona_revision, token_generation, in_use });

/// Applies a plan in one transaction.
pub(crate) async fn apply<E: Engine>(db: &E, plan: &RosterPlan, now: Timestamp) -> Result<Roster, Fault> {
    let mut task = db.begin().await?;
    lock(&mut task).await?;
    let (roster, _) = match put(db, &mut task, plan, &[], now, false).await {
        Ok(done) => done,
        Err(fault) => {
            task.give_up().await;
            return Err(fault);
        }
    };
    task.commit().await?;
    Ok(roster)
}

/// Lets one process at a time change the configuration, until the transaction ends.
pub(super) async fn lock<R: Run>(task: &mut R) -> Result<(), Fault> {
    if R::DATABASE == Database::Postgres {
        task.execute(&LOCK, values![]).await?;
    }
    Ok(())
}

/// Makes the stored roster equal to a plan, within a transaction that holds the lock. Returns the roster, and whether the
/// configuration got its next number: when something differs, or when the caller `stepped`.
pub(super) async fn put<'e, E: Engine>(
    db: &'e E,
    task: &mut E::Task<'e>,
    plan: &RosterPlan,
    personas: &[Persona],
    now: Timestamp,
    stepped: bool,
) -> Result<(Roster, bool), Fault> {
    let mut stored = read(task).await?;
    let difference = reconcile_with(&stored, plan, personas).map_err(StoreError::RosterRefused)?;
    let differs = !difference.is_empty();
    if differs {
        let newcomers = db.newcomers(task);
        write(task, &difference, newcomers, now).await?;
        write_deliveries(task, &difference.deliveries(&stored)).await?;
        stored.bots.extend(difference.bots);
        stored.chats.extend(difference.chats);
        stored.aliases.extend(difference.aliases);
    }
    if differs || stepped {
        task.execute(&NEXT_CONFIG, values![json!({ "applied_at": now }).to_string()]).await?;
    }
    Ok((in_use(task, stored).await?, differs || stepped))
}

/// Reads the roster in one transaction.
pub(crate) async fn stored(mut look: impl Work) -> Result<Roster, Fault> {
    let stored = read(&mut look).await?;
    let roster = in_use(&mut look, stored).await?;
    look.commit().await?;
    Ok(roster)
}

/// Stores usernames. New ones give the configuration its next number.
pub(crate) async fn set_usernames<E: Engine>(db: &E, usernames: &[(BotId, String)]) -> Result<(), Fault> {
    let rows = usernames.iter().map(|(bot, name)| (*bot, name.as_str()));
    let mut task = db.begin().await?;
    if task.execute(&NEW_USERNAMES, values![Rows::of(E::DATABASE, rows)]).await? > 0 {
        task.execute(&USERNAME_SEQ, values![]).await?;
    }
    task.commit().await
}

async fn write<R: Run>(
    task: &mut R,
    difference: &Difference,
    (owner, epoch): (Option<i64>, Option<i64>),
    now: Timestamp,
) -> Result<(), Fault> {
    let Difference { bots, chats, aliases, personas } = difference;
    let ids = || chats.keys().map(|chat| chat.0).collect::<Vec<i64>>();
    let new_bots = bots.iter().map(|(id, bot)| {
        let (spec, StoredBot { persona_revision, token_generation, .. }) = (&bot.spec, bot);
        let names = (spec.name.as_str(), spec.telegram_id, spec.credential.as_str(), spec.persona.name.as_str());
        (*id, names, (*persona_revision, *token_generation, Of(spec), bot.in_use))
    });
    let new_chats = chats.iter().map(|(id, chat)| {
        let spec = &chat.spec;
        let settings = (spec.time_zone.as_str(), spec.retention_days);
        (*id, spec.name.as_str(), spec.telegram_id, settings, Of(spec), chat.in_use)
    });
    let members =
        chats.iter().flat_map(|(id, chat)| (0_i64..).zip(&chat.members).map(|(place, bot)| (*id, place, *bot)));
    let names = personas.iter().map(|(name, (revision, _))| (name.as_str(), *revision));
    let bodies = personas.iter().map(|(name, (revision, body))| (name.as_str(), *revision, Of(body)));
    let aliases = aliases.iter().map(|(telegram, chat)| (*telegram, *chat));
    let rows: [(_, Vec<Value<'_>>); 11] = [
        (&FREE_BOTS, values![bots.keys().map(|bot| bot.0).collect::<Vec<i64>>()]),
        (&FREE_CHATS, values![ids()]),
        (&NEW_PERSONAS, values![Rows::of(R::DATABASE, names)]),
        (&NEW_REVISIONS, values![Rows::of(R::DATABASE, bodies), now]),
        (&NEW_BOTS, values![Rows::of(R::DATABASE, new_bots)]),
        (&NEW_CHATS, values![Rows::of(R::DATABASE, new_chats)]),
        (&NEW_HEADS, values![ids()]),
        (&NEW_ALIASES, values![Rows::of(R::DATABASE, aliases), now]),
        (&NO_MEMBERS, values![ids()]),
        (&NEW_MEMBERS, values![Rows::of(R::DATABASE, members)]),
        (&NEW_LEASES, values![owner, epoch]),
    ];
    for (statement, values) in rows {
        task.execute(statement, values).await?;
    }
    Ok(())
}

async fn read(look: &mut impl Run) -> Result<Stored, Fault> {
    let bots = look.fetch(&BOTS, values![]).await?.into_iter().collect();
    let mut of_chats: BTreeMap<ChatId, Vec<BotId>> = BTreeMap::new();
    for (chat, bot) in look.fetch(&MEMBERS, values![]).await? {
        of_chats.entry(chat).or_default().push(bot);
    }
    let chats: Vec<(ChatId, ChatSpec, bool)> = look.fetch(&CHATS, values![]).await?;
    let chats = chats.into_iter().map(|(id, spec, in_use)| {
        let members = of_chats.remove(&id).unwrap_or_default();
        (id, StoredChat { spec, members, in_use })
    });
    Ok(Stored {
        bots,
        chats: chats.collect(),
        aliases: look.fetch(&ALIASES, values![]).await?.into_iter().collect(),
        personas: look.fetch(&PERSONAS, values![]).await?.into_iter().collect(),
        deliveries: look.fetch(&DELIVERIES, values![]).await?.into_iter().collect(),
    })
}

/// Returns the part of the roster that is in use.
async fn in_use(look: &mut impl Run, stored: Stored) -> Result<Roster, Fault> {
    let offsets: BTreeMap<BotId, i64> = look.fetch(&OFFSETS, values![]).await?.into_iter().collect();
    let mut deliveries: BTreeMap<BotId, DeliveryChoice> =
        look.fetch(&DELIVERIES, values![]).await?.into_iter().collect();
    let mut usernames: BTreeMap<BotId, String> = look.fetch(&USERNAMES, values![]).await?.into_iter().collect();
    let config_seq = look.fetch(&CONFIG, values![]).await?.pop().unwrap_or(ConfigSeq(0));
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
        config_seq,
    })
}
