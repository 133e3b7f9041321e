//! Reads from the product's stopped database at which instants each answer passed. Layer: harness.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row as _};

use super::stages::{StoredWay, Ways};
use crate::harness::error::HarnessError;

/// The first parts of all sent answers to messages of people, with the rows that led to them.
const WAYS: &str = "SELECT o.telegram_chat, o.message_id, b.telegram_id, i.source_id, i.received_at, d.at, \
                    t.created_at, t.due_at, o.created_at, o.due_at \
                    FROM outbox o \
                    JOIN turn t ON t.id = o.turn \
                    JOIN decision d ON d.chat = t.chat AND d.number = t.decision \
                    JOIN transcript e ON e.chat = d.chat AND e.number = d.cause_entry \
                    JOIN inbox i ON i.id = e.inbox \
                    JOIN bot b ON b.id = i.bot \
                    WHERE o.state = 'sent' AND o.part = 0 AND i.source = 'update'";

/// Returns the ways of all answers by chat and message id.
///
/// # Errors
/// The database cannot be read, or has other tables than this version of the harness knows.
pub async fn ways(database: &Path) -> Result<Ways, HarnessError> {
    let read = async {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection: SqliteConnection = options.connect().await?;
        let rows = sqlx::query(WAYS).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows.iter().map(way).collect::<Result<Ways, sqlx::Error>>()
    };
    read.await.map_err(|error| HarnessError::file(database)(std::io::Error::other(error)))
}

fn way(row: &SqliteRow) -> Result<((i64, i64), StoredWay), sqlx::Error> {
    let way = StoredWay {
        update: (row.try_get(2)?, row.try_get(3)?),
        received_ms: row.try_get(4)?,
        decided_ms: row.try_get(5)?,
        turn_made_ms: row.try_get(6)?,
        turn_due_ms: row.try_get(7)?,
        outbox_ms: row.try_get(8)?,
        send_due_ms: row.try_get(9)?,
    };
    Ok(((row.try_get(0)?, row.try_get(1)?), way))
}
