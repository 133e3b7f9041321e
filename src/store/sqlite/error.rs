//! Tells SQLite's errors apart. Layer: adapter.

use sqlx::Error;

use crate::store::fault::sqlite_code;

const BUSY: i32 = 5;
const CORRUPT: i32 = 11;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;

/// Returns whether a row contradicts another row, or a rule of its table.
pub(super) fn is_constraint(error: &Error) -> bool {
    sqlite_code(error) == Some(CONSTRAINT)
}

/// Returns whether the file holds no database that SQLite can read.
pub(super) fn is_no_database(error: &Error) -> bool {
    matches!(sqlite_code(error), Some(NOT_A_DATABASE | CORRUPT))
}

/// Returns whether another process holds the file for the moment; the connection stays usable.
pub(super) fn is_busy(error: &Error) -> bool {
    sqlite_code(error) == Some(BUSY)
}
