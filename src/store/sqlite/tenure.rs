//! The tenure of a process: it takes every lease under a new epoch. Layer: adapter. Keeps I4, I6, I8.

use std::collections::BTreeMap;

use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::outbox::RESEND_ATTEMPTS_MAX;
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::TURN_ATTEMPTS_MAX;
use botfleet_actors::ports::store::{StoreError, Tenure};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Error, Row};

use super::writer::Writer;
use crate::store::loaded::array;

const NEXT_EPOCH: &str = "\
SELECT 1 + max(coalesce((SELECT max(epoch) FROM lease), 0), coalesce((SELECT max(epoch) FROM node), 0))";
const INCARNATION: &str = "\
INSERT INTO node (id, incarnation, epoch, beat, state) VALUES ($1, 1, $2, $3, 'alive') \
ON CONFLICT (id) DO UPDATE SET incarnation = incarnation + 1, epoch = excluded.epoch, beat = excluded.beat, state = 'alive'; \
UPDATE node SET state = 'dead' WHERE id <> $1";
const LEASES: &str = "\
INSERT INTO lease (kind, key, owner_node, owner_incarnation, epoch) \
SELECT k.kind, k.id, n.id, n.incarnation, n.epoch \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k JOIN node n ON n.id = $1 WHERE true \
ON CONFLICT (kind, key) DO UPDATE SET owner_node = excluded.owner_node, \
owner_incarnation = excluded.owner_incarnation, epoch = excluded.epoch";
const TURNS_DEAD: &str = "\
UPDATE turn SET state = 'dead', error = 'its process died with it in hand ' || attempts || ' times' \
WHERE state IN ('queued', 'claimed', 'dead') AND state = 'claimed' AND attempts >= $1 AND ($2 IS NULL OR bot = $2)";
const TURNS_REQUEUED: &str = "\
UPDATE turn SET state = 'queued', claimed_epoch = NULL \
WHERE state IN ('queued', 'claimed', 'dead') AND state = 'claimed' AND ($1 IS NULL OR bot = $1)";
const SENDS_UNKNOWN: &str = "\
UPDATE outbox SET state = 'unknown', error = 'its process died while sending it' \
WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') AND state = 'sending' AND ($1 IS NULL OR bot = $1)";

const SENDS_AGAIN: &str = "\
UPDATE outbox SET state = 'retry_at', error = 'its process died while sending it, it is sent again' \
WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') AND state = 'sending' AND ($1 IS NULL OR bot = $1) \
AND on_unknown = 'resend' AND attempts < $2";
/// Corrects heads that earlier versions left behind their decisions.
const LAST_DECISIONS: &str = "\
UPDATE chat_head SET last_decision = (SELECT max(number) FROM decision d WHERE d.chat = chat_head.chat) \
WHERE last_decision < (SELECT max(number) FROM decision d WHERE d.chat = chat_head.chat)";
const PAUSES_OVER: &str = "DELETE FROM send_pause WHERE until <= $1";

/// Selects the latest instant at which a row was made, in milliseconds since 1970: ids begin with it (`domain::ids`).
const NEWEST: &str = "\
SELECT 1704067200000 + (max(coalesce((SELECT max(id) FROM inbox), 0), coalesce((SELECT max(id) FROM turn), 0), \
coalesce((SELECT max(id) FROM outbox), 0)) >> 22)";
/// Moves instants that lie ahead back by the milliseconds that the last process's clock was ahead.
const SOONER: [&str; 6] = [
    "UPDATE send_pause SET until = until - $1",
    "UPDATE chat_head SET next_tick_at = next_tick_at - $1, calm_until = calm_until - $1 \
WHERE next_tick_at IS NOT NULL OR calm_until IS NOT NULL",
    "UPDATE turn SET due_at = due_at - $1, expires_at = expires_at - $1 \
WHERE state IN ('queued', 'claimed', 'dead') AND state <> 'dead'",
    "UPDATE outbox SET due_at = due_at - $1, expires_at = expires_at - $1 \
WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') AND state <> 'unknown'",
    "UPDATE control SET stopped_at = stopped_at - $1, until = until - $1, orders = CASE \
WHEN orders ->> '$.firm.at' IS NULL THEN orders \
WHEN orders ->> '$.firm.until' IS NULL THEN json_set(orders, '$.firm.at', (orders ->> '$.firm.at') - $1) \
ELSE json_set(orders, '$.firm.at', (orders ->> '$.firm.at') - $1, '$.firm.until', (orders ->> '$.firm.until') - $1) END",
    "UPDATE control SET orders = json_set(orders, '$.doubts', (SELECT json_group_array(json_set(d.value, \
'$.at', (d.value ->> '$.at') - $1, '$.until', (d.value ->> '$.until') - $1)) FROM json_each(orders, '$.doubts') d)) \
WHERE json_array_length(orders, '$.doubts') > 0",
];

/// Checks whether plans were set back already for rows up to that instant: each instant is corrected once.
const IS_SET_BACK: &str = "SELECT 1 FROM setting WHERE key = 'set_back' AND config_seq >= $1";
const NOTE_SET_BACK: &str = "\
INSERT INTO setting (key, value, config_seq) VALUES ('set_back', '{}', $1) \
ON CONFLICT (key) DO UPDATE SET config_seq = excluded.config_seq";

