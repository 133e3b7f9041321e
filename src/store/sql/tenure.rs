//! Gives leases away, and gives back the work that owners had in hand. Layer: adapter. Keeps I4, I6, I8.

use std::collections::BTreeMap;

use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::names::names;
use botfleet_actors::domain::outbox::RESEND_ATTEMPTS_MAX;
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey};
use botfleet_actors::domain::turn::TURN_ATTEMPTS_MAX;

use super::text::statements;
use super::values::{Rows, values};
use crate::store::engine::{Engine, Run, Work};
use crate::store::fault::Fault;

/// Selects the sends of those whom value 3 names; value 2 is this incarnation.
macro_rules! whose {
    () => {
        "`| AND CASE $3 WHEN 'all' THEN true \
WHEN 'mine' THEN claimed_by IS NOT DISTINCT FROM $2::bigint \
WHEN 'others' THEN claimed_by IS DISTINCT FROM $2::bigint \
ELSE claimed_by IS DISTINCT FROM $2::bigint AND NOT EXISTS (\
SELECT 1 FROM node n WHERE n.incarnation = outbox.claimed_by AND n.state <> 'dead') END`"
    };
}

statements! {
    HAND_OVER "hand_over" = "\
UPDATE lease SET `owner_node = NULL, owner_incarnation = r.owner|\
owner = r.owner, desired = NULL, ready = false`, epoch = r.epoch \
FROM `rows 1 kind text, key, owner, epoch` WHERE lease.kind = r.kind AND lease.key = r.key";
    /// Returns a turn in hand to the queue as if nobody had claimed it.
    TURNS_PUT_BACK "turns_put_back" = "\
UPDATE turn SET state = 'queued', claimed_epoch = NULL, attempts = `max|greatest`(attempts - 1, 0) \
WHERE `open turns` state = 'claimed' AND bot `among 1`";
    TURNS_DEAD "turns_dead" = "\
UPDATE turn SET state = 'dead', error = 'its process died with it in hand ' || attempts || ' times' \
WHERE `open turns` state = 'claimed' AND bot `among 1` AND attempts >= $2";
    TURNS_REQUEUED "turns_requeued" = "\
UPDATE turn SET state = 'queued', claimed_epoch = NULL WHERE `open turns` state = 'claimed' AND bot `among 1`";
    SENDS_AGAIN "sends_again" = concat!("\
UPDATE outbox SET state = 'retry_at', error = 'its process died while sending it, it is sent again' \
WHERE `open messages` state = 'sending' AND bot `among 1` AND on_unknown = 'resend' AND attempts < $4", whose!());
    SENDS_UNKNOWN "sends_unknown" = concat!("\
UPDATE outbox SET state = 'unknown', error = 'its process died while sending it' \
WHERE `open messages` state = 'sending' AND bot `among 1`", whose!());
}

/// Selects the sends to end, by who made them. On SQLite one process made them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// All sends: nobody else lives.
    Everybodys,
    /// The sends of this incarnation.
    Mine,
    /// The sends of dead incarnations. An incarnation without a row is dead.
    Deads,
    /// The sends of all other incarnations.
    Others,
}

names! { Whose { Everybodys = "all", Mine = "mine", Deads = "deads", Others = "others" } }

/// Gives leases away. Runs before all other writes of its batch, which may move the same turns. The leases are locked
/// already.
pub(crate) async fn hand_over<R: Run>(
    run: &mut R,
    leases: &BTreeMap<LeaseKey, (Incarnation, Epoch)>,
) -> Result<(), Fault> {
    let rows = leases.iter().map(|(key, (to, epoch))| (*key, *to, *epoch));
    run.execute(&HAND_OVER, values![Rows::of(R::DATABASE, rows)]).await?;
    let bots: Vec<i64> = leases.keys().filter(|key| matches!(key, LeaseKey::Bot(_))).map(|key| key.id()).collect();
    if !bots.is_empty() {
        run.execute(&TURNS_PUT_BACK, values![bots]).await?;
    }
    Ok(())
}

/// Treats the work that one bot had in hand when its actor failed as failed, so that it begins again. Turns are given
/// back only while this process still owns the lease; otherwise its new owner has them.
pub(crate) async fn reclaim(db: &impl Engine, bot: BotId) -> Result<(), Fault> {
    let mut task = db.begin().await?;
    if db.owns(&mut task, bot).await? {
        give_turns_back(&mut task, vec![bot.0]).await?;
    }
    end_sends(&mut task, vec![bot.0], db.me(), Whose::Mine).await?;
    task.commit().await
}

/// Gives back claimed turns of bots whose owner is dead. Returns how many are queued again, and how many are dead.
pub(crate) async fn give_turns_back(run: &mut impl Run, bots: Vec<i64>) -> Result<(u64, u64), Fault> {
    let dead = run.execute(&TURNS_DEAD, values![bots.clone(), i64::from(TURN_ATTEMPTS_MAX)]).await?;
    Ok((run.execute(&TURNS_REQUEUED, values![bots]).await?, dead))
}

/// Ends sends that nobody will settle. Returns how many are due again, and how many are unknown.
pub(crate) async fn end_sends(
    run: &mut impl Run,
    bots: Vec<i64>,
    me: Option<i64>,
    whose: Whose,
) -> Result<(u64, u64), Fault> {
    let (whose, attempts) = (whose.as_str(), i64::from(RESEND_ATTEMPTS_MAX));
    let again = run.execute(&SENDS_AGAIN, values![bots.clone(), me, whose, attempts]).await?;
    Ok((again, run.execute(&SENDS_UNKNOWN, values![bots, me, whose]).await?))
}
