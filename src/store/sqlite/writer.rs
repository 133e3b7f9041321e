//! Holds the one connection that writes. Layer: adapter. Keeps I8.
//!
//! The writer opens and closes transactions by its own statements, so that `BEGIN` travels with the loading statement
//! and `COMMIT` with the writes: two crossings to SQLite's thread for a batch. From the first statement to the
//! confirmed `COMMIT` the connection is in doubt. A caller that finds it in doubt (after an error, or after a dropped
//! future) rolls it back before anything else. SQLite's thread stops at the first statement whose result nobody takes,
//! so a dropped future commits all of its batch or nothing.

use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::ports::store::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Error, Executor};

use crate::store::fault::{Fault, is_busy, to_port};

/// The connection that writes, used behind a mutex.
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

    /// Returns the options for connecting to the file for writing.
    pub(super) fn options(&self) -> &SqliteConnectOptions {
        &self.options
    }

    /// Returns the connection outside any transaction; it is in doubt until [`Self::confirm`]. A broken connection is
    /// replaced, so that the store works again once the cause is gone.
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

    /// Returns the connection within the open transaction.
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

    /// Commits the transaction that [`Self::begin`] opened.
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

    /// Notes that a statement failed. A connection that may be broken is dropped; SQLite rolls it back on closing.
    pub(super) fn fail(&mut self, error: &Error) -> StoreError {
        if !is_busy(error) {
            self.connection = None;
            self.in_doubt = false;
        }
        to_port(error)
    }

    /// Notes that a call failed, as [`Self::fail`] does when the database was the reason.
    pub(super) fn failed(&mut self, fault: Fault) -> StoreError {
        match fault {
            Fault::Database(error) => self.fail(&error),
            Fault::Port(error) => error,
        }
    }

    /// Moves the write-ahead log into the database, empties the log and closes the connection.
    pub(super) async fn close(&mut self) -> Result<(), StoreError> {
        let connection = self.take().await?;
        let emptied = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        if let Err(error) = emptied {
            return Err(self.fail(&error));
        }
        self.confirm();
        match self.connection.take() {
            Some(connection) => connection.close().await.map_err(|error| to_port(&error)),
            None => Ok(()),
        }
    }

    /// Rolls the open transaction back. Left open, it would keep new connections from the file until the next write.
    pub(super) async fn roll_back(&mut self) {
        self.in_doubt = false;
        let Some(connection) = &mut self.connection else { return };
        let sound = match connection.execute("ROLLBACK").await {
            Ok(_) => true,
            // No transaction was open: the batch had committed, or SQLite had rolled it back itself.
            Err(Error::Database(error)) => error.message().contains("no transaction is active"),
            Err(_) => false,
        };
        if !sound {
            self.connection = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use sqlx::Row;
    use tempfile::TempDir;

    use super::*;

    async fn writer() -> (TempDir, Writer) {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(directory.path().join("w.db")).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        connection.execute("CREATE TABLE kept (value BLOB)").await.unwrap();
        (directory, Writer::new(options, connection))
    }

    async fn kept(writer: &mut Writer) -> i64 {
        let row = writer.begin().await.unwrap().fetch_one("SELECT count(*) FROM kept").await.unwrap();
        writer.commit().await.unwrap();
        row.get(0)
    }

    #[tokio::test]
    async fn a_transaction_left_behind_is_rolled_back_before_the_next() {
        let (_directory, mut writer) = writer().await;
        writer.begin().await.unwrap().execute("INSERT INTO kept VALUES (1)").await.unwrap();
        assert_eq!(kept(&mut writer).await, 0);
        writer.begin().await.unwrap().execute("INSERT INTO kept VALUES (1)").await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(kept(&mut writer).await, 1);
    }

    /// `max_page_count` makes SQLite report what a full disk makes it report.
    #[tokio::test]
    async fn a_full_disk_is_unavailable_and_a_new_connection_heals_it() {
        let (_directory, mut writer) = writer().await;
        let large = "INSERT INTO kept VALUES (zeroblob(1000000))";
        writer.connection().unwrap().execute("PRAGMA max_page_count = 1").await.unwrap();
        let error = writer.begin().await.unwrap().execute(large).await.unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
        assert!(matches!(writer.fail(&error), StoreError::Unavailable(_)), "{error}");
        writer.begin().await.unwrap().execute(large).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(kept(&mut writer).await, 1);
    }

    #[tokio::test]
    async fn a_confirmed_commit_that_was_not_heard_of_is_kept() {
        let (_directory, mut writer) = writer().await;
        let connection = writer.take().await.unwrap();
        connection.execute("BEGIN IMMEDIATE; INSERT INTO kept VALUES (1); COMMIT").await.unwrap();
        assert_eq!(kept(&mut writer).await, 1);
    }
}