/// The least lag, in milliseconds behind the newest row, at which a clock counts as set back.
const SET_BACK_MS: i64 = 2_000;

const HAND_OVER: &str = "\
UPDATE lease SET owner_node = NULL, owner_incarnation = j.value ->> 2, desired_owner = NULL, epoch = j.value ->> 3 \
FROM json_each($1) j WHERE lease.kind = j.value ->> 0 AND lease.key = j.value ->> 1";
const TURNS_PUT_BACK: &str = "\
UPDATE turn SET state = 'queued', claimed_epoch = NULL, attempts = max(attempts - 1, 0) \
FROM json_each($1) j WHERE j.value ->> 0 = 'bot' AND turn.bot = j.value ->> 1 \
AND turn.state IN ('queued', 'claimed', 'dead') AND turn.state = 'claimed'";

/// Begins a tenure.
pub(super) async fn begin(writer: &mut Writer, node: &str, now: Timestamp) -> Result<Tenure, StoreError> {
    let taken = take_over(writer.begin().await?, node, now).await;
    match taken {
        Ok(tenure) => {
            writer.commit().await?;
            writer.epoch = Some(tenure.epoch);
            Ok(tenure)
        }
        Err(error) => Err(writer.fail(&error)),
    }
}

async fn take_over(connection: &mut SqliteConnection, node: &str, now: Timestamp) -> Result<Tenure, Error> {
    let epoch: i64 = sqlx::query(NEXT_EPOCH).fetch_one(&mut *connection).await?.try_get(0)?;
    sqlx::query(INCARNATION).bind(node).bind(epoch).bind(now.as_millis()).execute(&mut *connection).await?;
    sqlx::query(LEASES).bind(node).execute(&mut *connection).await?;
    sqlx::query(LAST_DECISIONS).execute(&mut *connection).await?;
    set_back(connection, now).await?;
    sqlx::query(PAUSES_OVER).bind(now.as_millis()).execute(&mut *connection).await?;
    give_back(connection, Epoch(epoch), None).await
}

/// Sets the plans of the last process back if its clock was ahead of this one: its last row was made before now, so
/// plans count from that row. Windows are judged where they are used.
async fn set_back(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), Error> {
    let newest: i64 = sqlx::query(NEWEST).fetch_one(&mut *connection).await?.try_get(0)?;
    let ahead = newest - now.as_millis();
    if ahead < SET_BACK_MS || sqlx::query(IS_SET_BACK).bind(newest).fetch_optional(&mut *connection).await?.is_some() {
        return Ok(());
    }
    sqlx::query(NOTE_SET_BACK).bind(newest).execute(&mut *connection).await?;
    tracing::warn!(
        ahead_s = ahead / 1000,
        "the clock of the last process was ahead of this one: its plans are set back"
    );
    for statement in SOONER {
        sqlx::query(statement).bind(ahead).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Gives leases away. Runs before all other writes of its batch, which may move the same turns.
pub(super) async fn hand_over(
    connection: &mut SqliteConnection,
    leases: &BTreeMap<LeaseKey, (Incarnation, Epoch)>,
) -> Result<(), Error> {
    let rows: Vec<_> = leases.iter().map(|(key, (to, epoch))| (key.kind(), key.id(), to, epoch)).collect();
    let rows = array(&rows);
    sqlx::query(HAND_OVER).bind(&rows).execute(&mut *connection).await?;
    sqlx::query(TURNS_PUT_BACK).bind(&rows).execute(connection).await?;
    Ok(())
}

/// Treats the work that one bot had in hand when its actor failed as failed, so that it begins again.
pub(super) async fn reclaim(writer: &mut Writer, bot: BotId) -> Result<(), StoreError> {
    let given = give_back(writer.begin().await?, Epoch(0), Some(bot)).await;
    match given {
        Ok(_) => writer.commit().await,
        Err(error) => Err(writer.fail(&error)),
    }
}

/// Gives back the work in hand, of all bots or of one: turns to the queue or to the dead, sends to the unknown or,
/// where their policy says so, to those that are due again.
async fn give_back(connection: &mut SqliteConnection, epoch: Epoch, bot: Option<BotId>) -> Result<Tenure, Error> {
    let bot = bot.map(|bot| bot.0);
    let dead = sqlx::query(TURNS_DEAD).bind(i64::from(TURN_ATTEMPTS_MAX)).bind(bot).execute(&mut *connection).await?;
    let requeued = sqlx::query(TURNS_REQUEUED).bind(bot).execute(&mut *connection).await?;
    let again =
        sqlx::query(SENDS_AGAIN).bind(bot).bind(i64::from(RESEND_ATTEMPTS_MAX)).execute(&mut *connection).await?;
    let unknown = sqlx::query(SENDS_UNKNOWN).bind(bot).execute(connection).await?;
    Ok(Tenure {
        epoch,
        turns_requeued: requeued.rows_affected(),
        turns_dead: dead.rows_affected(),
        sends_again: again.rows_affected(),
        sends_unknown: unknown.rows_affected(),
    })
}
