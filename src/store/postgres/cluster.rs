//! Stores the cluster state that the nodes of a fleet share, on PostgreSQL. Layer: adapter. Keeps I5, I6.
//!
//! Beats have a connection of their own, and so have looks at the other nodes: neither ever waits for a batch, a plan
//! or a lease. No statement here locks a node's row that a beat would wait for.

use async_trait::async_trait;
use botfleet_actors::domain::ids::{BotId, ConfigSeq, Epoch};
use botfleet_actors::domain::ownership::{
    Incarnation, Lease, LeaseKey, NewNode, NodeRecord, NodeReport, NodeState, Picture, Wish,
};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::cluster::{BeatAnswer, Cluster, Planner};
use botfleet_actors::ports::store::StoreError;
use sqlx::Error;

use super::PgStore;
use super::error::to_port;
use super::session::Session;
use super::tenure::{self, Whose};
use crate::store::columns::{Cells, Columns, unreadable};

const JOIN_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('botfleet join'))";
const LIVING: &str = "SELECT incarnation FROM node WHERE name = $1 AND state <> 'dead'";
const JOIN: &str = "\
INSERT INTO node (name, role, state, address, version, launch, session, joined_at) \
VALUES ($1, $2, 'alive', $3, $4, $5, $6, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) RETURNING incarnation";
/// Deletes dead nodes that joined more than a day ago and own no lease.
const FORGET_DEAD: &str = "\
DELETE FROM node WHERE state = 'dead' \
AND joined_at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 86400000 \
AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.owner = node.incarnation)";
const BEAT: &str = "\
WITH told AS (UPDATE node SET beat = beat + 1, report = $2::jsonb WHERE incarnation = $1 AND state <> 'dead' \
RETURNING state) \
SELECT coalesce((SELECT state FROM told), 'dead'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0)";
/// Builds the JSON that [`NodeRecord`] is read from.
const NODE: &str = "\
json_build_object('incarnation', n.incarnation, 'name', n.name, 'role', n.role, 'state', n.state, 'beat', n.beat, \
'report', n.report, 'address', n.address, 'version', n.version, 'joined_at', n.joined_at)";
/// Builds the JSON that [`Lease`] is read from.
const LEASE: &str = "\
json_build_object('key', json_build_object(l.kind, l.key), 'owner', l.owner, 'desired', l.desired, 'ready', l.ready, \
'epoch', l.epoch)";
const BURY: &str = "\
UPDATE node SET state = 'dead' FROM unnest($1::bigint[], $2::bigint[]) AS r (incarnation, beat) \
WHERE node.incarnation = r.incarnation AND node.beat = r.beat AND node.state <> 'dead' RETURNING node.incarnation, node.session";
const BURY_LAUNCH: &str = "\
UPDATE node SET state = 'dead' WHERE launch = $1 AND state <> 'dead' RETURNING incarnation, session";
/// Ends the connections of dead processes, which may hang in the middle of a transaction and hold its locks.
const END_SESSIONS: &str = "\
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a \
WHERE a.usename = current_user AND EXISTS (SELECT 1 FROM unnest($1::text[]) AS s (name) WHERE starts_with(a.application_name, s.name))";
const SET_STATE: &str = "UPDATE node SET state = $2 WHERE name = $1 AND state <> 'dead'";
const LEAVE: &str = "UPDATE node SET state = 'dead' WHERE incarnation = $1";
const PLAN_LOCK: &str = "SELECT pg_try_advisory_xact_lock(hashtext('botfleet plan'))";
/// Takes the locks in order; an `UPDATE` alone would take them in the order in which it finds the rows.
const LOCK: &str = "\
SELECT 1::bigint FROM lease l JOIN unnest($1::text[], $2::bigint[]) AS r (kind, key) ON l.kind = r.kind AND l.key = r.key \
ORDER BY l.kind, l.key FOR NO KEY UPDATE OF l";
const WISH: &str = "\
UPDATE lease SET desired = r.desired, ready = false \
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS r (kind, key, desired) \
WHERE lease.kind = r.kind AND lease.key = r.key AND lease.desired IS DISTINCT FROM r.desired";
const READY: &str = "\
UPDATE lease SET ready = true FROM unnest($1::text[], $2::bigint[]) AS r (kind, key) \
WHERE lease.kind = r.kind AND lease.key = r.key AND lease.desired = $3";
const TAKE: &str = "\
UPDATE lease SET owner = $3, desired = NULL, ready = false, epoch = lease.epoch + 1 \
FROM unnest($1::text[], $2::bigint[]) AS r (kind, key) \
WHERE lease.kind = r.kind AND lease.key = r.key AND lease.desired = $3 AND lease.owner IS DISTINCT FROM $3 \
AND NOT EXISTS (SELECT 1 FROM node n WHERE n.incarnation = lease.owner AND n.state <> 'dead') \
AND EXISTS (SELECT 1 FROM node n WHERE n.incarnation = $3 AND n.state <> 'dead') \
RETURNING lease.kind, lease.key, lease.epoch";
pub(super) const STILL_SENDING: &str = "\
SELECT count(*) FROM outbox WHERE bot = $1 AND state = 'sending' AND claimed_by IS DISTINCT FROM $2::bigint";

