//! Health and metrics, which need no permission: for this machine at the API's places, for everybody at an address of
//! their own. Layer `http`.

use std::net::SocketAddr;

use axum::extract::{FromRef, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;

use super::client_address::Client;
use super::closing::{Listener, Server};
use super::edge::Edge;
use super::port::BoundPort;
use super::transport::Transport;
use super::{headers, measured};
use crate::operate::failure::{Code, Failure};
use crate::operate::operations::Operations;

/// Most connections of probes and of Prometheus at a time.
const CONNECTIONS_MAX: usize = 64;

/// What is observed.
#[derive(Clone)]
pub(super) struct Observed {
    operations: Operations,
    metrics: PrometheusHandle,
}

impl FromRef<Edge> for Observed {
    fn from_ref(edge: &Edge) -> Self {
        Self { operations: edge.operations.clone(), metrics: edge.metrics.clone() }
    }
}

/// Returns the four routes.
pub(super) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Observed: FromRef<S>,
{
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
}

/// Answers clients on this machine, and others as if nothing were at the path.
pub(super) async fn for_this_machine(request: Request, next: Next) -> Result<Response, Failure> {
    if request.extensions().get::<Client>().is_some_and(Client::is_on_this_machine) {
        return Ok(next.run(request).await);
    }
    Err(Failure::new(Code::UnknownPath, "this is for callers on the machine itself; server.observe serves others"))
}

impl BoundPort {
    /// Binds the address of health and metrics alone.
    ///
    /// # Errors
    /// When the port is in use, or the process may not bind it.
    pub async fn bind_observe(address: SocketAddr) -> anyhow::Result<Self> {
        Self::bind_for(address, "server.observe").await
    }

    /// Serves health and metrics to everybody, until the server is closed.
    pub fn observe(self, edge: &Edge) -> Server {
        let (observed, clock) = (Observed::from_ref(edge), edge.operations.clock());
        let router = routes()
            .layer(middleware::from_fn(headers::add))
            .layer(middleware::from_fn(measured::measure))
            .with_state(observed);
        Server::start(Listener::Port(self.0, Transport::open()), router, CONNECTIONS_MAX, clock)
    }
}

/// GET /health/live: the process answers.
async fn live() -> &'static str {
    "ok"
}

/// GET /health/ready: 200 when the node can work, 503 when it cannot.
async fn ready(State(observed): State<Observed>) -> (StatusCode, &'static str) {
    if observed.operations.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    }
}

/// GET /health: the health of every part.
async fn health(State(observed): State<Observed>) -> impl IntoResponse {
    let health = observed.operations.health().await;
    let status = if health.status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(health))
}

/// GET /metrics: Prometheus text.
async fn metrics(State(observed): State<Observed>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], observed.metrics.render())
}
