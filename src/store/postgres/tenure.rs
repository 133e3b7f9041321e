//! Moves leases between owners, and gives back the work that owners had in hand. Layer: adapter. Keeps I4, I6, I8.

use std::collections::BTreeMap;

use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::outbox::RESEND_ATTEMPTS_MAX;
use botfleet_actors::domain::ownership::{Incarnation, LeaseKey};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::TURN_ATTEMPTS_MAX;
use botfleet_actors::ports::store::{StoreError, Tenure};
use sqlx::Error;

use super::error::to_port;
use super::session::{Session, Sessions};
use crate::store::columns::Columns;

const HAND_OVER: &str = "\
UPDATE lease SET owner = r.owner, desired = NULL, ready = false, epoch = r.epoch \
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS r (kind, key, owner, epoch) \
WHERE lease.kind = r.kind AND lease.key = r.key";
/// Returns a turn in hand to the queue as if nobody had claimed it.
pub(super) const TURNS_PUT_BACK: &str = "\
UPDATE turn SET state = 'queued', claimed_epoch = NULL, attempts = greatest(attempts - 1, 0) \
WHERE bot = ANY($1) AND state = 'claimed'";

const OTHERS_DEAD: &str = "UPDATE node SET state = 'dead' WHERE state <> 'dead'";
const ALL_LEASES: &str = "SELECT kind, key, epoch FROM lease ORDER BY kind, key FOR NO KEY UPDATE";
const MAKE_LEASES: &str = "\
INSERT INTO lease (kind, key, epoch) SELECT k.kind, k.id, 0 \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k ORDER BY k.kind, k.id \
ON CONFLICT (kind, key) DO NOTHING";
const TAKE_ALL: &str = "UPDATE lease SET owner = $1, desired = NULL, ready = false, epoch = $2";
const PAUSES_OVER: &str = "DELETE FROM send_pause WHERE until <= $1";
/// Locks a bot's lease if this incarnation still owns it; whoever would take the lease waits.
const IS_MINE: &str = "SELECT 1::bigint FROM lease WHERE kind = 'bot' AND key = $1 AND owner = $2 FOR SHARE";

pub(super) const TURNS_DEAD: &str = "\
UPDATE turn SET state = 'dead', error = 'its process died with it in hand ' || attempts || ' times' \
WHERE bot = ANY($1) AND state = 'claimed' AND attempts >= $2";
pub(super) const TURNS_REQUEUED: &str = "\
UPDATE turn SET state = 'queued', claimed_epoch = NULL WHERE bot = ANY($1) AND state = 'claimed'";
pub(super) const SENDS_AGAIN: &str = "\
UPDATE outbox SET state = 'retry_at', error = 'its process died while sending it, it is sent again' \
WHERE bot = ANY($1) AND state = 'sending' AND on_unknown = 'resend' AND attempts < $3 AND ";
pub(super) const SENDS_UNKNOWN: &str = "\
UPDATE outbox SET state = 'unknown', error = 'its process died while sending it' \
WHERE bot = ANY($1) AND state = 'sending' AND ";

/// Selects the sends to end, by who made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// All sends: nobody else lives.
    Everybodys,
    /// The sends of this incarnation.
    Mine,
    /// The sends of dead incarnations. An incarnation without a row is dead.
    Deads,
    /// The sends of all other incarnations.
    Others,
}

impl Whose {
    /// Returns the SQL condition; `$2` is this incarnation.
    pub(super) fn condition(self) -> &'static str {
        match self {
            Self::Everybodys => "($2::bigint IS NULL OR true)",
            Self::Mine => "claimed_by IS NOT DISTINCT FROM $2::bigint",
            Self::Deads => {
                "claimed_by IS DISTINCT FROM $2::bigint AND NOT EXISTS (\
                 SELECT 1 FROM node n WHERE n.incarnation = outbox.claimed_by AND n.state <> 'dead')"
            }
            Self::Others => "claimed_by IS DISTINCT FROM $2::bigint",
        }
    }
}

/// Gives leases away. Runs before all other writes of its batch, which may move the same turns. The leases are locked
/// already.
pub(super) async fn hand_over(
    session: &mut Session<'_>,
    leases: &BTreeMap<LeaseKey, (Incarnation, Epoch)>,
) -> Result<(), Error> {
    let kinds: Vec<&str> = leases.keys().map(|key| key.kind()).collect();
    let keys: Vec<i64> = leases.keys().map(|key| key.id()).collect();
    let owners: Vec<i64> = leases.values().map(|(to, _)| to.0).collect();
    let epochs: Vec<i64> = leases.values().map(|(_, epoch)| epoch.0).collect();
    let statement = sqlx::query(HAND_OVER).bind(kinds).bind(keys).bind(owners).bind(epochs);
    session.execute("hand_over", statement).await?;
    let bots: Vec<i64> = leases.keys().filter(|key| matches!(key, LeaseKey::Bot(_))).map(|key| key.id()).collect();
    if !bots.is_empty() {
        session.execute("turns_put_back", sqlx::query(TURNS_PUT_BACK).bind(bots)).await?;
    }
    Ok(())
}