fn failed(error: &Error) -> StoreError {
    to_port(error)
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable("picture", error))
}

fn columns_of(keys: &[LeaseKey]) -> (Vec<&'static str>, Vec<i64>) {
    keys.iter().map(|key| (key.kind(), key.id())).unzip()
}

fn picture_of(row: &dyn Cells) -> Result<Picture, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Picture {
        nodes: json(columns.take()?)?,
        leases: json::<Vec<Lease>>(columns.take()?)?,
        config_seq: ConfigSeq(columns.take()?),
    })
}

/// Returns the statement that reads nodes and leases in one snapshot.
pub(super) fn picture_sql() -> String {
    format!(
        "SELECT coalesce((SELECT json_agg({NODE} ORDER BY n.incarnation) FROM node n WHERE n.state <> 'dead' \
         OR EXISTS (SELECT 1 FROM lease o WHERE o.owner = n.incarnation))::text, '[]'), \
         coalesce((SELECT json_agg({LEASE} ORDER BY l.kind, l.key) FROM lease l \
         WHERE (l.kind = 'bot' AND EXISTS (SELECT 1 FROM bot b WHERE b.id = l.key AND b.in_use)) \
         OR (l.kind = 'chat' AND EXISTS (SELECT 1 FROM chat c WHERE c.id = l.key AND c.in_use)))::text, '[]'), \
         coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0)"
    )
}

async fn picture(session: &mut Session<'_>) -> Result<Picture, StoreError> {
    let statement = sqlx::query(sqlx::AssertSqlSafe(picture_sql()));
    picture_of(&session.fetch_one("picture", statement).await.map_err(|error| failed(&error))?)
}

/// Registers an incarnation, in the open transaction. With `alone`, all other nodes are declared dead; without it, a
/// living node of the same name makes the registration fail.
pub(super) async fn register(
    session: &mut Session<'_>,
    node: &NewNode,
    name_of_session: &str,
    alone: bool,
) -> Result<Incarnation, StoreError> {
    let error = |error: Error| to_port(&error);
    session.fetch_all("join_lock", sqlx::query(JOIN_LOCK)).await.map_err(error)?;
    if alone {
        tenure::bury_all(session).await.map_err(error)?;
    }
    let living = session.fetch_all("living", sqlx::query(LIVING).bind(node.name.clone())).await.map_err(error)?;
    if let Some(row) = living.first() {
        let other: i64 = Columns::of(row).take()?;
        return Err(StoreError::Unavailable(format!("node {} still lives as incarnation {other}", node.name)));
    }
    session.execute("forget_dead", sqlx::query(FORGET_DEAD)).await.map_err(error)?;
    let join = sqlx::query(JOIN)
        .bind(node.name.clone())
        .bind(node.role.as_str())
        .bind(node.address.clone())
        .bind(node.version.clone())
        .bind(node.launch)
        .bind(name_of_session.to_owned());
    let row = session.fetch_one("join", join).await.map_err(error)?;
    Ok(Incarnation(Columns::of(&row).take()?))
}

