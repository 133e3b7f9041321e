//! Stores the cluster state that the nodes of a fleet share, on PostgreSQL. Layer: adapter. Keeps I5, I6.
//!
//! Beats have a connection of their own, and so have looks at the other nodes: neither ever waits for a batch, a plan
//! or a lease. No statement here locks a node's row that a beat would wait for.

use async_trait::async_trait;
use botfleet_actors::domain::ids::{BotId, ConfigSeq, Epoch};
use botfleet_actors::domain::ownership::{
    Incarnation, Lease, LeaseKey, NewNode, NodeRecord, NodeReport, NodeState, Picture, Wish,
};
use botfleet_actors::ports::cluster::{BeatAnswer, Cluster, Planner};
use botfleet_actors::ports::store::StoreError;

use super::PgStore;
use super::session::Session;
use super::tenure;
use crate::store::engine::{Engine, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::{columns, unreadable};
use crate::store::sql::tenure::{Whose, end_sends, give_turns_back};
use crate::store::sql::text::statements;
use crate::store::sql::values::{Database, Rows, values};

/// Builds the JSON that [`NodeRecord`] is read from.
macro_rules! node {
    () => {
        "json_build_object('incarnation', n.incarnation, 'name', n.name, 'role', n.role, 'state', n.state, 'beat', n.beat, \
'report', n.report, 'address', n.address, 'version', n.version, 'joined_at', n.joined_at)"
    };
}

statements! {
    JOIN_LOCK "join_lock" = "SELECT pg_advisory_xact_lock(hashtext('botfleet join'))";
    LIVING "living" = "SELECT incarnation FROM node WHERE name = $1 AND state <> 'dead'";
    JOIN "join" = "\
INSERT INTO node (name, role, state, address, version, launch, session, joined_at) \
VALUES ($1, $2, 'alive', $3, $4, $5, $6, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) RETURNING incarnation";
    /// Deletes dead nodes that joined more than a day ago and own no lease.
    FORGET_DEAD "forget_dead" = "\
DELETE FROM node WHERE state = 'dead' \
AND joined_at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 86400000 \
AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.owner = node.incarnation)";
    BEAT "beat" = "\
WITH told AS (UPDATE node SET beat = beat + 1, report = $2::jsonb WHERE incarnation = $1 AND state <> 'dead' \
RETURNING state) \
SELECT coalesce((SELECT state FROM told), 'dead'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0), \
coalesce((SELECT config_seq FROM setting WHERE key = 'low_water'), 0)";
    NODES "nodes" = concat!(
        "SELECT coalesce(json_agg(", node!(), " ORDER BY n.incarnation)::text, '[]') FROM node n WHERE n.state <> 'dead'"
    );
    /// Reads nodes and leases in one snapshot.
    PICTURE "picture" = concat!("\
SELECT coalesce((SELECT json_agg(", node!(), " ORDER BY n.incarnation) FROM node n WHERE n.state <> 'dead' \
OR EXISTS (SELECT 1 FROM lease o WHERE o.owner = n.incarnation))::text, '[]'), \
coalesce((SELECT json_agg(json_build_object('key', json_build_object(l.kind, l.key), 'owner', l.owner, \
'desired', l.desired, 'ready', l.ready, 'epoch', l.epoch) ORDER BY l.kind, l.key) FROM lease l \
WHERE (l.kind = 'bot' AND EXISTS (SELECT 1 FROM bot b WHERE b.id = l.key AND b.in_use)) \
OR (l.kind = 'chat' AND EXISTS (SELECT 1 FROM chat c WHERE c.id = l.key AND c.in_use)))::text, '[]'), \
coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0)");
    BURY "bury" = "\
UPDATE node SET state = 'dead' FROM `rows 1 incarnation, beat` \
WHERE node.incarnation = r.incarnation AND node.beat = r.beat AND node.state <> 'dead' RETURNING node.incarnation, node.session";
    BURY_LAUNCH "bury_launch" = "\
UPDATE node SET state = 'dead' WHERE launch = $1 AND state <> 'dead' RETURNING incarnation, session";
    /// Ends the connections of dead processes, which may hang in the middle of a transaction and hold its locks.
    END_SESSIONS "end_sessions" = "\
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a \
WHERE a.usename = current_user AND EXISTS (SELECT 1 FROM `rows 1 name text` WHERE starts_with(a.application_name, r.name))";
    SET_STATE "set_draining" = "UPDATE node SET state = $2 WHERE name = $1 AND state <> 'dead'";
    LEAVE "leave" = "UPDATE node SET state = 'dead' WHERE incarnation = $1";
    PLAN_LOCK "plan_lock" = "SELECT pg_try_advisory_xact_lock(hashtext('botfleet plan'))";
    /// Takes the locks in order; an `UPDATE` alone would take them in the order in which it finds the rows.
    LOCK "lock_leases" = "\
SELECT l.key FROM lease l JOIN `rows 1 kind text, key` ON l.kind = r.kind AND l.key = r.key \
ORDER BY l.kind, l.key FOR NO KEY UPDATE OF l";
    WISH "wish" = "\
UPDATE lease SET desired = r.desired, ready = false FROM `rows 1 kind text, key, desired` \
WHERE lease.kind = r.kind AND lease.key = r.key AND lease.desired IS DISTINCT FROM r.desired";
    READY "ready" = "\
UPDATE lease SET ready = true FROM `rows 1 kind text, key` \
WHERE lease.kind = r.kind AND lease.key = r.key AND lease.desired = $2";
    TAKE "take" = "\
UPDATE lease SET owner = $2, desired = NULL, ready = false, epoch = lease.epoch + 1 FROM `rows 1 kind text, key` \
WHERE lease.kind = r.kind AND lease.key = r.key AND lease.desired = $2 AND lease.owner IS DISTINCT FROM $2 \
AND NOT EXISTS (SELECT 1 FROM node n WHERE n.incarnation = lease.owner AND n.state <> 'dead') \
AND EXISTS (SELECT 1 FROM node n WHERE n.incarnation = $2 AND n.state <> 'dead') \
RETURNING lease.kind, lease.key, lease.epoch";
    STILL_SENDING "still_sending" = "\
SELECT count(*) FROM outbox WHERE bot = $1 AND state = 'sending' AND claimed_by IS DISTINCT FROM $2::bigint";
}

columns!(BeatAnswer { state, now, config_seq, low_water });

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable("picture", error))
}

