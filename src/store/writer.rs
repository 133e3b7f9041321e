//! The one connection that writes. Layer: adapter. Keeps I8.
//!
//! Transactions are opened and closed by statements of ours, so that `BEGIN` travels with the loading statement and
//! `COMMIT` with the writes: two crossings to SQLite's thread for a batch. From the first statement to the confirmed
//! `COMMIT` the connection is in doubt; whoever finds it so (after an error, or after a dropped future) rolls it back
//! before doing anything else. SQLite's thread stops at the first statement whose result nobody takes, so a dropped
//! future commits all of its batch or nothing.

use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::ports::store::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Error, Executor};

use super::error::{is_busy, to_port};

/// The connection that writes; behind a mutex.
pub(super) struct Writer {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    in_doubt: bool,
    /// The epoch of this process's tenure, once it has begun.
    pub(super) epoch: Option<Epoch>,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, connection: Some(connection), in_doubt: false, epoch: None }
    }

    /// The connection outside any transaction, now in doubt until [`Self::confirm`]. A connection that broke is
    /// replaced, so that the store heals once the cause is gone.
    pub(super) async fn take(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if self.in_doubt {
            self.roll_back().await;
        }
        if self.connection.is_none() {
            self.connection = Some(self.options.connect().await.map_err(|error| to_port(&error))?);
        }
        self.in_doubt = true;
        self.connection()
    }

    /// The connection within the transaction that is open.
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.connection.as_mut().ok_or_else(|| StoreError::Unavailable("no connection".to_owned()))
    }

    /// Opens a transaction.
    pub(super) async fn begin(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let begun = self.take().await?.execute("BEGIN IMMEDIATE").await;
        if let Err(error) = begun {
            return Err(self.fail(&error));
        }
        self.connection()
    }

    /// Commits what [`Self::begin`] opened.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        if let Some(connection) = &mut self.connection
            && let Err(error) = connection.execute("COMMIT").await
        {
            return Err(self.fail(&error));
        }
        self.confirm();
        Ok(())
    }

    /// Notes that the transaction is over.
    pub(super) fn confirm(&mut self) {
        self.in_doubt = false;
    }

    /// Notes that a statement failed. A connection that may be broken is given up; SQLite rolls it back on closing.
    pub(super) fn fail(&mut self, error: &Error) -> StoreError {
        if !is_busy(error) {
            self.connection = None;
            self.in_doubt = false;
        }
        to_port(error)
    }

    async fn roll_back(&mut self) {
        self.in_doubt = false;
        let Some(connection) = &mut self.connection else { return };
        let sound = match connection.execute("ROLLBACK").await {
            Ok(_) => true,
            // Nothing was open: the batch had committed, or SQLite had rolled it back by itself.
            Err(Error::Database(error)) => error.message().contains("no transaction is active"),
            Err(_) => false,
        };
        if !sound {
            self.connection = None;
        }
    }
}
