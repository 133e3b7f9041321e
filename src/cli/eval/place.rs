//! The flags that name a store to measure, and its opening. Part of `cli`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use botfleet_actors::ports::store::Store as _;
use clap::Args;

use crate::cli::inputs::Inputs;
use crate::config::layers::Profile;
use crate::config::secret::ProcessSecrets;
use crate::store::postgres::PgStore;
use crate::store::postgres::migrations::Schema;
use crate::store::postgres::open::Address;
use crate::store::settings::{Backend, StoreSettings, Synchronous};
use crate::store::sizes::Measured;
use crate::store::sqlite::SqliteStore;

/// A new store: a temporary file, or an empty database of PostgreSQL.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The database: sqlite or postgres.
    #[arg(long, default_value = "sqlite", value_parser = backend)]
    pub store: Backend,
    /// PostgreSQL: profile whose settings name the database.
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// PostgreSQL: a file of settings, read after the profile's.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

fn backend(name: &str) -> Result<Backend, String> {
    match name {
        "sqlite" => Ok(Backend::Sqlite),
        "postgres" => Ok(Backend::Postgres),
        _ => Err("write sqlite or postgres".to_owned()),
    }
}

impl Place {
    /// Opens the store; on PostgreSQL also makes its tables.
    ///
    /// # Errors
    /// When the store does not open, or PostgreSQL's database holds a fleet.
    pub(super) async fn open(&self, file: &Path, synchronous: Synchronous) -> anyhow::Result<Arc<dyn Measured>> {
        let settings = StoreSettings {
            path: file.to_owned(),
            synchronous,
            statement_timeout: Duration::from_mins(5),
            slow_query: Duration::from_mins(5),
            ..StoreSettings::default()
        };
        if self.store == Backend::Sqlite {
            return Ok(Arc::new(SqliteStore::open(&settings).await?));
        }
        let mut config = Inputs::settings_alone(self.profile, self.config.clone())?;
        config.store.backend = Backend::Postgres;
        let connections = config.connections(&ProcessSecrets)?;
        let url = connections.postgres.as_ref().context("store.url names no database; give an empty one of its own")?;
        let address = Address::new(url, connections.postgres_password.as_ref())?;
        Schema::connect(&address).await?.up(env!("CARGO_PKG_VERSION"), false).await?;
        let store = PgStore::open(&settings, &address).await?;
        if !store.roster().await?.bots.is_empty() {
            bail!("{} holds a fleet; give store.url an empty database of its own", address.place());
        }
        Ok(Arc::new(store))
    }
}