/// Returns the only row of a statement.
fn only<T>(mut rows: Vec<T>) -> Result<T, StoreError> {
    rows.pop().ok_or_else(|| unreadable("answer", "no row"))
}

fn picture_of(rows: Vec<(String, String, ConfigSeq)>) -> Result<Picture, StoreError> {
    let (nodes, leases, config_seq) = only(rows)?;
    Ok(Picture { nodes: json(&nodes)?, leases: json::<Vec<Lease>>(&leases)?, config_seq })
}

/// Registers an incarnation, in the open transaction. With `alone`, all other nodes are declared dead; without it, a
/// living node of the same name makes the registration fail.
pub(super) async fn register(
    session: &mut Session<'_>,
    node: &NewNode,
    name_of_session: &str,
    alone: bool,
) -> Result<Incarnation, Fault> {
    session.execute(&JOIN_LOCK, values![]).await?;
    if alone {
        tenure::bury_all(session).await?;
    }
    let NewNode { name, role, address, version, launch } = node;
    if let Some(other) = session.fetch::<i64>(&LIVING, values![name.as_str()]).await?.first() {
        return Err(StoreError::Unavailable(format!("node {name} still lives as incarnation {other}")).into());
    }
    session.execute(&FORGET_DEAD, values![]).await?;
    let join = values![name.as_str(), role.as_str(), address.as_deref(), version.as_str(), *launch, name_of_session];
    Ok(only(session.fetch(&JOIN, join).await?)?)
}

/// Ends the connections of dead processes, by their incarnations and names. A failure is logged and does not fail the
/// caller.
async fn end_sessions(session: &mut Session<'_>, dead: &[(Incarnation, String)]) {
    if dead.is_empty() {
        return;
    }
    let names = Rows::of(Database::Postgres, dead.iter().map(|(_, name)| name.as_str()));
    if let Err(fault) = session.execute(&END_SESSIONS, values![names]).await {
        let error = StoreError::from(fault);
        tracing::warn!(%error, "connections of a dead node could not be ended");
    }
}

#[async_trait]
impl Cluster for PgStore {
    async fn join(&self, node: &NewNode) -> Result<Incarnation, StoreError> {
        let mut session = self.engine.tasks.transaction().await?;
        let joined = register(&mut session, node, &self.engine.name, false).await;
        if joined.is_err() {
            session.roll_back().await;
        }
        let me = joined?;
        session.commit().await?;
        self.engine.became(me, None);
        Ok(me)
    }

