//! Maps SQLite's errors to the port's. Layer: adapter.

use botfleet_actors::ports::store::StoreError;
use sqlx::Error;

/// SQLite's primary result codes.
///
/// # Source
/// SQLite, Result and Error Codes; the low byte of an extended code is its primary code.
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const SCHEMA: i32 = 17;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const MISUSE: i32 = 21;
    pub(super) const NOT_A_DATABASE: i32 = 26;
    pub(super) const BUSY: i32 = 5;
}

fn primary_code(error: &Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?.parse::<i32>().ok()?;
    Some(code & 0xff)
}

/// Returns whether a row contradicts another row, or a rule of its table.
pub(super) fn is_constraint(error: &Error) -> bool {
    primary_code(error) == Some(code::CONSTRAINT)
}

/// Returns whether the file holds no database that SQLite can read.
pub(super) fn is_no_database(error: &Error) -> bool {
    matches!(primary_code(error), Some(code::NOT_A_DATABASE | code::CORRUPT))
}

/// Returns whether another process holds the file for the moment; the connection stays usable.
pub(super) fn is_busy(error: &Error) -> bool {
    primary_code(error) == Some(code::BUSY)
}

/// Maps an error to the port's: `Unavailable` for every error that can pass by itself.
pub(in crate::store) fn to_port(error: &Error) -> StoreError {
    match primary_code(error) {
        Some(
            code::ERROR
            | code::CORRUPT
            | code::SCHEMA
            | code::CONSTRAINT
            | code::MISMATCH
            | code::MISUSE
            | code::NOT_A_DATABASE,
        ) => StoreError::Incompatible(error.to_string()),
        Some(_) => StoreError::Unavailable(error.to_string()),
        None => match error {
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) | Error::RowNotFound => {
                StoreError::Incompatible(error.to_string())
            }
            _ => StoreError::Unavailable(error.to_string()),
        },
    }
}
