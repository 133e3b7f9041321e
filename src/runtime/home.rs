//! Brings a process home: opens its store, clock and bus, and takes its place, alone or among others. Layer `runtime`.
//! Keeps I5.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use botfleet_actors::actors::node::{Place, Seat};
use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::domain::ownership::{Incarnation, NewNode, NodeReport, NodeState};
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::policy::ownership::settings::OwnershipSettings;
use botfleet_actors::ports::audit::AuditLog;
use botfleet_actors::ports::bus::Bus;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::cluster::Cluster;
use botfleet_actors::ports::configurations::Configurations;
use botfleet_actors::ports::operators::Operators;
use botfleet_actors::ports::rates::Rates;
use botfleet_actors::ports::requests::Requests;
use botfleet_actors::ports::secrets::Secrets;
use botfleet_actors::ports::store::{Store, Tenure};

use super::clock::{MachineClock, TelegramDates, boot_time};
use super::configuration::commit::Stored;
use super::configuration::reference::Places;
use super::configuration::start::begin;
use super::database_clock::{DatabaseClock, TimedCluster};
use super::vault::SecretSources;
use crate::bus::local::LocalBus;
use crate::bus::redis::RedisBus;
use crate::config::connections::Connections;
use crate::config::manifest::LoadedManifest;
use crate::config::outbound::OutboundSettings;
use crate::config::settings::Config;
use crate::outbound::guard::{Guard, Rules};
use crate::store::postgres::PgStore;
use crate::store::postgres::open::Address;
use crate::store::sqlite::SqliteStore;

/// Name of the only node of an embedded fleet.
const EMBEDDED_NODE: &str = "embedded";

/// Interval at which a process that waits for the end of another one of its name says so.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The store, clock and place of a process.
pub(super) struct Home {
    pub(super) store: Arc<dyn Store>,
    pub(super) operators: Arc<dyn Operators>,
    pub(super) audit: Arc<dyn AuditLog>,
    pub(super) requests: Arc<dyn Requests>,
    pub(super) rates: Arc<dyn Rates>,
    /// Sealed secrets.
    pub(super) secrets: Arc<dyn Secrets>,
    pub(super) configuration: Arc<Stored>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seat: Seat,
    pub(super) roster: Roster,
    /// State that the last process left behind; nothing in a cluster, where leases are taken one by one.
    pub(super) tenure: Tenure,
}

impl Home {
    /// Opens the store and takes a place; `launch` is the launcher's number of this start.
    ///
    /// # Errors
    /// When the store cannot be opened, or the manifest contradicts it.
    pub(super) async fn open(
        config: &Config,
        connections: &Connections,
        (manifest, sources): (&LoadedManifest, &SecretSources),
        launch: Option<i64>,
        telegram: TelegramDates,
    ) -> anyhow::Result<Self> {
        match &connections.postgres {
            None => Self::alone(config, (manifest, sources), telegram).await,
            Some(url) => {
                let address = Address::new(url, connections.postgres_password.as_ref())?;
                let store = Arc::new(PgStore::open(&config.store, &address).await?);
                match &connections.redis {
                    Some(url) => {
                        let bus = Arc::new(RedisBus::start(url, &config.redis.prefix)?);
                        Self::among(config, store, bus, (manifest, sources), launch, telegram).await
                    }
                    None => {
                        Self::among(config, store, Arc::new(LocalBus::default()), (manifest, sources), launch, telegram)
                            .await
                    }
                }
            }
        }
    }

    async fn alone(
        config: &Config,
        (manifest, sources): (&LoadedManifest, &SecretSources),
        telegram: TelegramDates,
    ) -> anyhow::Result<Self> {
        let store = Arc::new(SqliteStore::open(&config.store).await?);
        let operators: Arc<dyn Operators> = store.clone();
        let audit = Arc::clone(&store) as Arc<dyn AuditLog>;
        let requests = Arc::clone(&store) as Arc<dyn Requests>;
        let secrets = Arc::clone(&store) as Arc<dyn Secrets>;
        let clock: Arc<dyn Clock> = Arc::new(MachineClock::start(telegram));
        let configuration = stored(Arc::clone(&store) as Arc<dyn Configurations>, config, manifest, sources);
        let roster = begin(store.as_ref(), &configuration, manifest, true, clock.now()).await?;
        let tenure = store.begin_tenure(EMBEDDED_NODE, clock.now()).await?;
        let bus = Arc::new(LocalBus::default());
        let rates = Arc::clone(&bus) as Arc<dyn Rates>;
        let seat = Seat { name: EMBEDDED_NODE.to_owned(), place: Place::Alone(tenure.epoch), bus };
        Ok(Self { store, operators, audit, requests, rates, secrets, configuration, clock, seat, roster, tenure })
    }

