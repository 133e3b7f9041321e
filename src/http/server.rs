//! Routes and starts the servers of the HTTP edge. Layer `http`.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use super::closing::{self, Listener, Server};
use super::edge::Edge;
use super::port::BoundPort;
use super::socket::LocalSocket;
use super::transport::Transport;
use super::{documents, guard, headers, health, measured, mount, setup, webhook};
use crate::operate::failure::{Code, Failure};
use crate::runtime::fleet::RunningFleet;

/// Most connections of people, probes and watchers at a time.
const API_CONNECTIONS_MAX: usize = 512;

/// Smallest answer that is compressed, in bytes.
const COMPRESSED_FROM_BYTES: u64 = 1024;

/// Most connections of the local socket.
const LOCAL_CONNECTIONS_MAX: usize = 64;

/// Most connections of the public port: Telegram opens at most 100 for each bot, and far fewer in practice.
const WEBHOOK_CONNECTIONS_MAX: usize = 512;

impl BoundPort {
    /// Serves the fleet's API until the server is closed; `hosts` are accepted besides the names of this machine.
    pub fn serve(self, fleet: Arc<RunningFleet>, edge: Edge, hosts: &[String], transport: Transport) -> Server {
        let router = router(edge, hosts);
        started(Listener::Port(self.0, transport), fleet, router, API_CONNECTIONS_MAX)
    }

    /// Receives Telegram's webhook requests until the server is closed.
    pub fn receive(self, fleet: Arc<RunningFleet>, body_max_bytes: usize) -> Server {
        let router = webhook::router(Arc::clone(&fleet), body_max_bytes);
        started(Listener::Port(self.0, Transport::open()), fleet, router, WEBHOOK_CONNECTIONS_MAX)
    }
}

impl LocalSocket {
    /// Serves the fleet's API to whoever runs it, until the server is closed.
    pub fn serve(self, fleet: Arc<RunningFleet>, edge: Edge) -> Server {
        let router = router(edge, &[]);
        started(Listener::Local(self), fleet, router, LOCAL_CONNECTIONS_MAX)
    }
}

fn started(listener: Listener, fleet: Arc<RunningFleet>, router: Router, connections_max: usize) -> Server {
    let clock = fleet.clock();
    let router = router.layer(middleware::from_fn_with_state(fleet, closing::last_of_its_connection));
    Server::start(listener, router, connections_max, clock)
}

/// Tells which answers are compressed for whoever asks: long ones, but no stream of events, which would wait in a buffer.
fn worth_it() -> impl Predicate {
    SizeAbove::new(COMPRESSED_FROM_BYTES).and(NotForContentType::SSE)
}

/// Answers a method that the path does not have; `Allow` names those that it has.
async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Failure::new(Code::WrongMethod, "`Allow` names the methods of this path").into_response()
}

/// Returns the routes for the node's role: a worker answers for its health, for the cluster and with the documents only.
fn router(edge: Edge, hosts: &[String]) -> Router {
    let role = edge.operations.role();
    health::routes()
        .route_layer(middleware::from_fn(health::for_this_machine))
        .merge(mount::routes(role))
        .merge(documents::routes())
        .merge(setup::routes())
        .fallback(async || Failure::new(Code::UnknownPath, "nothing is at this path; GET /docs tells what there is"))
        .method_not_allowed_fallback(other_method)
        .layer(CompressionLayer::new().compress_when(worth_it()))
        .layer(middleware::from_fn_with_state(Arc::from(hosts), guard::named_hosts_only))
        .layer(middleware::from_fn(guard::known_senders_only))
        .layer(middleware::from_fn(headers::add))
        .layer(middleware::from_fn(measured::measure))
        .with_state(edge)
}
