//! Holds connections to PostgreSQL, and limits how long anything may take on them. Layer: adapter. Keeps I8.
//!
//! Three limits apply to every statement: the server's own (`statement_timeout`, `lock_timeout`,
//! `idle_in_transaction_session_timeout`), the client's deadline, which is a little longer, and keep-alives by which
//! the server notices a client that is gone. A connection on which an answer is missing, whether by deadline, by error
//! or because the caller was dropped, is thrown away: a late answer would belong to a statement that nobody waits for.
//!
//! The pool is not sqlx's: sqlx keeps a connection whose caller was dropped until the server has answered, which over a
//! dead link is never.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use botfleet_actors::ports::metrics;
use botfleet_actors::ports::store::StoreError;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgQueryResult, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Error, Executor, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::store::engine::{Run, Timed, Values, Work};
use crate::store::fault::{Fault, is_broken, to_port};
use crate::store::rows::part::{Part, read};
use crate::store::sql::text::Sql;
use crate::store::sql::values::{Database, Value, for_postgres};

/// The longest time for making a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// The time that the network may add to the server's own limit.
const WAY: Duration = Duration::from_millis(500);

/// A statement with its parameters.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Limits of all connections of a store.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// The longest time of one statement, on the server.
    pub(super) statement: Duration,
    /// The time from which on a statement is logged as slow.
    pub(super) slow: Duration,
}

/// The connections for one purpose.
pub(super) struct Sessions {
    purpose: &'static str,
    options: PgConnectOptions,
    bounds: Bounds,
    permits: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
}

impl Sessions {
    pub(super) fn new(purpose: &'static str, size: usize, options: PgConnectOptions, bounds: Bounds) -> Self {
        Self { purpose, options, bounds, permits: Semaphore::new(size), idle: Mutex::default() }
    }

    /// Returns a connection as soon as one is free.
    pub(super) async fn session(&self) -> Result<Session<'_>, StoreError> {
        let since = Instant::now();
        let permit = tokio::time::timeout(self.bounds.statement, self.permits.acquire());
        let permit = match permit.await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::Unavailable("the store is closed".to_owned())),
            Err(_) => {
                metrics::store_connection_misses_total { r#for: self.purpose }.increment(1);
                return Err(StoreError::Unavailable(format!("no connection to {} is free", self.purpose)));
            }
        };
        metrics::store_connection_wait_seconds { r#for: self.purpose }.handle().record(since.elapsed().as_secs_f64());
        let idle = self.idle().pop();
        let fresh = idle.is_none();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        metrics::store_connections_active { r#for: self.purpose }.handle().increment(1);
        Ok(Session {
            home: self,
            connection: Some(connection),
            owes: false,
            in_transaction: false,
            fresh,
            _permit: permit,
        })
    }

    /// Returns a connection with an open transaction. A connection that broke while idle is replaced.
    pub(super) async fn transaction(&self) -> Result<Session<'_>, StoreError> {
        let mut session = self.session().await?;
        match session.begin().await {
            Err(_) if !session.fresh => {
                drop(session);
                self.forget();
                let mut session = self.session().await?;
                session.begin().await.map_err(|error| to_port(&error))?;
                Ok(session)
            }
            begun => begun.map(|()| session).map_err(|error| to_port(&error)),
        }
    }

    /// Runs a statement and reads all its rows, as [`Self::first`].
    pub(super) async fn all<P: Part>(&self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<P>, Fault> {
        let (_, rows) = self.first(sql.name, || statement(sql, &values)).await?;
        rows.iter().map(|row| Ok(read(row)?)).collect()
    }

    /// Runs the first statement of a connection, and returns both the connection and the rows. The statement may run twice: it
    /// is repeated when an idle connection turns out to be broken.
    pub(super) async fn first(
        &self,
        name: &'static str,
        statement: impl Fn() -> Result<Statement<'static>, Fault>,
    ) -> Result<(Session<'_>, Vec<PgRow>), Fault> {
        let mut session = self.session().await?;
        let fresh = session.fresh;
        match session.fetch_all(name, statement()?).await {
            Err(error) if is_broken(&error) && !fresh => {
                drop(session);
                self.forget();
                let mut session = self.session().await?;
                let rows = session.fetch_all(name, statement()?).await?;
                Ok((session, rows))
            }
            done => Ok((session, done?)),
        }
    }

    /// Closes the idle connections: they are as old as one that broke.
    pub(super) fn forget(&self) {
        let broken = std::mem::take(&mut *self.idle());
        metrics::store_connections_idle { r#for: self.purpose }.handle().set(0.0);
        drop(broken);
    }

    /// Refuses further callers, and closes the idle connections.
    pub(super) fn close(&self) {
        self.permits.close();
        self.forget();
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        match tokio::time::timeout(CONNECT_WITHIN, self.options.connect()).await {
            Ok(connected) => connected.map_err(|error| StoreError::Unavailable(format!("no connection: {error}"))),
            Err(_) => Err(StoreError::Unavailable("no connection: the server does not answer".to_owned())),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a statement with its values.
fn statement(sql: &'static Sql, values: &[Value<'_>]) -> Result<Statement<'static>, Fault> {
    Ok(sqlx::query_with(AssertSqlSafe(sql.text(Database::Postgres)?), for_postgres(values)?))
}

impl Run for Session<'_> {
    const DATABASE: Database = Database::Postgres;

    async fn fetch<P: Part + Send>(&mut self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<P>, Fault> {
        let rows = self.fetch_all(sql.name, statement(sql, &values)?).await?;
        rows.iter().map(|row| Ok(read(row)?)).collect()
    }

    async fn execute(&mut self, sql: &'static Sql, values: Values<'_>) -> Result<u64, Fault> {
        Ok(self.change(sql.name, statement(sql, &values)?).await?)
    }
}

impl Work for Session<'_> {
    async fn commit(mut self) -> Result<(), Fault> {
        Ok(self.end().await?)
    }

    async fn give_up(mut self) {
        self.roll_back().await;
    }
}

/// A connection in use. When it is dropped before an answer or the end of a transaction has come, it is thrown away.
pub(crate) struct Session<'s> {
    home: &'s Sessions,
    connection: Option<PgConnection>,
    owes: bool,
    in_transaction: bool,
    fresh: bool,
    _permit: SemaphorePermit<'s>,
}

