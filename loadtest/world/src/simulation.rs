//! Serves the whole simulation on one listener: Bot API, LLM provider and control API.
//!
//! Layer: above all others but `cli`. Paths under `/v1` belong to the provider, those under `/p/<name>/v1` to a further
//! provider, those under `/sim` to the harness, and all others to Telegram. When the simulation stops, it drops the
//! requests in hand, as a server does that dies.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::provider::{self, Provider, ProviderSpec};
use crate::scenario::Scenario;
use crate::world::World;
use crate::world::error::SpecError;
use crate::world::spec::WorldSpec;
use crate::{control, scenario, telegram};

/// The distance between the first call numbers of successive providers.
const CALLS_APART: u64 = 1_000_000_000;
/// How long the server may take to finish its answers when the simulation stops.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Describes what to simulate and where to listen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationSpec {
    /// The world.
    pub world: WorldSpec,
    /// The LLM provider.
    #[serde(default)]
    pub provider: ProviderSpec,
    /// Further LLM providers, each under `/p/<name>/v1`.
    #[serde(default)]
    pub providers: BTreeMap<String, ProviderSpec>,
    /// The address to listen on; port 0 takes a free one.
    #[serde(default = "any_local_port")]
    pub listen: SocketAddr,
}

impl SimulationSpec {
    /// Describes a simulation of `world` with the default provider, on a free local port.
    pub fn of(world: WorldSpec) -> Self {
        Self { world, provider: ProviderSpec::default(), providers: BTreeMap::new(), listen: any_local_port() }
    }
}

fn any_local_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The reason why a simulation did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The description of the world contradicts itself.
    #[error("the world's description is wrong")]
    Spec(#[from] SpecError),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
}

/// A running simulation; dropping the value stops the simulation.
#[derive(Debug)]
pub struct Simulation {
    /// The simulated world.
    pub world: Arc<World>,
    /// The main provider.
    pub provider: Arc<Provider>,
    /// The further providers, by name.
    pub providers: BTreeMap<String, Arc<Provider>>,
    /// The address that the simulation listens on.
    pub addr: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Simulation {
    /// Builds the world and starts to listen.
    ///
    /// # Errors
    /// A wrong description, or an address that cannot be listened on.
    #[allow(clippy::disallowed_methods, reason = "the one server task; the handle is kept and joined by stop")]
    pub async fn start(spec: SimulationSpec) -> Result<Self, StartError> {
        let world = World::new(spec.world)?;
        let provider = Provider::new(spec.provider);
        let providers: BTreeMap<String, Arc<Provider>> = spec
            .providers
            .into_iter()
            .zip(1..)
            .map(|((name, mut spec), place)| {
                if spec.first_call == ProviderSpec::default().first_call {
                    spec.first_call += place * CALLS_APART;
                }
                let provider = Provider::named(&name, spec);
                (name, provider)
            })
            .collect();
        let refused = |source| StartError::Listen { addr: spec.listen, source };
        let listener = TcpListener::bind(spec.listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let (stop, stopping) = watch::channel(false);
        let app = Router::new().fallback(dispatch).with_state(Parts {
            telegram: telegram::router(Arc::clone(&world)),
            control: control::router(Arc::clone(&world)).merge(scenario::control::router(scenario::control::Targets {
                world: Arc::clone(&world),
                providers: std::iter::once(&provider).chain(providers.values()).map(Arc::clone).collect(),
            })),
            provider: provider::router(Arc::clone(&provider)),
            providers: Arc::new(
                providers.iter().map(|(name, one)| (name.clone(), provider::router(Arc::clone(one)))).collect(),
            ),
            stopping: stopping.clone(),
        });
        let listener = listener.tap_io(|stream| {
            // Answers are small; without this they wait for the client's acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service).with_graceful_shutdown(stopped(stopping));
        let server = tokio::spawn(async move {
            // The server ends by the signal only: axum retries when accepting a connection fails.
            let _ = server.await;
        });
        Ok(Self { world, provider, providers, addr, stop, server })
    }

    /// Returns the simulation's address as a base URL without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns every provider, the main one first.
    pub fn all_providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        std::iter::once(&self.provider).chain(self.providers.values())
    }

    /// Puts a scenario's faults in force from now on; they replace all faults set before.
    pub fn set_faults(&self, scenario: &Scenario) {
        self.world.set_faults(scenario.telegram.clone());
        self.all_providers().for_each(|provider| provider.set_faults(scenario.provider.clone()));
    }

    /// Ends all faults; the counts of faults stay.
    pub fn clear_faults(&self) {
        self.world.clear_faults();
        self.all_providers().for_each(|provider| provider.clear_faults());
    }

    /// Stops listening and drops all requests in hand.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.world.stop_deliveries();
        if tokio::time::timeout(STOP_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

#[derive(Clone)]
struct Parts {
    telegram: Router,
    control: Router,
    provider: Router,
    providers: Arc<BTreeMap<String, Router>>,
    stopping: watch::Receiver<bool>,
}

async fn dispatch(State(parts): State<Parts>, mut request: Request) -> Response {
    if let Some((name, uri)) = further_provider(request.uri()) {
        let Some(provider) = parts.providers.get(&name).cloned() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        *request.uri_mut() = uri;
        return served(provider, request, parts.stopping).await;
    }
    let path = request.uri().path();
    let part = if path == "/v1" || path.starts_with("/v1/") {
        parts.provider
    } else if path.starts_with("/sim/") {
        parts.control
    } else {
        parts.telegram
    };
    served(part, request, parts.stopping).await
}

async fn served(part: Router, request: Request, stopping: watch::Receiver<bool>) -> Response {
    tokio::select! {
        answer = part.oneshot(request) => answer.into_response(),
        () = stopped(stopping) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Splits `/p/<name>/v1/...` into the name and the path behind it.
fn further_provider(uri: &Uri) -> Option<(String, Uri)> {
    let (name, rest) = uri.path().strip_prefix("/p/")?.split_once('/')?;
    Some((name.to_owned(), format!("/{rest}").parse().ok()?))
}

/// Waits until the simulation is told to stop or is dropped.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone: the simulation was dropped.
    let _ = stopping.wait_for(|stop| *stop).await;
}
