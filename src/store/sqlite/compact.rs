//! Rewrites a file without its free space, while no fleet runs on it. Layer: adapter.

use std::fs::{self, File};
use std::path::Path;

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use super::open::{OpenError, beside, inaccessible, private_file, refuse_foreign, take_lock};

/// The bytes of rows in the file, without its free pages.
const USED: &str = "SELECT ((SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)) \
* (SELECT page_size FROM pragma_page_size)";

/// The size of a file before and after it was rewritten, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The size before.
    pub before: u64,
    /// The size after.
    pub after: u64,
}

/// Rewrites the file: free space goes back to the file system, now and whenever rows go from then on. The copy is made
/// beside the file and then takes its place, so a crash leaves the one or the other.
///
/// # Errors
/// When there is no such file, another process holds it or reads it, it is not the store's, or there is no room for the
/// copy.
pub async fn compact(path: &Path) -> Result<Compacted, OpenError> {
    let failed = |error: &dyn std::error::Error| inaccessible(path, error);
    let size = || fs::metadata(path).map(|file| file.len()).map_err(|error| failed(&error));
    let before = size()?;
    let _lock = take_lock(path)?;
    refuse_foreign(path).await?;
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
    let options = options.auto_vacuum(SqliteAutoVacuum::Incremental).disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| failed(&error))?;
    let flushed = connection.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)").await;
    if flushed.and_then(|row| row.try_get::<i64, _>(0)).map_err(|error| failed(&error))? != 0 {
        return Err(failed(&std::io::Error::other("another program reads the file; end it first")));
    }
    let used: i64 = sqlx::query_scalar(USED).fetch_one(&mut connection).await.map_err(|error| failed(&error))?;
    room_for(path, used.unsigned_abs())?;
    let copy = beside(path, ".compact");
    let _ = fs::remove_file(&copy);
    private_file().open(&copy).map_err(|error| inaccessible(&copy, &error))?;
    let copied = sqlx::query("VACUUM INTO $1").bind(copy.to_string_lossy().into_owned());
    let copied = copied.execute(&mut connection).await.map_err(|error| inaccessible(&copy, &error));
    let closed = connection.close().await.map_err(|error| failed(&error));
    let placed = copied.and(closed).and_then(|()| {
        let synced = File::open(&copy).and_then(|file| file.sync_all());
        synced.and_then(|()| fs::rename(&copy, path)).map_err(|error| inaccessible(&copy, &error))
    });
    if let Err(error) = placed {
        let _ = fs::remove_file(&copy);
        return Err(error);
    }
    Ok(Compacted { before, after: size()? })
}

fn room_for(path: &Path, bytes: u64) -> Result<(), OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(room) = rustix::fs::statvfs(folder) else { return Ok(()) };
    if room.f_bavail.saturating_mul(room.f_frsize) >= bytes {
        return Ok(());
    }
    let needed = bytes / 1024 / 1024 + 1;
    Err(inaccessible(path, &std::io::Error::other(format!("{needed} MiB must be free beside the file"))))
}
