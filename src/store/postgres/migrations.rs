//! The schema and its history: up, down, and what stands. Layer: adapter.
//!
//! Each migration says in its first line of what kind it is. `expand` adds what older versions do not mind: two
//! versions run side by side. `contract` takes away what older versions need, and is refused while one of them beats.
//! The kind is stored beside the version, so that an older program can tell whether it may work with a newer schema.
//! All changes happen under one advisory lock, each migration in a transaction of its own.

use botfleet_actors::domain::time::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use super::open::{Address, OpenError};

static MIGRATOR: Migrator = sqlx::migrate!("migrations/postgres");

/// The key of the advisory lock: "botfleet" in bytes, cut to 63 bits.
const LOCK: i64 = 0x626f_7466_6c65_6574;
const HISTORY: &str = "\
CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
kind TEXT NOT NULL CHECK (kind IN ('expand', 'contract')), checksum BYTEA NOT NULL, applied_at BIGINT NOT NULL)";
const THERE: &str = "SELECT to_regclass('schema_migration') IS NOT NULL";
const APPLIED: &str = "SELECT version, name, kind, checksum, applied_at FROM schema_migration ORDER BY version";
const NOTE: &str = "\
INSERT INTO schema_migration (version, name, kind, checksum, applied_at) \
VALUES ($1, $2, $3, $4, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)";
const OLDER: &str = "SELECT name, version FROM node WHERE state <> 'dead' AND version <> $1 ORDER BY name";

/// Why a schema could not be changed or told.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database did not do it.
    #[error("migration {version:04}: {cause}")]
    Failed {
        /// Of which migration.
        version: i64,
        /// What failed.
        cause: sqlx::Error,
    },
    /// The database did not answer.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// What was applied is not what this version knows under that number.
    #[error("migration {0:04} was applied with another text than this botfleet has; run the botfleet that applied it")]
    Changed(i64),
    /// A newer version changed the schema.
    #[error("the schema is at {found:04}, this botfleet knows up to {known:04}; use the newer botfleet")]
    Newer {
        /// The newest that is applied.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// Older versions still need what the migration takes away.
    #[error("migration {version:04} takes away what older versions need, and {} still run{}: {}; stop them first, or use --force", nodes.len(), if nodes.len() == 1 { "s" } else { "" }, nodes.join(", "))]
    OlderNodes {
        /// The migration.
        version: i64,
        /// Nodes of another version that beat.
        nodes: Vec<String>,
    },
    /// There is no way back from it.
    #[error("migration {0:04} has no way back")]
    OneWay(i64),
}

/// Whether older versions can go on beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They can.
    Expand,
    /// They cannot.
    Contract,
}

impl Kind {
    /// The name in the file, the database and the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Contract => "contract",
        }
    }

    fn of(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        if first.trim() == "-- kind: expand" { Self::Expand } else { Self::Contract }
    }
}

/// A migration, and whether it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// When it was applied.
    pub applied_at: Option<Timestamp>,
    /// Whether this version of the program knows it.
    pub known: bool,
}

/// How the schema stands to this version of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Known and not applied.
    pub pending: Vec<i64>,
    /// The newest that is applied, when a newer version applied it and it takes something away.
    pub newer_contract: Option<i64>,
    /// The newest that is applied, when it is not known.
    pub newer: Option<i64>,
    /// The newest that is known.
    pub known: i64,
}

impl Standing {
    /// How these steps stand.
    pub fn of(steps: &[Step]) -> Self {
        let newer = steps.iter().filter(|step| !step.known);
        Self {
            pending: steps.iter().filter(|step| step.applied_at.is_none()).map(|step| step.version).collect(),
            newer_contract: newer.clone().filter(|step| step.kind == Kind::Contract).map(|step| step.version).max(),
            newer: newer.map(|step| step.version).max(),
            known: steps.iter().filter(|step| step.known).map(|step| step.version).max().unwrap_or(0),
        }
    }
}

/// The schema of a database.
pub struct Schema {
    connection: PgConnection,
    migrations: Vec<Migration>,
}