impl Session<'_> {
    /// Runs a statement and returns all its rows.
    pub(super) async fn fetch_all(
        &mut self,
        name: &'static str,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        let deadline = self.deadline();
        let timed = self.timed(name);
        let connection = self.begin_to_owe()?;
        let done = within(deadline, statement.fetch_all(connection)).await;
        self.heard(&timed, done)
    }

    /// Runs a statement and returns its only row.
    pub(super) async fn fetch_one(&mut self, name: &'static str, statement: Statement<'_>) -> Result<PgRow, Error> {
        self.fetch_all(name, statement).await?.pop().ok_or(Error::RowNotFound)
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) async fn change(&mut self, name: &'static str, statement: Statement<'_>) -> Result<u64, Error> {
        let deadline = self.deadline();
        let timed = self.timed(name);
        let connection = self.begin_to_owe()?;
        let done = within(deadline, statement.execute(connection)).await;
        self.heard(&timed, done.map(|done: PgQueryResult| done.rows_affected()))
    }

    /// Runs a command without parameters.
    pub(super) async fn run(&mut self, name: &'static str, command: &'static str) -> Result<(), Error> {
        let deadline = self.deadline();
        let timed = self.timed(name);
        let connection = self.begin_to_owe()?;
        let done = within(deadline, connection.execute(sqlx::raw_sql(command))).await;
        self.heard(&timed, done.map(drop))
    }

    /// Opens a transaction.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        self.in_transaction = true;
        self.run("begin", "BEGIN").await
    }

    /// Commits the transaction.
    pub(super) async fn end(&mut self) -> Result<(), Error> {
        self.run("commit", "COMMIT").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Rolls the transaction back.
    pub(super) async fn roll_back(&mut self) {
        if self.run("rollback", "ROLLBACK").await.is_ok() {
            self.in_transaction = false;
        }
    }

    fn deadline(&self) -> Duration {
        self.home.bounds.statement + WAY
    }

    fn begin_to_owe(&mut self) -> Result<&mut PgConnection, Error> {
        self.owes = true;
        self.connection.as_mut().ok_or(Error::PoolClosed)
    }

    /// Counts a statement and starts its clock. A statement is known by its name; its values are never shown (I12).
    fn timed(&self, name: &'static str) -> Timed {
        metrics::store_statements_total { statement: name }.increment(1);
        Timed::start(name, self.home.bounds.slow)
    }

    fn heard<T>(&mut self, timed: &Timed, done: Result<T, Error>) -> Result<T, Error> {
        metrics::store_query_duration_seconds { statement: timed.name }
            .handle()
            .record(timed.since.elapsed().as_secs_f64());
        self.owes = done.as_ref().is_err_and(is_broken);
        done
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        metrics::store_connections_active { r#for: self.home.purpose }.handle().decrement(1);
        if let Some(connection) = self.connection.take()
            && !self.owes
            && !self.in_transaction
            && !self.home.permits.is_closed()
        {
            let mut idle = self.home.idle();
            idle.push(connection);
            metrics::store_connections_idle { r#for: self.home.purpose }.handle().set(idle.len() as f64);
        }
    }
}

async fn within<T>(deadline: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(done) => done,
        Err(_) => Err(Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from the database"))),
    }
}
