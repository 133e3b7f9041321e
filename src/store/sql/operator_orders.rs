//! Stores orders of operators: given by any node, numbered under the lease of their target, moved on by its owner. Layer:
//! adapter. Keeps I4, I6, I16.

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet_actors::domain::commit::rows::OrderChange;
use botfleet_actors::domain::operator_order::{
    NewOrder, OPEN_ORDERS_MAX, OperatorOrder, OrderId, OrderPlace, OrderTarget, outcome_of,
};
use botfleet_actors::domain::time::Timestamp;

use super::audit;
use super::text::statements;
use super::values::{Rows, json, values};
use crate::store::engine::{Engine, Reads, Run, Work};
use crate::store::fault::Fault;

/// Time after which nobody knows any more how an order ended that was begun, from the end of its own time on.
const BEGUN_MAX: Duration = Duration::from_mins(1);

/// The time on the database's clock.
macro_rules! now {
    () => {
        "`CAST(unixepoch('subsec') * 1000 AS INTEGER)|(extract(epoch FROM clock_timestamp()) * 1000)::bigint`"
    };
}

/// Takes the words of an operator out of an order that is over.
macro_rules! unworded {
    ($state:literal) => {
        concat!(
            "arguments = CASE WHEN kind = 'say' AND ",
            $state,
            " <> 'begun' THEN `json_remove(arguments, '$.text')|(arguments::jsonb - 'text')::text` ELSE arguments END"
        )
    };
}

statements! {
    /// Lets one order at a time get the next number of its target.
    LOCK_LEASE "order_lease" = "SELECT key FROM lease WHERE kind = $1 AND key = $2 `for update`";
    /// Does the same for nodes, which have no lease: their own rows are left to their beats.
    LOCK_NODES "order_nodes" = "SELECT `1|pg_advisory_xact_lock(hashtext('botfleet order'))`";
    GIVE "give_order" = concat!("\
INSERT INTO operator_order (id, target_kind, target, number, kind, arguments, principal, created_at, expires_at, state) \
SELECT CAST($1 AS bigint), CAST($2 AS text), CAST($3 AS bigint), coalesce(max(number), 0) + 1, CAST($4 AS text), \
CAST($5 AS text), CAST($6 AS text), ", now!(), ", ", now!(), " + CAST($7 AS bigint), 'waiting' \
FROM operator_order WHERE target_kind = $2 AND target = $3 \
HAVING (SELECT count(*) FROM operator_order q WHERE q.state IN ('waiting', 'begun') AND q.target_kind = $2 \
AND q.target = $3) < $8 RETURNING `columns operator_order`");
    NEXT "next_order" = "\
SELECT `columns operator_order` FROM operator_order WHERE state IN ('waiting', 'begun') AND target_kind = $1 \
AND target = $2 ORDER BY number LIMIT 1";
    ONE "operator_order" = "SELECT `columns operator_order` FROM operator_order WHERE id = $1";
    LIST "operator_orders" = "\
SELECT `columns operator_order` FROM operator_order WHERE (created_at, id) < ($1, $2) \
ORDER BY created_at DESC, id DESC LIMIT $3";
    MOVED "orders_moved" = concat!("\
UPDATE operator_order SET state = r.state, ", unworded!("r.state"), ", result = r.result, node = r.node, epoch = r.epoch, \
ended_at = CASE WHEN r.state = 'begun' THEN NULL ELSE ", now!(), " END \
FROM `rows 1 id, state text, result text, node text, epoch` WHERE operator_order.id = r.id");
    /// Returns the intent of an order in the audit, while that has no outcome.
    INTENT "order_intent" = "SELECT body FROM audit_entry WHERE id = $1 AND waits_since IS NOT NULL AND body IS NOT NULL";
    /// Ends orders that their owners left: nobody began them in time, or nobody told how they ended.
    OVER "orders_over" = concat!("\
UPDATE operator_order SET state = CASE state WHEN 'waiting' THEN 'expired' ELSE 'unknown' END, ", unworded!("'over'"), ", ended_at = ", now!(), " \
WHERE state IN ('waiting', 'begun') AND expires_at <= ", now!(), " - CASE state WHEN 'waiting' THEN 0 ELSE $1 END RETURNING `columns operator_order`");
    DROP_ORDERS "drop_orders" = "\
DELETE FROM operator_order WHERE id IN (SELECT id FROM operator_order WHERE created_at < $2 \
AND state NOT IN ('waiting', 'begun') ORDER BY created_at, id LIMIT $1`| FOR UPDATE SKIP LOCKED`)";
}