impl Schema {
    /// Connects.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(address: &Address) -> Result<Self, OpenError> {
        let connected = address.plain().connect().await;
        let connection = connected
            .map_err(|error| OpenError::Unreachable { place: address.place().to_owned(), cause: error.to_string() })?;
        Ok(Self { connection, migrations: MIGRATOR.iter().cloned().collect() })
    }

    /// With other migrations than the program's, for tests of what a newer version does.
    #[must_use]
    pub fn with_migrations(mut self, migrations: Vec<Migration>) -> Self {
        self.migrations = migrations;
        self
    }

    /// The migrations of this program.
    pub fn known() -> Vec<Migration> {
        MIGRATOR.iter().cloned().collect()
    }

    fn ups(&self) -> Vec<Migration> {
        let is_up = |migration: &&Migration| migration.migration_type != MigrationType::ReversibleDown;
        self.migrations.iter().filter(is_up).cloned().collect()
    }

    /// All migrations, applied or known, in order.
    ///
    /// # Errors
    /// When the database does not answer, or an applied migration is not the one that is known.
    pub async fn steps(&mut self) -> Result<Vec<Step>, MigrationError> {
        let mut steps: Vec<Step> = Vec::new();
        let ups = self.ups();
        let there: bool = self.connection.fetch_one(THERE).await?.try_get(0)?;
        if there {
            for row in self.connection.fetch_all(APPLIED).await? {
                let version: i64 = row.try_get(0)?;
                let checksum: Vec<u8> = row.try_get(3)?;
                let known = ups.iter().find(|migration| migration.version == version);
                if known.is_some_and(|migration| *migration.checksum != *checksum) {
                    return Err(MigrationError::Changed(version));
                }
                let kind = if row.try_get::<&str, _>(2)? == "expand" { Kind::Expand } else { Kind::Contract };
                steps.push(Step {
                    version,
                    name: row.try_get(1)?,
                    kind,
                    applied_at: Some(Timestamp::from_millis(row.try_get(4)?)),
                    known: known.is_some(),
                });
            }
        }
        for migration in &ups {
            if !steps.iter().any(|step| step.version == migration.version) {
                steps.push(Step {
                    version: migration.version,
                    name: migration.description.to_string(),
                    kind: Kind::of(migration.sql.as_str()),
                    applied_at: None,
                    known: true,
                });
            }
        }
        steps.sort_by_key(|step| step.version);
        Ok(steps)
    }

    /// Applies what is pending; gives it.
    ///
    /// # Errors
    /// When a migration fails (it is rolled back, those before it stay), when a newer version was here, or when nodes of
    /// another version still need what one takes away and `force` is not set.
    pub async fn up(&mut self, version: &str, force: bool) -> Result<Vec<Step>, MigrationError> {
        self.lock().await?;
        let applied = self.apply(version, force).await;
        self.unlock().await?;
        applied
    }

    async fn apply(&mut self, version: &str, force: bool) -> Result<Vec<Step>, MigrationError> {
        self.connection.execute(HISTORY).await?;
        let steps = self.steps().await?;
        let standing = Standing::of(&steps);
        if let Some(found) = standing.newer {
            return Err(MigrationError::Newer { found, known: standing.known });
        }
        let ups = self.ups();
        let mut applied = Vec::new();
        for step in steps.into_iter().filter(|step| step.applied_at.is_none()) {
            let Some(migration) = ups.iter().find(|migration| migration.version == step.version) else { continue };
            if step.kind == Kind::Contract && step.version > 1 && !force {
                self.refuse_beside_others(step.version, version).await?;
            }
            let failed = |cause| MigrationError::Failed { version: step.version, cause };
            let mut transaction = self.connection.begin().await?;
            let text = sqlx::raw_sql(AssertSqlSafe(migration.sql.as_str().to_owned()));
            (&mut *transaction).execute(text).await.map_err(failed)?;
            let note = sqlx::query(NOTE).bind(step.version).bind(&step.name).bind(step.kind.as_str());
            note.bind(migration.checksum.to_vec()).execute(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            applied.push(step);
        }
        Ok(applied)
    }

    async fn refuse_beside_others(&mut self, migration: i64, version: &str) -> Result<(), MigrationError> {
        let rows = sqlx::query(OLDER).bind(version).fetch_all(&mut self.connection).await?;
        let nodes =
            rows.iter().map(|row| Ok(format!("{} ({})", row.try_get::<&str, _>(0)?, row.try_get::<&str, _>(1)?)));
        let nodes = nodes.collect::<Result<Vec<_>, sqlx::Error>>()?;
        if nodes.is_empty() { Ok(()) } else { Err(MigrationError::OlderNodes { version: migration, nodes }) }
    }

    /// Takes back every applied migration above `to`, the newest first; gives them.
    ///
    /// # Errors
    /// When one has no way back, or it fails.
    pub async fn down(&mut self, to: i64) -> Result<Vec<Step>, MigrationError> {
        self.lock().await?;
        let taken = self.take_back(to).await;
        self.unlock().await?;
        taken
    }

    async fn take_back(&mut self, to: i64) -> Result<Vec<Step>, MigrationError> {
        let downs: Vec<Migration> = self.migrations.iter().cloned().collect();
        let mut steps = self.steps().await?;
        steps.retain(|step| step.applied_at.is_some() && step.version > to);
        steps.reverse();
        for step in &steps {
            let down = downs.iter().find(|migration| {
                migration.version == step.version && migration.migration_type == MigrationType::ReversibleDown
            });
            let Some(down) = down else { return Err(MigrationError::OneWay(step.version)) };
            let failed = |cause| MigrationError::Failed { version: step.version, cause };
            let mut transaction = self.connection.begin().await?;
            let text = sqlx::raw_sql(AssertSqlSafe(down.sql.as_str().to_owned()));
            (&mut *transaction).execute(text).await.map_err(failed)?;
            let forget = sqlx::query("DELETE FROM schema_migration WHERE version = $1").bind(step.version);
            forget.execute(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
        }
        Ok(steps)
    }

    async fn lock(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut self.connection).await.map(drop)
    }

    async fn unlock(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(&mut self.connection).await.map(drop)
    }
}