#[async_trait]
impl Cluster for PgStore {
    async fn join(&self, node: &NewNode) -> Result<Incarnation, StoreError> {
        let mut session = self.tasks.transaction().await?;
        let joined = register(&mut session, node, &self.name, false).await;
        if joined.is_err() {
            session.roll_back().await;
        }
        let me = joined?;
        session.commit().await.map_err(|error| failed(&error))?;
        self.became(me, None);
        Ok(me)
    }

    async fn beat(&self, me: Incarnation, report: &NodeReport) -> Result<BeatAnswer, StoreError> {
        let report = serde_json::to_string(report).unwrap_or_else(|_| "{}".to_owned());
        let rows = self.beats.read("beat", || sqlx::query(BEAT).bind(me.0).bind(report.clone())).await?;
        let row = rows.first().ok_or_else(|| unreadable("beat", "no row"))?;
        let mut columns = Columns::of(row);
        Ok(BeatAnswer {
            state: columns.name(NodeState::parse)?,
            now: Timestamp::from_millis(columns.take()?),
            config_seq: ConfigSeq(columns.take()?),
        })
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        let sql = format!(
            "SELECT coalesce(json_agg({NODE} ORDER BY n.incarnation)::text, '[]') FROM node n WHERE n.state <> 'dead'"
        );
        let rows = self.watch.read("nodes", || sqlx::query(sqlx::AssertSqlSafe(sql.clone()))).await?;
        let row = rows.first().ok_or_else(|| unreadable("nodes", "no row"))?;
        json(Columns::of(row).take()?)
    }

    async fn picture(&self) -> Result<Picture, StoreError> {
        let statement = || sqlx::query(sqlx::AssertSqlSafe(picture_sql()));
        let rows = self.watch.read("picture", statement).await?;
        picture_of(rows.first().ok_or_else(|| unreadable("picture", "no row"))?)
    }

    async fn bury(&self, silent: &[(Incarnation, i64)]) -> Result<Vec<Incarnation>, StoreError> {
        let incarnations: Vec<i64> = silent.iter().map(|(incarnation, _)| incarnation.0).collect();
        let beats: Vec<i64> = silent.iter().map(|(_, beat)| *beat).collect();
        let mut session = self.watch.session().await?;
        let statement = sqlx::query(BURY).bind(incarnations).bind(beats);
        let rows = session.fetch_all("bury", statement).await.map_err(|error| failed(&error))?;
        let mut buried = Vec::new();
        let mut sessions = Vec::new();
        for row in &rows {
            let mut columns = Columns::of(row);
            buried.push(Incarnation(columns.take()?));
            sessions.push(columns.take::<String>()?);
        }
        end_sessions(&mut session, sessions).await;
        Ok(buried)
    }

    async fn bury_launch(&self, launch: i64) -> Result<(), StoreError> {
        let mut session = self.watch.session().await?;
        let statement = sqlx::query(BURY_LAUNCH).bind(launch);
        let rows = session.fetch_all("bury_launch", statement).await.map_err(|error| failed(&error))?;
        let mut sessions = Vec::new();
        for row in &rows {
            let mut columns = Columns::of(row);
            columns.take::<i64>()?;
            sessions.push(columns.take::<String>()?);
        }
        end_sessions(&mut session, sessions).await;
        Ok(())
    }

    async fn set_draining(&self, node: &str, draining: bool) -> Result<bool, StoreError> {
        let state = if draining { NodeState::Draining } else { NodeState::Alive };
        let mut session = self.tasks.session().await?;
        let statement = sqlx::query(SET_STATE).bind(node.to_owned()).bind(state.as_str());
        let changed = session.execute("set_draining", statement).await.map_err(|error| failed(&error))?;
        Ok(changed > 0)
    }