/// Stores an order with the next number of its target, and its intent in the audit: both, or neither.
pub(crate) async fn give_order<E: Engine>(db: &E, order: &NewOrder) -> Result<Option<OperatorOrder>, Fault> {
    let mut task = db.begin().await?;
    match order.target.lease() {
        Some(lease) => drop(task.fetch::<i64>(&LOCK_LEASE, values![lease.kind(), lease.id()]).await?),
        None => drop(task.execute(&LOCK_NODES, values![]).await?),
    }
    let (kind, arguments) = order.task.parts();
    let (id, target, lives) = (order.id.0, order.target, i64::try_from(order.lives.as_millis()).unwrap_or(i64::MAX));
    let given =
        values![id, target.kind(), target.id(), kind, json(&arguments), order.principal(), lives, OPEN_ORDERS_MAX,];
    let given = task.fetch(&GIVE, given).await?.pop();
    if given.is_none() {
        task.give_up().await;
        return Ok(None);
    }
    audit::write(&mut task, order.intent()).await?;
    task.commit().await?;
    Ok(given)
}

pub(crate) async fn next_order(db: &impl Reads, target: OrderTarget) -> Result<Option<OperatorOrder>, Fault> {
    Ok(db.all(&NEXT, values![target.kind(), target.id()]).await?.pop())
}

pub(crate) async fn operator_orders(
    db: &impl Reads,
    before: Option<OrderPlace>,
    limit: usize,
) -> Result<Vec<OperatorOrder>, Fault> {
    let (at, id) = before.map_or((i64::MAX, i64::MAX), |place| (place.created_at.as_millis(), place.id.0));
    db.all(&LIST, values![at, id, limit]).await
}

pub(crate) async fn operator_order(db: &impl Reads, id: OrderId) -> Result<Option<OperatorOrder>, Fault> {
    Ok(db.all(&ONE, values![id.0]).await?.pop())
}

/// Moves orders on, within the transaction of their effects. The judge has put their outcomes among the entries of the audit.
pub(crate) async fn write<R: Run>(run: &mut R, orders: &BTreeMap<OrderId, OrderChange>) -> Result<(), Fault> {
    if orders.is_empty() {
        return Ok(());
    }
    let rows = orders.iter().map(|(id, OrderChange { state, result, step })| {
        (*id, *state, result.as_ref().map(json), step.node.as_str(), step.epoch)
    });
    run.execute(&MOVED, values![Rows::of(R::DATABASE, rows)]).await?;
    Ok(())
}

/// Ends the orders that their owners left, each with its outcome in the audit.
pub(crate) async fn end_the_left(db: &impl Engine) -> Result<(), Fault> {
    let begun = i64::try_from(BEGUN_MAX.as_millis()).unwrap_or(i64::MAX);
    let mut task = db.begin().await?;
    let left: Vec<OperatorOrder> = task.fetch(&OVER, values![begun]).await?;
    if left.is_empty() {
        task.give_up().await;
        return Ok(());
    }
    for order in left {
        let intent: Option<String> = task.fetch(&INTENT, values![order.id.intent().to_string()]).await?.pop();
        // An intent of a later version is closed by a task.
        let Some(intent) = intent.and_then(|body| serde_json::from_str(&body).ok()) else { continue };
        let at = order.ended_at.unwrap_or(order.expires_at);
        if let Some(outcome) = outcome_of(order.id, &intent, order.state, order.node.as_deref(), at) {
            audit::write(&mut task, &outcome).await?;
        }
    }
    task.commit().await
}

/// Returns the time before which orders were given that go.
pub(crate) fn given_before(now: Timestamp, days: u32) -> Timestamp {
    now - Duration::from_hours(24) * days
}
