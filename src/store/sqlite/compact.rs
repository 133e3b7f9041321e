//! Rewrites a file without its free space, while no fleet runs on it. Layer: adapter.

use std::path::Path;

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions};
use sqlx::{ConnectOptions, Connection, Executor};

use super::open::{OpenError, inaccessible, refuse_foreign, take_lock};

/// The size of a file before and after it was rewritten, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The size before.
    pub before: u64,
    /// The size after.
    pub after: u64,
}

/// Rewrites the file: free space goes back to the file system, now and whenever rows go from then on. Needs room for a
/// second copy beside the file.
///
/// # Errors
/// When there is no such file, another process holds it, it is not the store's, or there is no room for the copy.
pub async fn compact(path: &Path) -> Result<Compacted, OpenError> {
    let size = || std::fs::metadata(path).map(|file| file.len()).map_err(|error| inaccessible(path, &error));
    let before = size()?;
    let _lock = take_lock(path)?;
    refuse_foreign(path).await?;
    if let Some(folder) = path.parent()
        && let Ok(room) = rustix::fs::statvfs(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        && room.f_bavail.saturating_mul(room.f_frsize) < before.saturating_mul(2)
    {
        let needed = before.saturating_mul(2) / 1024 / 1024;
        return Err(inaccessible(path, &std::io::Error::other(format!("{needed} MiB must be free beside the file"))));
    }
    let options = SqliteConnectOptions::new().filename(path).auto_vacuum(SqliteAutoVacuum::Incremental);
    let options = options.pragma("secure_delete", "ON").disable_statement_logging();
    let rewrite = async {
        let mut connection = options.connect().await?;
        for step in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            connection.execute(step).await?;
        }
        connection.close().await
    };
    rewrite.await.map_err(|error| inaccessible(path, &error))?;
    Ok(Compacted { before, after: size()? })
}