    async fn plan(&self, planner: Planner<'_>) -> Result<bool, StoreError> {
        let mut session = self.tasks.transaction().await?;
        let row = session.fetch_one("plan_lock", sqlx::query(PLAN_LOCK)).await.map_err(|error| failed(&error))?;
        if !Columns::of(&row).take::<bool>()? {
            session.roll_back().await;
            return Ok(false);
        }
        let picture = picture(&mut session).await?;
        let wishes = planner(&picture);
        let news: Vec<Wish> = wishes
            .into_iter()
            .filter(|wish| picture.leases.iter().any(|lease| lease.key == wish.key && lease.desired != wish.desired))
            .collect();
        if news.is_empty() {
            session.roll_back().await;
            return Ok(true);
        }
        let keys: Vec<LeaseKey> = news.iter().map(|wish| wish.key).collect();
        let desired: Vec<Option<i64>> = news.iter().map(|wish| wish.desired.map(|desired| desired.0)).collect();
        let (kinds, ids) = columns_of(&keys);
        let written = async {
            let lock = sqlx::query(LOCK).bind(kinds.clone()).bind(ids.clone());
            session.fetch_all("lock_leases", lock).await?;
            let wish = sqlx::query(WISH).bind(kinds).bind(ids).bind(desired);
            session.execute("wish", wish).await?;
            session.commit().await
        };
        written.await.map_err(|error| failed(&error))?;
        Ok(true)
    }

    async fn ready(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<(), StoreError> {
        let (kinds, ids) = columns_of(keys);
        let mut session = self.tasks.transaction().await?;
        let written = async {
            let lock = sqlx::query(LOCK).bind(kinds.clone()).bind(ids.clone());
            session.fetch_all("lock_leases", lock).await?;
            session.execute("ready", sqlx::query(READY).bind(kinds).bind(ids).bind(me.0)).await?;
            session.commit().await
        };
        written.await.map_err(|error| failed(&error))
    }

    /// Waits for batches in flight under these leases: they hold the leases' rows `FOR SHARE` until they end.
    async fn take(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<Vec<(LeaseKey, Epoch)>, StoreError> {
        let (kinds, ids) = columns_of(keys);
        let mut session = self.tasks.transaction().await?;
        let lock = sqlx::query(LOCK).bind(kinds.clone()).bind(ids.clone());
        session.fetch_all("lock_leases", lock).await.map_err(|error| failed(&error))?;
        let statement = sqlx::query(TAKE).bind(kinds).bind(ids).bind(me.0);
        let rows = session.fetch_all("take", statement).await.map_err(|error| failed(&error))?;
        let mut taken = Vec::new();
        for row in &rows {
            let mut columns = Columns::of(row);
            let (kind, id): (&str, i64) = (columns.take()?, columns.take()?);
            let key = LeaseKey::parse(kind, id).ok_or_else(|| unreadable("kind of a lease", kind))?;
            taken.push((key, Epoch(columns.take()?)));
        }
        taken.sort_unstable();
        let bots: Vec<i64> =
            taken.iter().filter(|(key, _)| matches!(key, LeaseKey::Bot(_))).map(|(key, _)| key.id()).collect();
        let given = async {
            if !bots.is_empty() {
                tenure::give_turns_back(&mut session, bots.clone()).await?;
                tenure::end_sends(&mut session, bots, Some(me), Whose::Deads).await?;
            }
            session.commit().await
        };
        given.await.map_err(|error| failed(&error))?;
        Ok(taken)
    }

    async fn settle_abandoned(&self, me: Incarnation, bot: BotId, overdue: bool) -> Result<u64, StoreError> {
        let mut session = self.tasks.transaction().await?;
        let settled = async {
            if tenure::is_mine(&mut session, bot, Some(me)).await? {
                let whose = if overdue { Whose::Others } else { Whose::Deads };
                tenure::end_sends(&mut session, vec![bot.0], Some(me), whose).await?;
            }
            let left = sqlx::query(STILL_SENDING).bind(bot.0).bind(me.0);
            let left = session.fetch_one("still_sending", left).await?;
            session.commit().await?;
            Ok(left)
        };
        let row = settled.await.map_err(|error: Error| failed(&error))?;
        Columns::of(&row).count()
    }

    async fn leave(&self, me: Incarnation) -> Result<(), StoreError> {
        let mut session = self.tasks.session().await?;
        session.execute("leave", sqlx::query(LEAVE).bind(me.0)).await.map(drop).map_err(|error| failed(&error))
    }
}

/// Ends the connections of dead processes. A failure is logged and does not fail the caller.
async fn end_sessions(session: &mut Session<'_>, names: Vec<String>) {
    if names.is_empty() {
        return;
    }
    if let Err(error) = session.fetch_all("end_sessions", sqlx::query(END_SESSIONS).bind(names)).await {
        tracing::warn!(%error, "connections of a dead node could not be ended");
    }
}
