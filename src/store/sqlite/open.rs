//! Opens the store: one process at a time, and only on a schema that this version knows. Layer: adapter.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use crate::store::fault::is_no_database;
use crate::store::settings::{StoreSettings, Synchronous};

/// The longest time that a statement waits for a foreign process (a backup, a shell) that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of prepared statements that the writer keeps, those used last. A group commit has up to 512 texts for
/// loading and 512 for writing.
const WRITER_STATEMENTS: usize = 128;
const READER_STATEMENTS: usize = 24;
const WRITER_CACHE_KIB: &str = "-6144";
/// The pages in the write-ahead log from which on it is moved into the file (16 MiB). Many commits change the same pages,
/// so fewer moves write less. The commit that finds the log so long waits for the move: milliseconds on an SSD.
const LOG_PAGES: &str = "4000";
const READER_CACHE_KIB: &str = "-1024";
/// The longest time that a read waits for a connection.
const READER_WAIT: Duration = Duration::from_secs(5);

/// The table in which sqlx keeps the schema versions of the file; the store's first table.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// The reasons why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the file.
    #[error("{} is in use by another botfleet{}; stop that one, or give this one another store.path", path.display(), process(*pid))]
    InUse {
        /// The database file.
        path: PathBuf,
        /// The other process.
        pid: Option<u32>,
    },
    /// A newer version wrote the file.
    #[error("{} has schema {found}, this botfleet knows up to {known}; run the newer botfleet, or restore a backup", path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The schema of the file.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// An older version wrote the file, and a reader cannot migrate it.
    #[error("{} has schema {found}, this botfleet reads {known}; start the fleet once with this version", path.display())]
    OlderSchema {
        /// The database file.
        path: PathBuf,
        /// The schema of the file.
        found: i64,
        /// The schema that this version knows.
        known: i64,
    },
    /// The migrations failed.
    #[error("{}: schema cannot be prepared: {cause}; restore a backup, or give another store.path", path.display())]
    Schema {
        /// The database file.
        path: PathBuf,
        /// The error.
        cause: Box<MigrateError>,
    },
    /// Another program made the file: it has tables, and none is the store's.
    #[error("{} is another program's database (it has the table {table:?}), nothing in it was changed; give botfleet a store.path of its own", path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
        /// One of its tables.
        table: String,
    },
    /// The file exists but is no SQLite database that can be read.
    #[error("{} is no SQLite database, or a damaged one ({cause}); give another store.path, or move the file away and restore a backup", path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        cause: String,
    },
    /// The file or its directory cannot be created, read or written.
    #[error("{}: {cause}; check that the directory exists and that this user may write there", path.display())]
    Inaccessible {
        /// The file or directory.
        path: PathBuf,
        /// The error.
        cause: String,
    },
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// The lock that one process holds for life; closing the file releases it.
pub struct FileLock {
    _file: File,
}

/// The parts of an opened store.
pub(super) struct Opened {
    pub(super) lock: FileLock,
    pub(super) options: SqliteConnectOptions,
    pub(super) writer: SqliteConnection,
    pub(super) readers: SqlitePool,
}

/// Takes the file, brings its schema up to date and connects.
pub(super) async fn open(settings: &StoreSettings) -> Result<Opened, OpenError> {
    let path = settings.path.as_path();
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory).map_err(|error| inaccessible(directory, &error))?;
    }
    let lock = take_lock(path)?;
    private_file().open(path).map_err(|error| inaccessible(path, &error))?;
    refuse_foreign(path).await?;

    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match settings.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Off => SqliteSynchronous::Off,
        })
        .busy_timeout(BUSY_TIMEOUT)
        // Counts for new files; `botfleet store compact` converts others.
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        // Overwrites freed space: people may ask that their words are removed.
        .pragma("secure_delete", "ON")
        .disable_statement_logging();
    let writer_options = options
        .clone()
        .pragma("cache_size", WRITER_CACHE_KIB)
        // A statement that changes more than 16 pages would copy each of them into a temporary file first.
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .statement_cache_capacity(WRITER_STATEMENTS);
    // A migration of a large file may need more room than there is memory, so it keeps its temporary files.
    let mut schema = options.connect().await.map_err(|error| inaccessible(path, &error))?;
    prepare_schema(path, &mut schema).await?;
    schema.close().await.map_err(|error| inaccessible(path, &error))?;
    let writer = writer_options.connect().await.map_err(|error| inaccessible(path, &error))?;

    let readers = SqlitePoolOptions::new()
        .max_connections(settings.readers.get())
        .test_before_acquire(false)
        .acquire_timeout(READER_WAIT)
        // The store itself names the reads that take long.
        .acquire_slow_threshold(READER_WAIT)
        .connect_with(
            options
                .create_if_missing(false)
                .pragma("cache_size", READER_CACHE_KIB)
                .pragma("query_only", "ON")
                .statement_cache_capacity(READER_STATEMENTS),
        )
        .await
        .map_err(|error| inaccessible(path, &error))?;
    Ok(Opened { lock, options: writer_options, writer, readers })
}

