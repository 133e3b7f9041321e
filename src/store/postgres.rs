//! The store on PostgreSQL: all state of a cluster, and the cluster state that its nodes share. Layer: adapter. Keeps
//! I1-I6, I8, I11.
//!
//! | file | holds |
//! |---|---|
//! | `open`, `migrations` | the address of the database, and a schema that this version knows |
//! | `grants` | the rights of the role that runs the fleet |
//! | `session` | connections, and the time limits of everything that runs on them |
//! | `engine` | how statements run, on connections for each purpose |
//! | `commit`, `load` | the group commit: two crossings to the server, or five under locks, whatever the batch's size |
//! | `tenure`, `cluster` | leases that change hands; beats, looks and plans |
//!
//! Everybody takes locks in one order: leases by (kind, key), then windows and budgets by key, then turns, then
//! messages, each by id.

pub(super) mod cluster;
pub(super) mod commit;
pub(super) mod engine;
pub mod grants;
pub(super) mod load;
pub mod migrations;
pub mod open;
mod session;
pub(super) mod tenure;

use std::sync::atomic::AtomicI64;

use tokio::sync::Mutex;

use self::commit::Writer;
use self::engine::Postgres;
use self::migrations::{Schema, Standing};
use self::open::{Address, OpenError};
use self::session::{Bounds, Sessions};
use super::settings::StoreSettings;
use super::sql::SqlStore;

/// Gives one process access to all state of a cluster.
pub type PgStore = SqlStore<Postgres>;

impl PgStore {
    /// Connects to a database whose schema this version knows.
    ///
    /// # Errors
    /// When the address is invalid, nobody answers there, or the schema is behind or incompatibly newer.
    pub async fn open(settings: &StoreSettings, address: &Address) -> Result<Self, OpenError> {
        let mut schema = Schema::connect(address).await?;
        let steps = schema.steps().await;
        let steps = steps.map_err(|cause| OpenError::Schema { place: address.place().to_owned(), cause })?;
        address.judge(&Standing::of(&steps))?;
        Ok(Self { engine: connect(settings, address) })
    }
}

/// Prepares the connections, which are made when they are needed.
fn connect(settings: &StoreSettings, address: &Address) -> Postgres {
    let name = format!("botfleet-{:016x}", fastrand::u64(..));
    let bounds = Bounds { statement: settings.statement_timeout, slow: settings.slow_query };
    let sessions = |purpose: &'static str, size: usize| {
        let options = address.bounded(&format!("{name} {purpose}"), settings.statement_timeout);
        Sessions::new(purpose, size, options, bounds.clone())
    };
    let readers = usize::try_from(settings.connections.get()).unwrap_or(8);
    Postgres {
        writer: Mutex::new(Writer::new(format!("{name} writes"))),
        writes: sessions("writes", 1),
        reads: sessions("reads", readers),
        beats: sessions("beats", 1),
        watch: sessions("watch", 1),
        tasks: sessions("tasks", 1),
        name,
        incarnation: AtomicI64::new(0),
        tenure: AtomicI64::new(0),
    }
}
