//! Reads from the product's store at which instants each answer passed. Layer: harness.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row as _};

use super::stages::{StoredWay, Ways};
use crate::harness::error::HarnessError;

/// The number of columns that are read.
const COLUMNS: usize = 10;
/// The first parts of all sent answers to messages of people, with the rows that led to them.
pub(super) const WAYS: &str = "SELECT o.telegram_chat, o.message_id, b.telegram_id, i.source_id, i.received_at, d.at, \
                    t.created_at, t.due_at, o.created_at, o.due_at \
                    FROM outbox o \
                    JOIN turn t ON t.id = o.turn \
                    JOIN decision d ON d.chat = t.chat AND d.number = t.decision \
                    JOIN transcript e ON e.chat = d.chat AND e.number = d.cause_entry \
                    JOIN inbox i ON i.id = e.inbox \
                    JOIN bot b ON b.id = i.bot \
                    WHERE o.state = 'sent' AND o.part = 0 AND i.source = 'update'";

/// Returns the ways of all answers by chat and message id, from the file of a stopped product.
///
/// # Errors
/// The database cannot be read, or has other tables than this version of the harness knows.
pub async fn ways_of_file(database: &Path) -> Result<Ways, HarnessError> {
    let read = async {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection: SqliteConnection = options.connect().await?;
        let rows = sqlx::query(WAYS).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows.iter().map(|row| Ok(way(columns(row)?))).collect::<Result<Ways, sqlx::Error>>()
    };
    read.await.map_err(|error| HarnessError::file(database)(std::io::Error::other(error)))
}

/// Returns the ways from the output of psql: a line for each row, with bars between the columns.
pub fn ways_of_text(text: &str) -> Ways {
    let columns = |line: &str| line.split('|').map(|column| column.trim().parse().ok()).collect::<Option<Vec<i64>>>();
    text.lines().filter_map(columns).filter_map(|row| <[i64; COLUMNS]>::try_from(row).ok()).map(way).collect()
}

fn way(row: [i64; COLUMNS]) -> ((i64, i64), StoredWay) {
    let [chat, message, bot, update, received_ms, decided_ms, turn_made_ms, turn_due_ms, outbox_ms, send_due_ms] = row;
    let update = (bot, update);
    let way = StoredWay { update, received_ms, decided_ms, turn_due_ms, turn_made_ms, outbox_ms, send_due_ms };
    ((chat, message), way)
}

fn columns(row: &SqliteRow) -> Result<[i64; COLUMNS], sqlx::Error> {
    let mut columns = [0; COLUMNS];
    for (place, column) in columns.iter_mut().enumerate() {
        *column = row.try_get(place)?;
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_of_psql_are_read_and_others_left_out() {
        let ways = ways_of_text("-1001|7|71|3|1003|1005|1005|1015|1030|1050\n(1 row)\n-1|2\n");
        assert_eq!(ways.len(), 1);
        let way = ways.get(&(-1001, 7)).unwrap();
        assert_eq!((way.update, way.received_ms, way.send_due_ms), ((71, 3), 1003, 1050));
    }
}
