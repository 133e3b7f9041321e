//! Tells PostgreSQL's errors apart. Layer: adapter.

use sqlx::Error;

use crate::store::fault::is_of;

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
