//! Migrates the schema up and down, and tells which migrations are applied. Layer: adapter.
//!
//! The first line of each migration states its kind. `expand` only adds, so that two versions run side by side.
//! `contract` takes away something that older versions need, and is refused while one of them beats. The kind is stored
//! beside the version, so that an older program can tell whether it may work with a newer schema. All changes happen
//! under one advisory lock, each migration in a transaction of its own.

use botfleet_actors::domain::names::names;
use botfleet_actors::domain::time::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use super::open::{Address, OpenError};

static MIGRATOR: Migrator = sqlx::migrate!("migrations/postgres");

/// The key of the advisory lock: the bytes of "botfleet".
const LOCK: i64 = 0x626f_7466_6c65_6574;
const TAKE: &str = "SELECT pg_advisory_lock($1)";
const RELEASE: &str = "SELECT pg_advisory_unlock($1)";
const HISTORY: &str = "\
CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
kind TEXT NOT NULL CHECK (kind IN ('expand', 'contract')), checksum BYTEA NOT NULL, applied_at BIGINT NOT NULL)";
const THERE: &str = "SELECT to_regclass('schema_migration') IS NOT NULL";
const APPLIED: &str = "SELECT version, name, kind, checksum, applied_at FROM schema_migration ORDER BY version";
const NOTE: &str = "\
INSERT INTO schema_migration (version, name, kind, checksum, applied_at) \
VALUES ($1, $2, $3, $4, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)";
const OLDER: &str = "SELECT name, version FROM node WHERE state <> 'dead' AND version <> $1 ORDER BY name";

/// The reasons why a schema could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The migration failed in the database.
    #[error("migration {version:04}: {cause}")]
    Failed {
        /// The number of the migration.
        version: i64,
        /// The error.
        cause: sqlx::Error,
    },
    /// The database did not answer.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// An applied migration has another text than this version has under that number.
    #[error("migration {0:04} was applied with another text than this botfleet has; run the botfleet that applied it")]
    Changed(i64),
    /// A newer version changed the schema.
    #[error("the schema is at {found:04}, this botfleet knows up to {known:04}; use the newer botfleet")]
    Newer {
        /// The newest migration that is applied.
        found: i64,
        /// The newest migration that this version knows.
        known: i64,
    },
    /// Nodes of another version still need something that the migration takes away.
    #[error("migration {version:04} takes away what older versions need, and {} still run{}: {}; stop them first, or use --force", nodes.len(), if nodes.len() == 1 { "s" } else { "" }, nodes.join(", "))]
    OlderNodes {
        /// The migration.
        version: i64,
        /// Nodes of another version that beat.
        nodes: Vec<String>,
    },
    /// The migration has no way back.
    #[error("migration {0:04} has no way back")]
    OneWay(i64),
}

/// Tells whether older versions can run beside a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Older versions can go on.
    Expand,
    /// Older versions cannot go on.
    Contract,
}

names! { Kind { Expand = "expand", Contract = "contract" } }

impl Kind {
    fn of(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        if first.trim() == "-- kind: expand" { Self::Expand } else { Self::Contract }
    }
}

/// A migration, applied or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the migration.
    pub version: i64,
    /// The name of the migration.
    pub name: String,
    /// The kind of the migration.
    pub kind: Kind,
    /// The time at which the migration was applied; `None` while it is not.
    pub applied_at: Option<Timestamp>,
    /// True when this version of the program knows the migration.
    pub known: bool,
}

/// Compares the schema with the migrations that this version of the program knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The migrations that are known and not applied.
    pub pending: Vec<i64>,
    /// Those of them that add something, which this version needs. A contraction of its own may wait until the nodes of
    /// older versions are gone.
    pub needed: Vec<i64>,
    /// The newest applied contraction that this version does not know.
    pub newer_contract: Option<i64>,
    /// The newest applied migration that this version does not know.
    pub newer: Option<i64>,
    /// The newest migration that this version knows.
    pub known: i64,
}

impl Standing {
    /// Summarises these steps.
    pub fn of(steps: &[Step]) -> Self {
        let newer = steps.iter().filter(|step| !step.known);
        let pending = steps.iter().filter(|step| step.applied_at.is_none());
        Self {
            pending: pending.clone().map(|step| step.version).collect(),
            needed: pending.filter(|step| step.kind == Kind::Expand).map(|step| step.version).collect(),
            newer_contract: newer.clone().filter(|step| step.kind == Kind::Contract).map(|step| step.version).max(),
            newer: newer.map(|step| step.version).max(),
            known: steps.iter().filter(|step| step.known).map(|step| step.version).max().unwrap_or(0),
        }
    }
}

/// The schema of a database.
pub struct Schema {
    pub(super) connection: PgConnection,
    migrations: Vec<Migration>,
}

impl Schema {
    /// Connects to the database.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(address: &Address) -> Result<Self, OpenError> {
        let connected = address.plain().connect().await;
        let connection = connected
            .map_err(|error| OpenError::Unreachable { place: address.place().to_owned(), cause: error.to_string() })?;
        Ok(Self { connection, migrations: MIGRATOR.iter().cloned().collect() })
    }

    /// Replaces the program's migrations, for tests of the changes of a newer version.
    #[must_use]
    pub fn with_migrations(mut self, migrations: Vec<Migration>) -> Self {
        self.migrations = migrations;
        self
    }

    /// Returns the migrations of this program.
    pub fn known() -> Vec<Migration> {
        MIGRATOR.iter().cloned().collect()
    }

    fn ups(&self) -> Vec<Migration> {
        let is_up = |migration: &&Migration| migration.migration_type != MigrationType::ReversibleDown;
        self.migrations.iter().filter(is_up).cloned().collect()
    }

    /// Returns all migrations, applied or known, in order.
    ///
    /// # Errors
    /// When the database does not answer, or an applied migration has another text than the known one.
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

    /// Applies the pending migrations and returns them.
    ///
    /// # Errors
    /// When a migration fails (it is rolled back, those before it stay), when a newer version has changed the schema,
    /// or when nodes of another version still need something that a migration takes away and `force` is not set.
    pub async fn up(&mut self, version: &str, force: bool) -> Result<Vec<Step>, MigrationError> {
        self.under_lock(TAKE).await?;
        let applied = self.apply(version, force).await;
        self.under_lock(RELEASE).await?;
        applied
    }

    async fn apply(&mut self, version: &str, force: bool) -> Result<Vec<Step>, MigrationError> {
        self.connection.execute(HISTORY).await?;
        let mut steps = self.steps().await?;
        // A contraction that must wait for older nodes keeps nothing from being added.
        steps.sort_by_key(|step| (step.kind == Kind::Contract, step.version));
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

    /// Takes back every applied migration above `to`, the newest first, and returns them.
    ///
    /// # Errors
    /// When a migration has no way back, or fails.
    pub async fn down(&mut self, to: i64) -> Result<Vec<Step>, MigrationError> {
        self.under_lock(TAKE).await?;
        let taken = self.take_back(to).await;
        self.under_lock(RELEASE).await?;
        taken
    }

    async fn take_back(&mut self, to: i64) -> Result<Vec<Step>, MigrationError> {
        let downs: Vec<Migration> = self.migrations.clone();
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

    async fn under_lock(&mut self, call: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(call).bind(LOCK).execute(&mut self.connection).await.map(drop)
    }
}
