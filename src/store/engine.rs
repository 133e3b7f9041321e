//! The seam between the store and its two databases. Layer: adapter.
//!
//! A statement is a text with marks ([`Sql`]) and its values; an engine fills in the marks and runs the statement.

use std::time::{Duration, Instant};

use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::outcome::{Applied, Refusal};
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::Tenure;

use super::fault::Fault;
use super::rows::part::Part;
use super::sql::text::Sql;
use super::sql::values::{Database, Value};

/// The values of a statement, `$1` first.
pub(super) type Values<'q> = Vec<Value<'q>>;

/// The results of a batch, operation by operation.
pub(super) type Judgements = Vec<Result<Applied, Refusal>>;

/// A connection that runs statements one after the other.
pub(super) trait Run: Send {
    /// The database that it is connected to.
    const DATABASE: Database;

    /// Runs a statement and reads all its rows.
    fn fetch<P: Part + Send>(
        &mut self,
        sql: &'static Sql,
        values: Values<'_>,
    ) -> impl Future<Output = Result<Vec<P>, Fault>> + Send;

    /// Runs a statement and returns how many rows it changed.
    fn execute(&mut self, sql: &'static Sql, values: Values<'_>) -> impl Future<Output = Result<u64, Fault>> + Send;
}

/// An open transaction; nothing of it is stored when it is dropped.
pub(super) trait Work: Run + Sized {
    /// Commits the transaction.
    fn commit(self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Rolls the transaction back at once.
    fn give_up(self) -> impl Future<Output = ()> + Send {
        async move { drop(self) }
    }
}

/// A database that can be read.
pub(super) trait Reads: Send + Sync + 'static {
    /// The database.
    const DATABASE: Database;

    /// A transaction that reads.
    type Look<'e>: Work
    where
        Self: 'e;

    /// Runs a statement that reads, and reads all its rows.
    fn all<P: Part + Send>(
        &self,
        sql: &'static Sql,
        values: Values<'_>,
    ) -> impl Future<Output = Result<Vec<P>, Fault>> + Send;

    /// Opens a transaction whose statements all see the same.
    fn look(&self) -> impl Future<Output = Result<Self::Look<'_>, Fault>> + Send;

    /// Starts the clock of a call, where slow calls are logged rather than slow statements.
    fn timed(&self, name: &'static str) -> Option<Timed>;
}

/// A database that a fleet works on.
pub(super) trait Engine: Reads {
    /// A transaction that writes.
    type Task<'e>: Work
    where
        Self: 'e;

    /// Opens a transaction that writes.
    fn begin(&self) -> impl Future<Output = Result<Self::Task<'_>, Fault>> + Send;

    /// Runs one statement that writes, and stores it.
    fn once(&self, sql: &'static Sql, values: Values<'_>) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Returns the owner and the epoch of the leases that new bots and chats get.
    fn newcomers<'e>(&'e self, task: &Self::Task<'e>) -> (Option<i64>, Option<i64>);

    /// Reads the roster (all bots and chats of the configuration in force) from one snapshot of the database.
    fn roster(&self) -> impl Future<Output = Result<Roster, Fault>> + Send;

    /// Returns this process's incarnation, where several share the database.
    fn me(&self) -> Option<i64>;

    /// Returns whether this process owns the bot's lease; if so, nobody takes the lease before the task ends.
    fn owns<'e>(&'e self, task: &mut Self::Task<'e>, bot: BotId) -> impl Future<Output = Result<bool, Fault>> + Send
    where
        Self: 'e;

    /// Commits a batch in one transaction.
    fn commit(&self, batch: Vec<Operation>) -> impl Future<Output = Result<Judgements, Fault>> + Send;

    /// Takes every lease under a new epoch.
    fn begin_tenure(&self, node: &str, now: Timestamp) -> impl Future<Output = Result<Tenure, Fault>> + Send;

    /// Returns whether this process works on the database alone.
    fn is_alone(&self) -> bool;

    /// Gives some of the space back that deleted rows took, and deletes what only this database keeps.
    fn tidy(&self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes sure that removed texts stand nowhere any more, as far as the database can.
    fn wipe(&self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Checks that the database answers and can write.
    fn check(&self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Closes all connections in good order.
    fn close(&self) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// A call that is being timed; it may run several statements.
pub(super) struct Timed {
    pub(super) name: &'static str,
    pub(super) since: Instant,
    slow: Duration,
}

impl Timed {
    /// Starts the clock of a call, which is logged by its name when it takes `slow` or longer.
    pub(super) fn start(name: &'static str, slow: Duration) -> Self {
        Self { name, since: Instant::now(), slow }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        if took >= self.slow {
            tracing::warn!(statement = self.name, took_ms = took.as_millis() as u64, "slow statement");
        }
    }
}