/// Begins a tenure of everything. All other incarnations are dead already; their transactions are waited for.
pub(super) async fn begin(session: &mut Session<'_>, me: Incarnation, now: Timestamp) -> Result<Tenure, Error> {
    session.execute("tenure", sqlx::query(MAKE_LEASES)).await?;
    let mut bots = Vec::new();
    let mut epoch = 0;
    for row in session.fetch_all("tenure", sqlx::query(ALL_LEASES)).await? {
        let mut columns = Columns::of(&row);
        let lease =
            (|| Ok::<_, StoreError>((columns.take::<&str>()? == "bot", columns.take()?, columns.take::<i64>()?)))();
        let (is_bot, key, of_lease): (bool, i64, i64) = lease.map_err(|error| Error::Decode(Box::new(error)))?;
        epoch = epoch.max(of_lease);
        if is_bot {
            bots.push(key);
        }
    }
    let epoch = Epoch(epoch + 1);
    session.execute("tenure", sqlx::query(TAKE_ALL).bind(me.0).bind(epoch.0)).await?;
    session.execute("tenure", sqlx::query(PAUSES_OVER).bind(now.as_millis())).await?;
    let (turns_requeued, turns_dead) = give_turns_back(session, bots.clone()).await?;
    let (sends_again, sends_unknown) = end_sends(session, bots, Some(me), Whose::Everybodys).await?;
    Ok(Tenure { epoch, turns_requeued, turns_dead, sends_again, sends_unknown })
}

/// Declares all nodes dead.
pub(super) async fn bury_all(session: &mut Session<'_>) -> Result<(), Error> {
    session.execute("tenure", sqlx::query(OTHERS_DEAD)).await.map(drop)
}

/// Treats the work that one bot had in hand when its actor failed as failed, so that it begins again. Turns are given
/// back only while this incarnation still owns the lease; otherwise its new owner has them.
pub(super) async fn reclaim(sessions: &Sessions, bot: BotId, me: Option<Incarnation>) -> Result<(), StoreError> {
    let mut session = sessions.transaction().await?;
    let done = async {
        if is_mine(&mut session, bot, me).await? {
            give_turns_back(&mut session, vec![bot.0]).await?;
        }
        end_sends(&mut session, vec![bot.0], me, Whose::Mine).await?;
        session.commit().await
    };
    done.await.map_err(|error| to_port(&error))
}

/// Returns whether this incarnation owns the bot's lease; if so, the lease stays locked until the transaction ends.
pub(super) async fn is_mine(session: &mut Session<'_>, bot: BotId, me: Option<Incarnation>) -> Result<bool, Error> {
    let statement = sqlx::query(IS_MINE).bind(bot.0).bind(me.map(|Incarnation(me)| me));
    Ok(!session.fetch_all("is_mine", statement).await?.is_empty())
}

/// Gives back claimed turns of bots whose owner is dead. Returns how many are queued again, and how many are dead.
pub(super) async fn give_turns_back(session: &mut Session<'_>, bots: Vec<i64>) -> Result<(u64, u64), Error> {
    let dead = sqlx::query(TURNS_DEAD).bind(bots.clone()).bind(i64::from(TURN_ATTEMPTS_MAX));
    let dead = session.execute("turns_dead", dead).await?;
    let requeued = session.execute("turns_requeued", sqlx::query(TURNS_REQUEUED).bind(bots)).await?;
    Ok((requeued, dead))
}

/// Ends sends that nobody will settle. Returns how many are due again, and how many are unknown.
pub(super) async fn end_sends(
    session: &mut Session<'_>,
    bots: Vec<i64>,
    me: Option<Incarnation>,
    whose: Whose,
) -> Result<(u64, u64), Error> {
    let me = me.map(|Incarnation(me)| me);
    let again = sqlx::query(sqlx::AssertSqlSafe(format!("{SENDS_AGAIN}{}", whose.condition())));
    let again = again.bind(bots.clone()).bind(me).bind(i64::from(RESEND_ATTEMPTS_MAX));
    let again = session.execute("sends_again", again).await?;
    let unknown = sqlx::query(sqlx::AssertSqlSafe(format!("{SENDS_UNKNOWN}{}", whose.condition())));
    let unknown = session.execute("sends_unknown", unknown.bind(bots).bind(me)).await?;
    Ok((again, unknown))
}
