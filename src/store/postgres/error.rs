//! Maps PostgreSQL's errors to the port's. Layer: adapter.
//!
//! # Source
//! PostgreSQL, Appendix A, "PostgreSQL Error Codes": the first two letters of a code are its class.

use botfleet_actors::ports::store::StoreError;
use sqlx::Error;

fn code(error: &Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

fn is_of(error: &Error, codes: &[&str]) -> bool {
    code(error).is_some_and(|code| codes.iter().any(|start| code.starts_with(start)))
}

/// Returns whether a row contradicts another row, a rule of its table or the type of a column (classes 23 and 22).
pub(super) fn is_contradiction(error: &Error) -> bool {
    is_of(error, &["22", "23"])
}

/// Returns whether two transactions collided, so that the same one may succeed at once: serialisation failure or
/// deadlock.
pub(super) fn is_collision(error: &Error) -> bool {
    is_of(error, &["40001", "40P01"])
}

/// Returns whether the connection is over, or may be: no answer came (I/O, protocol), or the server ended it or failed
/// (classes 08, 57P and 58, and 25P03, idle in a transaction for too long).
pub(super) fn is_broken(error: &Error) -> bool {
    match error {
        Error::Database(_) => is_of(error, &["08", "57P", "25P03", "58"]),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) | Error::RowNotFound => false,
        _ => true,
    }
}

/// Maps an error to the port's: `Incompatible` for errors that do not pass with time (classes 0A, 22, 23, 42: features,
/// data, constraints, names; XX001 and XX002: corrupted data or index), `Unavailable` for everything else.
pub(in crate::store) fn to_port(error: &Error) -> StoreError {
    let for_good = match error {
        Error::Database(_) => is_of(error, &["0A", "22", "23", "42", "XX001", "XX002"]),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) | Error::RowNotFound => true,
        _ => false,
    };
    let text = match code(error) {
        Some(code) => format!("{error} ({code})"),
        None => error.to_string(),
    };
    if for_good { StoreError::Incompatible(text) } else { StoreError::Unavailable(text) }
}