    async fn beat(&self, me: Incarnation, report: &NodeReport) -> Result<BeatAnswer, StoreError> {
        let report = serde_json::to_string(report).unwrap_or_else(|_| "{}".to_owned());
        only(self.engine.beats.all(&BEAT, values![me.0, report]).await?)
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        json(&only::<String>(self.engine.watch.all(&NODES, values![]).await?)?)
    }

    async fn picture(&self) -> Result<Picture, StoreError> {
        picture_of(self.engine.watch.all(&PICTURE, values![]).await?)
    }

    async fn bury(&self, silent: &[(Incarnation, i64)]) -> Result<Vec<Incarnation>, StoreError> {
        let mut session = self.engine.watch.session().await?;
        let buried = session.fetch(&BURY, values![Rows::over(Database::Postgres, silent)]).await?;
        end_sessions(&mut session, &buried).await;
        Ok(buried.into_iter().map(|(incarnation, _)| incarnation).collect())
    }

    async fn bury_launch(&self, launch: i64) -> Result<(), StoreError> {
        let mut session = self.engine.watch.session().await?;
        let buried = session.fetch(&BURY_LAUNCH, values![launch]).await?;
        end_sessions(&mut session, &buried).await;
        Ok(())
    }

    async fn set_draining(&self, node: &str, draining: bool) -> Result<bool, StoreError> {
        let state = if draining { NodeState::Draining } else { NodeState::Alive };
        Ok(self.engine.once(&SET_STATE, values![node, state.as_str()]).await? > 0)
    }

    async fn plan(&self, planner: Planner<'_>) -> Result<bool, StoreError> {
        let mut session = self.engine.tasks.transaction().await?;
        if !only::<bool>(session.fetch(&PLAN_LOCK, values![]).await?)? {
            session.roll_back().await;
            return Ok(false);
        }
        let picture = picture_of(session.fetch(&PICTURE, values![]).await?)?;
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
        session.fetch::<i64>(&LOCK, values![Rows::over(Database::Postgres, &keys)]).await?;
        let wishes = news.iter().map(|wish| (wish.key, wish.desired));
        session.execute(&WISH, values![Rows::of(Database::Postgres, wishes)]).await?;
        session.commit().await?;
        Ok(true)
    }

    async fn ready(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<(), StoreError> {
        let mut session = self.engine.tasks.transaction().await?;
        session.fetch::<i64>(&LOCK, values![Rows::over(Database::Postgres, keys)]).await?;
        session.execute(&READY, values![Rows::over(Database::Postgres, keys), me.0]).await?;
        Ok(session.commit().await?)
    }

    /// Waits for batches in flight under these leases: they hold the leases' rows `FOR SHARE` until they end.
    async fn take(&self, me: Incarnation, keys: &[LeaseKey]) -> Result<Vec<(LeaseKey, Epoch)>, StoreError> {
        let mut session = self.engine.tasks.transaction().await?;
        session.fetch::<i64>(&LOCK, values![Rows::over(Database::Postgres, keys)]).await?;
        let mut taken: Vec<(LeaseKey, Epoch)> =
            session.fetch(&TAKE, values![Rows::over(Database::Postgres, keys), me.0]).await?;
        taken.sort_unstable();
        let bots: Vec<i64> =
            taken.iter().filter(|(key, _)| matches!(key, LeaseKey::Bot(_))).map(|(key, _)| key.id()).collect();
        if !bots.is_empty() {
            give_turns_back(&mut session, bots.clone()).await?;
            end_sends(&mut session, bots, Some(me.0), Whose::Deads).await?;
        }
        session.commit().await?;
        Ok(taken)
    }

    async fn settle_abandoned(&self, me: Incarnation, bot: BotId, overdue: bool) -> Result<u64, StoreError> {
        let mut session = self.engine.tasks.transaction().await?;
        if tenure::is_mine(&mut session, bot, Some(me.0)).await? {
            let whose = if overdue { Whose::Others } else { Whose::Deads };
            end_sends(&mut session, vec![bot.0], Some(me.0), whose).await?;
        }
        let left = only(session.fetch(&STILL_SENDING, values![bot, me.0]).await?)?;
        session.commit().await?;
        Ok(left)
    }

    async fn leave(&self, me: Incarnation) -> Result<(), StoreError> {
        self.engine.once(&LEAVE, values![me.0]).await?;
        Ok(())
    }
}
