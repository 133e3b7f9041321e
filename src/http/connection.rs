//! Serves one connection: handshake, protocol, bounds, and an end that fails no request. Layer `http`.
//!
//! A connection of TLS speaks HTTP/2 or HTTP/1.1, as the client chooses in the handshake; a plain one HTTP/1.1.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, header};
use botfleet_actors::ports::metrics;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use ipnet::IpNet;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::client_address::{self, Peer};
use super::http2;
use super::place::Place;
use super::stalled::Impatient;

/// The longest time for the head of a request to arrive; a connection that is idle for that long ends too.
pub(super) const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// Largest head of a request: its first line and all headers.
pub(super) const HEAD_MAX_BYTES: u32 = 32 * 1024;

/// The longest time for a handshake of TLS.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// A connection that was just made.
pub(super) enum Stream {
    /// At a port.
    Port(TcpStream, IpAddr),
    /// At the local socket.
    Local(UnixStream),
}

/// What all connections of a server share.
pub(super) struct Site {
    pub(super) router: Router,
    pub(super) proxies: Vec<IpNet>,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

/// Serves a connection until its end; once `leaving` holds true, only the requests under way.
pub(super) async fn serve(stream: Stream, site: Arc<Site>, mut leaving: watch::Receiver<bool>, place: Place) {
    let answering = |peer| Answering { place: Some(place.clone()), ..Answering::new(peer, &site) };
    match (stream, &site.tls) {
        (Stream::Local(stream), _) => http1(Impatient::new(stream), answering(Peer::Local), leaving).await,
        (Stream::Port(stream, address), None) => {
            http1(Impatient::new(stream), answering(Peer::Port { address, tls: false }), leaving).await;
        }
        (Stream::Port(stream, address), Some(tls)) => {
            let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(Impatient::new(stream));
            let made = tokio::select! {
                made = tokio::time::timeout(HANDSHAKE_WITHIN, handshake) => made.map_err(io::Error::other).flatten(),
                () = told(&mut leaving) => return,
            };
            match made {
                Ok(stream) => {
                    encrypted(stream, answering(Peer::Port { address, tls: true }), leaving).await;
                }
                Err(error) => {
                    metrics::http_connections_refused_total { reason: "handshake" }.increment(1);
                    tracing::debug!(error = %error, "a handshake failed");
                }
            }
        }
    }
}

async fn encrypted(stream: TlsStream<Impatient<TcpStream>>, answering: Answering, leaving: watch::Receiver<bool>) {
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2::serve(stream, answering, leaving).await;
    } else {
        http1(stream, answering, leaving).await;
    }
}

async fn http1<S>(stream: S, answering: Answering, mut leaving: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_header_size(HEAD_MAX_BYTES as usize);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), answering).with_upgrades());
    // A client that went away, or was too slow, is nobody's fault here.
    tokio::select! {
        _ = &mut connection => return,
        () = told(&mut leaving) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Waits until the server closes.
pub(super) async fn told(leaving: &mut watch::Receiver<bool>) {
    // Without a sender there is no server any more.
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

/// Answers the requests of one connection, each of which learns its sender.
pub(super) struct Answering {
    router: TowerToHyperService<Router>,
    peer: Peer,
    site: Arc<Site>,
    place: Option<Place>,
}

impl Answering {
    pub(super) fn new(peer: Peer, site: &Arc<Site>) -> Self {
        Self { router: TowerToHyperService::new(site.router.clone()), peer, site: Arc::clone(site), place: None }
    }
}

impl Service<Request<Incoming>> for Answering {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = TowerToHyperServiceFuture<Router, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        match client_address::client(self.peer, request.headers(), &self.site.proxies) {
            Ok(client) => drop(request.extensions_mut().insert(client)),
            Err(unclear) => drop(request.extensions_mut().insert(unclear)),
        }
        if let Some(place) = &self.place {
            request.extensions_mut().insert(place.clone());
        }
        // RFC 9112, 3.2.2 and RFC 9113, 8.3.1: what the target names goes before the header, which HTTP/2 mostly lacks.
        let named = request.uri().authority().and_then(|named| HeaderValue::from_str(named.as_str()).ok());
        if let Some(host) = named {
            request.headers_mut().insert(header::HOST, host);
        }
        self.router.call(request)
    }
}
