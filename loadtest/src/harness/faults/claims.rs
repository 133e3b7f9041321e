//! Reads what a killed product was sending from the product's own database. Layer: harness.
//!
//! The database file is copied first: opening an SQLite file recovers it, and the recovery must be left to the product.

use std::path::{Path, PathBuf};

use botfleet_world::checker::Claim;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::harness::error::HarnessError;

const SENDING: &str = "SELECT outbox.id, bot.telegram_id, outbox.text FROM outbox JOIN bot ON bot.id = outbox.bot \
                       WHERE outbox.state IN ('queued', 'sending', 'retry_at', 'unknown') AND outbox.state = 'sending'";

/// Returns the messages in state `sending` in the database of a product that was killed at `at_us`.
///
/// # Errors
/// The file cannot be copied or read.
pub(super) async fn sending_in(database: &Path, at_us: u64) -> Result<Vec<Claim>, HarnessError> {
    let copy = beside(database, ".at-death");
    for part in ["", "-wal"] {
        let (from, to) = (beside(database, part), beside(&copy, part));
        match std::fs::copy(&from, &to) {
            Ok(_) => {}
            // Without a log there is none to copy; a log copied earlier must go.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !part.is_empty() => {
                drop(std::fs::remove_file(to));
            }
            Err(error) => return Err(HarnessError::file(from)(error)),
        }
    }
    let read = async {
        let mut connection: SqliteConnection = SqliteConnectOptions::new().filename(&copy).connect().await?;
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(SENDING).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(rows)
    };
    let rows = read.await.map_err(|error: sqlx::Error| HarnessError::file(&copy)(std::io::Error::other(error)))?;
    Ok(rows.into_iter().map(|(id, bot, text)| Claim { at_us, message: id.to_string(), bot, text }).collect())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
