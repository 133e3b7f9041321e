//! Opens the store of a fleet for reading alone, whether the fleet runs or not. Layer `runtime`.

use std::path::Path;
use std::sync::Arc;

use botfleet_actors::ports::archive::Archive;

use crate::config::secret::SecretSource;
use crate::config::settings::Config;
use crate::store::postgres::PgStore;
use crate::store::postgres::open::Address;
use crate::store::sqlite::SqliteArchive;

/// Opens the store of the settings, or the file of SQLite that is named instead.
///
/// # Errors
/// When the store is not there, cannot be read, or has the schema of another version.
pub async fn open(
    config: &Config,
    file: Option<&Path>,
    secrets: &dyn SecretSource,
) -> anyhow::Result<Arc<dyn Archive>> {
    if let Some(file) = file {
        return Ok(Arc::new(SqliteArchive::open(file).await?));
    }
    let connections = config.connections(secrets)?;
    match &connections.postgres {
        None => Ok(Arc::new(SqliteArchive::open(&config.store.path).await?)),
        Some(url) => {
            let address = Address::new(url, connections.postgres_password.as_ref())?;
            Ok(Arc::new(PgStore::open(&config.store, &address).await?))
        }
    }
}
