//! The tenure of a process: it takes every lease under a new epoch. Layer: adapter. Keeps I4, I6, I8.

use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{StoreError, Tenure};

use crate::store::engine::Run;
use crate::store::fault::Fault;
use crate::store::rows::part::unreadable;
use crate::store::sql::tenure::{Whose, end_sends, give_turns_back};
use crate::store::sql::text::{Sql, statements};
use crate::store::sql::values::values;

statements! {
    NEXT_EPOCH "tenure" = "\
SELECT 1 + max(coalesce((SELECT max(epoch) FROM lease), 0), coalesce((SELECT max(epoch) FROM node), 0))";
    INCARNATION "tenure" = "\
INSERT INTO node (id, incarnation, epoch, beat, state) VALUES ($1, 1, $2, $3, 'alive') ON CONFLICT (id) \
DO UPDATE SET incarnation = incarnation + 1, epoch = excluded.epoch, beat = excluded.beat, state = 'alive'";
    OTHERS_DEAD "tenure" = "UPDATE node SET state = 'dead' WHERE id <> $1";
    LEASES "tenure" = "\
INSERT INTO lease (kind, key, owner_node, owner_incarnation, epoch) \
SELECT k.kind, k.id, n.id, n.incarnation, n.epoch \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k JOIN node n ON n.id = $1 WHERE true \
ON CONFLICT (kind, key) DO UPDATE SET owner_node = excluded.owner_node, \
owner_incarnation = excluded.owner_incarnation, epoch = excluded.epoch";
    BOTS "tenure" = "SELECT id FROM bot";
    /// Corrects heads that earlier versions left behind their decisions.
    LAST_DECISIONS "tenure" = "\
UPDATE chat_head SET last_decision = (SELECT max(number) FROM decision d WHERE d.chat = chat_head.chat) \
WHERE last_decision < (SELECT max(number) FROM decision d WHERE d.chat = chat_head.chat)";
    PAUSES_OVER "tenure" = "DELETE FROM send_pause WHERE until <= $1";

    /// Selects the latest instant at which a row was made, in milliseconds since 1970: ids begin with it (`domain::ids`).
    NEWEST "set_back" = "\
SELECT 1704067200000 + (max(coalesce((SELECT max(id) FROM inbox), 0), coalesce((SELECT max(id) FROM turn), 0), \
coalesce((SELECT max(id) FROM outbox), 0)) >> 22)";
    /// Checks whether plans were set back already for rows up to that instant: each instant is corrected once.
    IS_SET_BACK "set_back" = "SELECT 1 FROM setting WHERE key = 'set_back' AND config_seq >= $1";
    NOTE_SET_BACK "set_back" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('set_back', '{}', $1) \
ON CONFLICT (key) DO UPDATE SET config_seq = excluded.config_seq";
    PAUSES_SOONER "set_back" = "UPDATE send_pause SET until = until - $1";
    CHATS_SOONER "set_back" = "\
UPDATE chat_head SET next_tick_at = next_tick_at - $1, calm_until = calm_until - $1 \
WHERE next_tick_at IS NOT NULL OR calm_until IS NOT NULL";
    TURNS_SOONER "set_back" = "\
UPDATE turn SET due_at = due_at - $1, expires_at = expires_at - $1 WHERE `open turns` state <> 'dead'";
    MESSAGES_SOONER "set_back" = "\
UPDATE outbox SET due_at = due_at - $1, expires_at = expires_at - $1 WHERE `open messages` state <> 'unknown'";
    STOPS_SOONER "set_back" = "\
UPDATE control SET stopped_at = stopped_at - $1, until = until - $1, orders = CASE \
WHEN orders ->> '$.firm.at' IS NULL THEN orders \
WHEN orders ->> '$.firm.until' IS NULL THEN json_set(orders, '$.firm.at', (orders ->> '$.firm.at') - $1) \
ELSE json_set(orders, '$.firm.at', (orders ->> '$.firm.at') - $1, '$.firm.until', (orders ->> '$.firm.until') - $1) END";
    DOUBTS_SOONER "set_back" = "\
UPDATE control SET orders = json_set(orders, '$.doubts', (SELECT json_group_array(json_set(d.value, \
'$.at', (d.value ->> '$.at') - $1, '$.until', (d.value ->> '$.until') - $1)) FROM json_each(orders, '$.doubts') d)) \
WHERE json_array_length(orders, '$.doubts') > 0";
}

/// Moves instants that lie ahead back by the milliseconds that the last process's clock was ahead.
static SOONER: [&Sql; 6] =
    [&PAUSES_SOONER, &CHATS_SOONER, &TURNS_SOONER, &MESSAGES_SOONER, &STOPS_SOONER, &DOUBTS_SOONER];

/// The least lag, in milliseconds behind the newest row, at which a clock counts as set back.
const SET_BACK_MS: i64 = 2_000;

/// Begins a tenure, in the open transaction.
pub(super) async fn take_over(run: &mut impl Run, node: &str, now: Timestamp) -> Result<Tenure, Fault> {
    let epoch: i64 = one(&run.fetch(&NEXT_EPOCH, values![]).await?)?;
    run.execute(&INCARNATION, values![node, epoch, now]).await?;
    run.execute(&OTHERS_DEAD, values![node]).await?;
    run.execute(&LEASES, values![node]).await?;
    run.execute(&LAST_DECISIONS, values![]).await?;
    set_back(run, now).await?;
    run.execute(&PAUSES_OVER, values![now]).await?;
    let bots: Vec<i64> = run.fetch(&BOTS, values![]).await?;
    let (turns_requeued, turns_dead) = give_turns_back(run, bots.clone()).await?;
    let (sends_again, sends_unknown) = end_sends(run, bots, None, Whose::Everybodys).await?;
    Ok(Tenure { epoch: Epoch(epoch), turns_requeued, turns_dead, sends_again, sends_unknown })
}

fn one(rows: &[i64]) -> Result<i64, StoreError> {
    rows.first().copied().ok_or_else(|| unreadable("number", "no row"))
}

/// Sets the plans of the last process back if its clock was ahead of this one: its last row was made before now, so
/// plans count from that row. Windows are judged where they are used.
async fn set_back(run: &mut impl Run, now: Timestamp) -> Result<(), Fault> {
    let newest = one(&run.fetch(&NEWEST, values![]).await?)?;
    let ahead = newest - now.as_millis();
    if ahead < SET_BACK_MS || !run.fetch::<i64>(&IS_SET_BACK, values![newest]).await?.is_empty() {
        return Ok(());
    }
    run.execute(&NOTE_SET_BACK, values![newest]).await?;
    tracing::warn!(
        ahead_s = ahead / 1000,
        "the clock of the last process was ahead of this one: its plans are set back"
    );
    for statement in SOONER {
        run.execute(statement, values![ahead]).await?;
    }
    Ok(())
}
