//! Runs the store's statements on PostgreSQL, on connections for each purpose. Layer: adapter. Keeps I8.

use std::sync::atomic::{AtomicI64, Ordering};

use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::ownership::{Incarnation, NewNode, NodeRole};
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::Tenure;
use tokio::sync::Mutex;

use super::commit::Writer;
use super::session::{Session, Sessions};
use super::{cluster, tenure};
use crate::store::engine::{Engine, Judgements, Reads, Run, Timed, Values, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::Part;
use crate::store::sql::roster;
use crate::store::sql::text::{Sql, statements};
use crate::store::sql::values::{Database, values};

/// Gives all statements of the transaction one snapshot.
const ONE_LOOK: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

statements! {
    /// Deletes the marks of processes that ended more than a week ago.
    PRUNE_MARKS "prune_marks" = "\
DELETE FROM commit_mark WHERE at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 604800000";
    /// Writes a row that nobody else writes.
    WRITABLE "check" = "\
INSERT INTO commit_mark (writer, batch, at) VALUES ($1, 0, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) \
ON CONFLICT (writer) DO UPDATE SET at = excluded.at";
}

/// All state of a cluster, as one process of it has access.
pub struct Postgres {
    pub(super) writer: Mutex<Writer>,
    pub(super) writes: Sessions,
    pub(super) reads: Sessions,
    pub(super) beats: Sessions,
    pub(super) watch: Sessions,
    pub(super) tasks: Sessions,
    /// The name that all connections of this process begin with.
    pub(super) name: String,
    /// This process's incarnation; 0 before it has one.
    pub(super) incarnation: AtomicI64,
    /// The epoch of a tenure of everything; 0 without one.
    pub(super) tenure: AtomicI64,
}

impl Postgres {
    /// Notes this process's incarnation, and the epoch of its tenure of everything.
    pub(super) fn became(&self, me: Incarnation, tenure: Option<Epoch>) {
        self.tenure.store(tenure.map_or(0, |epoch| epoch.0), Ordering::Release);
        self.incarnation.store(me.0, Ordering::Release);
    }
}

impl Reads for Postgres {
    const DATABASE: Database = Database::Postgres;
    type Look<'e> = Session<'e>;

    async fn all<P: Part + Send>(&self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<P>, Fault> {
        self.reads.all(sql, values).await
    }

    async fn look(&self) -> Result<Session<'_>, Fault> {
        let mut session = self.reads.transaction().await?;
        session.run("one_look", ONE_LOOK).await?;
        Ok(session)
    }

    /// Slow statements are logged.
    fn timed(&self, _: &'static str) -> Option<Timed> {
        None
    }
}

impl Engine for Postgres {
    type Task<'e> = Session<'e>;

    async fn begin(&self) -> Result<Session<'_>, Fault> {
        Ok(self.tasks.transaction().await?)
    }

    async fn once(&self, sql: &'static Sql, values: Values<'_>) -> Result<u64, Fault> {
        self.tasks.session().await?.execute(sql, values).await
    }

    /// Newcomers belong to this process in a tenure of everything, and to nobody in a cluster.
    fn newcomers<'e>(&'e self, _: &Session<'e>) -> (Option<i64>, Option<i64>) {
        let epoch = self.tenure.load(Ordering::Acquire);
        (self.me().filter(|_| epoch != 0), Some(epoch))
    }

    async fn roster(&self) -> Result<Roster, Fault> {
        roster::stored(self.look().await?).await
    }

    fn me(&self) -> Option<i64> {
        Some(self.incarnation.load(Ordering::Acquire)).filter(|me| *me != 0)
    }

    async fn owns<'e>(&'e self, task: &mut Session<'e>, bot: BotId) -> Result<bool, Fault>
    where
        Self: 'e,
    {
        tenure::is_mine(task, bot, self.me()).await
    }

    /// # Cancel safety
    /// A dropped call has committed all of its batch or nothing. The next call first waits until that is known.
    async fn commit(&self, batch: Vec<Operation>) -> Result<Judgements, Fault> {
        let mut writer = self.writer.lock().await;
        writer.incarnation = self.me().map(Incarnation);
        Ok(writer.commit(&self.writes, batch).await?)
    }

    /// Declares all other incarnations dead: this is for a process that is alone, as in the contract suite.
    async fn begin_tenure(&self, node: &str, now: Timestamp) -> Result<Tenure, Fault> {
        let mut session = self.begin().await?;
        let node = NewNode {
            name: node.to_owned(),
            role: NodeRole::All,
            address: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            launch: None,
        };
        let me = cluster::register(&mut session, &node, &self.name, true).await?;
        let tenure = tenure::begin(&mut session, me, now).await?;
        session.commit().await?;
        self.became(me, Some(tenure.epoch));
        Ok(tenure)
    }

    fn is_alone(&self) -> bool {
        self.tenure.load(Ordering::Acquire) != 0
    }

    async fn tidy(&self) -> Result<(), Fault> {
        self.once(&PRUNE_MARKS, values![]).await.map(drop)
    }

    /// The server frees overwritten rows by vacuum. The operator must let the server's log and backups expire.
    async fn wipe(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn check(&self) -> Result<(), Fault> {
        self.reads.all::<i64>(&WRITABLE, values![format!("{} checks", self.name)]).await.map(drop)
    }

    /// Closes all connections, those for beats too. A node therefore announces that it leaves before it closes the
    /// store.
    async fn close(&self) -> Result<(), Fault> {
        let _writer = self.writer.lock().await;
        for sessions in [&self.writes, &self.reads, &self.tasks, &self.watch, &self.beats] {
            sessions.close();
        }
        Ok(())
    }
}