    async fn among(
        config: &Config,
        store: Arc<PgStore>,
        bus: Arc<impl Bus + Rates>,
        (manifest, sources): (&LoadedManifest, &SecretSources),
        launch: Option<i64>,
        telegram: TelegramDates,
    ) -> anyhow::Result<Self> {
        let clock = Arc::new(DatabaseClock::start(telegram));
        let cluster = TimedCluster { cluster: Arc::clone(&store) as Arc<dyn Cluster>, clock: Arc::clone(&clock) };
        let name = config.cluster.node_name();
        let node = NewNode {
            name: name.clone(),
            role: config.cluster.role,
            address: config.cluster.address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            launch,
        };
        let me = join(&cluster, &node, &config.cluster.ownership()).await?;
        // The first answer sets the clock, before the clock dates anything.
        let report = NodeReport { telegram: true, ..NodeReport::default() };
        cluster.beat(me, &report).await.context("the first beat was not taken")?;
        let configuration = stored(Arc::clone(&store) as Arc<dyn Configurations>, config, manifest, sources);
        let roster = begin(store.as_ref(), &configuration, manifest, false, clock.now()).await?;
        tracing::info!(node = %name, incarnation = %me, role = config.cluster.role.as_str(), "joined the cluster");
        let tenure = Tenure { epoch: Epoch(0), turns_requeued: 0, turns_dead: 0, sends_again: 0, sends_unknown: 0 };
        let rates = Arc::clone(&bus) as Arc<dyn Rates>;
        let seat = Seat { name, place: Place::Among { me, cluster: Arc::new(cluster) }, bus };
        let operators: Arc<dyn Operators> = store.clone();
        let audit = Arc::clone(&store) as Arc<dyn AuditLog>;
        let requests = Arc::clone(&store) as Arc<dyn Requests>;
        let secrets = Arc::clone(&store) as Arc<dyn Secrets>;
        Ok(Self { store, operators, audit, requests, rates, secrets, configuration, clock, seat, roster, tenure })
    }
}

/// Returns the stored configuration; relative paths of its secrets start where the manifest's do.
fn stored(
    store: Arc<dyn Configurations>,
    config: &Config,
    manifest: &LoadedManifest,
    sources: &SecretSources,
) -> Arc<Stored> {
    let folder = manifest.folder.clone();
    let places = Places { settings: config.secrets.clone(), folder: folder.clone() };
    Arc::new(Stored { store, folder, sources: sources.clone(), places, guard: Arc::new(guard(config)) })
}

/// Makes the guard of addresses that come by API.
fn guard(config: &Config) -> Guard {
    let OutboundSettings { schemes, private_hosts, .. } = config.outbound.clone();
    Guard::new(Rules { schemes, ports: config.outbound.known_ports(), private_hosts })
}

/// Joins the cluster. While an older process of the same name lives, this one waits. Once the older one's beat has
/// stood still for `dead_after`, this process declares it dead, as any other node would.
async fn join(cluster: &dyn Cluster, node: &NewNode, settings: &OwnershipSettings) -> anyhow::Result<Incarnation> {
    let mut watched: Option<(Incarnation, i64, Duration)> = None;
    let mut told: Option<Instant> = None;
    loop {
        let error = match cluster.join(node).await {
            Ok(me) => return Ok(me),
            Err(error) if error.is_retryable() => error,
            Err(error) => return Err(error.into()),
        };
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            told = Some(Instant::now());
            tracing::warn!(node = %node.name, reason = %error, "cannot join yet; does another process use this name?");
        }
        let nodes = cluster.nodes().await;
        let older = nodes
            .as_ref()
            .ok()
            .and_then(|nodes| nodes.iter().find(|other| other.name == node.name && other.state != NodeState::Dead));
        watched = match (older, watched) {
            (None, _) => None,
            (Some(older), Some((incarnation, beat, since)))
                if (older.incarnation, older.beat) == (incarnation, beat) =>
            {
                if boot_time().saturating_sub(since) >= settings.dead_after {
                    cluster.bury(&[(incarnation, beat)]).await?;
                }
                watched
            }
            (Some(older), _) => Some((older.incarnation, older.beat, boot_time())),
        };
        tokio::time::sleep(settings.observe_every).await;
    }
}
