//! Maps the errors of both databases to the port's. Layer: adapter.
//!
//! # Source
//! PostgreSQL, Appendix A, "PostgreSQL Error Codes": the first two letters of a code are its class. SQLite, Result and
//! Error Codes: the low byte of an extended code is its primary code.

use botfleet_actors::ports::store::StoreError;
use sqlx::Error;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// PostgreSQL's errors that do not pass with time: features, data, constraints, names; corrupted data or index.
const POSTGRES_FOR_GOOD: [&str; 6] = ["0A", "22", "23", "42", "XX001", "XX002"];
/// SQLite's errors that do not pass with time: error, corrupt, schema, constraint, mismatch, misuse, no database.
const SQLITE_FOR_GOOD: [i32; 7] = [1, 11, 17, 19, 20, 21, 26];

const SQLITE_BUSY: i32 = 5;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_NOT_A_DATABASE: i32 = 26;

/// The reasons why a statement failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database reported an error.
    Database(Error),
    /// This version cannot read a row, or the store cannot work at present.
    Port(StoreError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Port(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Port(error) => error,
            Fault::Database(error) => to_port(&error),
        }
    }
}

/// Returns the code of an error of PostgreSQL.
fn postgres_code(error: &Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}

/// Returns the primary code of an error of SQLite.
fn sqlite_code(error: &Error) -> Option<i32> {
    let code = error.as_database_error().and_then(DatabaseError::code)?.parse::<i32>().ok()?;
    postgres_code(error).is_none().then_some(code & 0xff)
}

/// Returns whether an error of PostgreSQL has one of the codes, or is of one of the classes.
fn is_of(error: &Error, codes: &[&str]) -> bool {
    postgres_code(error).is_some_and(|code| codes.iter().any(|start| code.starts_with(start)))
}

/// Maps an error to the port's: `Incompatible` for errors that do not pass with time, `Unavailable` for all others.
pub(super) fn to_port(error: &Error) -> StoreError {
    let for_good = match error {
        Error::Database(_) => {
            is_of(error, &POSTGRES_FOR_GOOD) || sqlite_code(error).is_some_and(|code| SQLITE_FOR_GOOD.contains(&code))
        }
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) | Error::RowNotFound => true,
        _ => false,
    };
    let text = match postgres_code(error) {
        Some(code) => format!("{error} ({code})"),
        None => error.to_string(),
    };
    if for_good { StoreError::Incompatible(text) } else { StoreError::Unavailable(text) }
}

/// Returns whether a row contradicts another row, a rule of its table or the type of a column.
pub(super) fn is_contradiction(error: &Error) -> bool {
    sqlite_code(error) == Some(SQLITE_CONSTRAINT) || is_of(error, &["22", "23"])
}

/// Returns whether the file holds no database that SQLite can read.
pub(super) fn is_no_database(error: &Error) -> bool {
    matches!(sqlite_code(error), Some(SQLITE_NOT_A_DATABASE | SQLITE_CORRUPT))
}

/// Returns whether another process holds SQLite's file for the moment; the connection stays usable.
pub(super) fn is_busy(error: &Error) -> bool {
    sqlite_code(error) == Some(SQLITE_BUSY)
}

/// Returns whether two transactions collided on PostgreSQL, so that the same one may succeed at once: serialisation
/// failure or deadlock.
pub(super) fn is_collision(error: &Error) -> bool {
    is_of(error, &["40001", "40P01"])
}

/// Returns whether the connection to PostgreSQL is over, or may be: no answer came (I/O, protocol), or the server ended it
/// or failed (classes 08, 57P and 58, and 25P03, idle in a transaction for too long).
pub(super) fn is_broken(error: &Error) -> bool {
    match error {
        Error::Database(_) => is_of(error, &["08", "57P", "25P03", "58"]),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) | Error::RowNotFound => false,
        _ => true,
    }
}
