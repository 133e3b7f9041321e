//! Opens the cluster's store and bus for the launcher. Part of `launcher`. Keeps I12.

use std::sync::Arc;

use anyhow::Context;
use botfleet_actors::ports::bus::Bus;
use futures::FutureExt as _;

use super::graves::{Opener, Registry};
use crate::bus::local::LocalBus;
use crate::bus::redis::RedisBus;
use crate::config::secret::ProcessSecrets;
use crate::config::settings::Config;
use crate::store::postgres::PgStore;
use crate::store::postgres::open::Address;

/// Returns the opener of a configuration for many nodes, or `None` where one process owns everything. The opener reads
/// secrets anew at each try, as the worker does at each start.
pub fn opener(config: &Config) -> Option<Opener> {
    if !config.many_nodes() {
        return None;
    }
    let config = Arc::new(config.clone());
    Some(Box::new(move || open(Arc::clone(&config)).boxed()))
}

async fn open(config: Arc<Config>) -> anyhow::Result<Registry> {
    let connections = config.connections(&ProcessSecrets)?;
    let url = connections.postgres.context("store.url is missing")?;
    let address = Address::new(&url, connections.postgres_password.as_ref())?;
    let cluster = Arc::new(PgStore::open(&config.store, &address).await?);
    let bus: Arc<dyn Bus> = match connections.redis {
        Some(url) => Arc::new(RedisBus::start(&url, &config.redis.prefix)?),
        // Nobody hears this bus; the others see the death at their next look.
        None => Arc::new(LocalBus::default()),
    };
    Ok(Registry { cluster, bus })
}