/// Refuses a file that holds something other than a store, before anything in it is changed: merely connecting for
/// writing would change its journal mode.
pub(super) async fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    if fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return Ok(());
    }
    let look = SqliteConnectOptions::new().filename(path).create_if_missing(false).busy_timeout(BUSY_TIMEOUT);
    let look = look.pragma("query_only", "ON").disable_statement_logging();
    let mut connection = look.connect().await.map_err(|error| unreadable(path, &error))?;
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let tables: Vec<String> =
        sqlx::query_scalar(tables).fetch_all(&mut connection).await.map_err(|error| unreadable(path, &error))?;
    let _ = connection.close().await;
    let ours = tables.iter().any(|name| name == MIGRATIONS_TABLE);
    match tables.into_iter().next() {
        Some(table) if !ours => Err(OpenError::Foreign { path: path.to_owned(), table }),
        _ => Ok(()),
    }
}

fn unreadable(path: &Path, error: &sqlx::Error) -> OpenError {
    if is_no_database(error) {
        return OpenError::NoDatabase { path: path.to_owned(), cause: error.to_string() };
    }
    inaccessible(path, error)
}

/// Connects to an existing file for reading only, whoever holds it.
pub(super) async fn read_only(path: &Path) -> Result<SqlitePool, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("query_only", "ON")
        .disable_statement_logging();
    let readers = SqlitePoolOptions::new()
        .max_connections(2)
        .acquire_timeout(READER_WAIT)
        .connect_with(options)
        .await
        .map_err(|error| unreadable(path, &error))?;
    let applied = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    let found: i64 = sqlx::query_scalar(applied).fetch_one(&readers).await.map_err(|error| unreadable(path, &error))?;
    let known = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(readers),
        std::cmp::Ordering::Less => Err(OpenError::OlderSchema { path: path.to_owned(), found, known }),
        std::cmp::Ordering::Greater => Err(OpenError::NewerSchema { path: path.to_owned(), found, known }),
    }
}

pub(super) fn inaccessible(path: &Path, cause: &dyn std::error::Error) -> OpenError {
    OpenError::Inaccessible { path: path.to_owned(), cause: cause.to_string() }
}

/// Creates missing files for their owner alone: they hold what people wrote, and SQLite gives its WAL the same mode.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

pub(super) fn take_lock(path: &Path) -> Result<FileLock, OpenError> {
    let lock_path = beside(path, ".lock");
    let mut file = private_file().open(&lock_path).map_err(|error| inaccessible(&lock_path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::InUse { path: path.to_owned(), pid });
        }
        Err(fs::TryLockError::Error(error)) => return Err(inaccessible(&lock_path, &error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(|error| inaccessible(&lock_path, &error))?;
    writeln!(file, "{}", std::process::id()).map_err(|error| inaccessible(&lock_path, &error))?;
    Ok(FileLock { _file: file })
}

/// Runs the migrations on the connection itself: through `Migrator::run` the compiler cannot see that the future is
/// `Send`.
fn prepare_schema<'a>(path: &'a Path, writer: &'a mut SqliteConnection) -> BoxFuture<'a, Result<(), OpenError>> {
    Box::pin(async move {
        let known = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
        keep_restore_point(path, writer, known).await?;
        match MIGRATOR.run_direct(None, writer, false).await {
            Ok(()) => Ok(()),
            Err(MigrateError::VersionMissing(found)) if found > known => {
                Err(OpenError::NewerSchema { path: path.to_owned(), found, known })
            }
            Err(cause) => Err(OpenError::Schema { path: path.to_owned(), cause: Box::new(cause) }),
        }
    })
}

/// Copies a store that has data before migrations touch it, as a way back. The copy lies beside the file. An older copy
/// of the same step is replaced, since the data has changed since.
async fn keep_restore_point(path: &Path, writer: &mut SqliteConnection, known: i64) -> Result<(), OpenError> {
    let failed = |cause: &dyn std::error::Error| inaccessible(path, cause);
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let there: i64 = sqlx::query_scalar(there).fetch_one(&mut *writer).await.map_err(|error| failed(&error))?;
    if there == 0 {
        return Ok(());
    }
    let applied = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    let applied: i64 = sqlx::query_scalar(applied).fetch_one(&mut *writer).await.map_err(|error| failed(&error))?;
    if applied == 0 || applied >= known {
        return Ok(());
    }
    let next = MIGRATOR.iter().map(|migration| migration.version).filter(|version| *version > applied).min();
    let point = beside(path, &format!(".before-{:04}", next.unwrap_or(known)));
    let unfinished = beside(&point, ".unfinished");
    let _ = fs::remove_file(&unfinished);
    private_file().open(&unfinished).map_err(|error| inaccessible(&unfinished, &error))?;
    let copy = sqlx::query("VACUUM INTO $1").bind(unfinished.to_string_lossy().into_owned());
    copy.execute(&mut *writer).await.map_err(|error| inaccessible(&unfinished, &error))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(|error| inaccessible(&unfinished, &error))?;
    fs::rename(&unfinished, &point).map_err(|error| inaccessible(&point, &error))?;
    tracing::info!(file = %point.display(), "the store was copied before its schema changes");
    Ok(())
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
