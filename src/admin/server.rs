//! Routes and starts the servers of the HTTP edge. Layer `admin`.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post, put};
use botfleet_actors::domain::ownership::NodeRole;
use metrics_exporter_prometheus::PrometheusHandle;

use super::closing::{self, Server};
use super::edge::Edge;
use super::port::BoundPort;
use super::{
    bots, cluster, control, dead_letters, decisions, events, fleet, guard, health, measured, outcomes, people, roster,
    style, webhook,
};
use crate::runtime::fleet::RunningFleet;

/// Largest body of a request.
const BODY_MAX_BYTES: usize = 64 * 1024;

/// Most connections of people, probes and watchers at a time.
const API_CONNECTIONS_MAX: usize = 512;

/// Most connections of the public port: Telegram opens at most 100 for each bot, and far fewer in practice.
const WEBHOOK_CONNECTIONS_MAX: usize = 512;

impl BoundPort {
    /// Serves the fleet's API until the server is closed; `hosts` are accepted besides the names of this machine.
    pub fn serve(self, fleet: Arc<RunningFleet>, metrics: PrometheusHandle, hosts: &[String]) -> Server {
        let router = router(Edge { fleet: Arc::clone(&fleet), metrics }, hosts);
        self.run(fleet, router, API_CONNECTIONS_MAX)
    }

    /// Receives Telegram's webhook requests until the server is closed.
    pub fn receive(self, fleet: Arc<RunningFleet>, body_max_bytes: usize) -> Server {
        let router = webhook::router(Arc::clone(&fleet), body_max_bytes);
        self.run(fleet, router, WEBHOOK_CONNECTIONS_MAX)
    }

    fn run(self, fleet: Arc<RunningFleet>, router: Router, connections_max: usize) -> Server {
        let router = router.layer(middleware::from_fn_with_state(fleet, closing::last_of_its_connection));
        Server::start(self.0, router, connections_max)
    }
}

/// Returns the routes for the node's role: a worker answers for its health and for the cluster only.
fn router(edge: Edge, hosts: &[String]) -> Router {
    let all = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health", get(health::health))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/cluster", get(cluster::get))
        .route("/api/v1/cluster/drain", post(cluster::drain))
        .route("/api/v1/cluster/rebalance", post(cluster::rebalance));
    let routes = if edge.fleet.role() == NodeRole::Worker { all } else { all.merge(api()) };
    routes
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(Arc::from(hosts), guard::named_hosts_only))
        .layer(middleware::from_fn(measured::measure))
        .with_state(edge)
}

/// Returns the routes of a node that serves people.
fn api() -> Router<Edge> {
    Router::new()
        .route("/api/v1/fleet", get(fleet::get))
        .route("/api/v1/outcomes", get(outcomes::get))
        .route("/api/v1/style", get(style::get))
        .route("/api/v1/events", get(events::get))
        .route("/api/v1/roster", put(roster::put).layer(DefaultBodyLimit::max(roster::BODY_MAX_BYTES)))
        .route("/api/v1/control/stop", post(control::stop))
        .route("/api/v1/control/start", post(control::start))
        .route("/api/v1/control/release", post(control::release))
        .route("/api/v1/control/lift-pauses", post(control::lift_pauses))
        .route("/api/v1/bots/{name}/delivery", post(bots::set_delivery))
        .route("/api/v1/people/{id}", get(people::get))
        .route("/api/v1/people/{id}/forget", post(people::forget))
        .route("/api/v1/people/{id}/optout", post(people::opt_out))
        .route("/api/v1/people/{id}/optin", post(people::opt_in))
        .route("/api/v1/chats/{chat}/decisions", get(decisions::list))
        .route("/api/v1/dead-letters", get(dead_letters::list))
        .route("/api/v1/dead-letters/{id}/redeliver", post(dead_letters::redeliver))
}
