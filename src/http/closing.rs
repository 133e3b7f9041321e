//! Runs an HTTP server and closes it without failing a request. Layer `http`.
//!
//! | when | what a client sees |
//! |---|---|
//! | the peer may not use the port | the connection ends unread |
//! | handshake or head of a request take too long | the connection ends |
//! | the maximum of connections is open | a new one waits until another has ended |
//! | readiness is off | answers as before, each the last of its connection: pools of connections run dry |
//! | the server closes | no new connection; requests under way are answered; idle connections end |
//! | the time for that is over | connections end |

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use botfleet_actors::ports::metrics;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::certificate::Certificate;
use super::connection::{self, Site, Stream};
use super::place::Place;
use super::socket::LocalSocket;
use super::transport::Transport;
use crate::runtime::fleet::RunningFleet;

/// Wait before the next connection is taken after the system refused one.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Most often that refused peers are logged.
const REFUSALS_TOLD_EVERY: Duration = Duration::from_mins(1);

/// The place where a server takes connections.
pub(super) enum Listener {
    Port(TcpListener, Transport),
    Local(LocalSocket),
}

/// A running server. Dropping this handle leaves the server running.
#[derive(Debug)]
pub struct Server {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server lives outside the supervision tree, and its caller holds the task"
    )]
    pub(super) fn start(listener: Listener, router: Router, connections_max: usize) -> Self {
        let (close, closing) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router, connections_max, closing));
        Self { close, task }
    }

    /// Takes no more connections, and answers the requests under way unless they take longer than `within`.
    pub async fn close(self, within: Duration) {
        let _ = self.close.send(());
        let abort = self.task.abort_handle();
        if tokio::time::timeout(within, self.task).await.is_err() {
            tracing::debug!("requests under way were not waited for");
            abort.abort();
        }
    }
}

/// Accepts connections until `closing` is sent, then answers the requests under way.
///
/// Bounds the resources that strangers can hold: at most `connections_max` connections, handshakes among them. Further
/// connections wait in the system's queue. The bounds of each connection are those of [`connection::serve`].
async fn serve(listener: Listener, router: Router, connections_max: usize, mut closing: oneshot::Receiver<()>) {
    let room = Arc::new(Semaphore::new(connections_max));
    let transport = if let Listener::Port(_, transport) = &listener { transport.clone() } else { Transport::default() };
    let tls = transport.certificate.as_ref().map(Certificate::config);
    let mut followers = JoinSet::new();
    if let Some(certificate) = transport.certificate {
        followers.spawn(certificate.follow());
    }
    let site = Arc::new(Site { router, proxies: transport.proxies, tls });
    let (leave, leaving) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut refusals = Refusals::default();
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &room, &mut refusals) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(error = %error, "a connection was not taken");
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
            Ok(()) = &mut closing => break,
        };
        connections.spawn(connection::serve(stream, Arc::clone(&site), leaving.clone(), Place::new(place)));
    }
    drop(listener);
    leave.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// Waits for a free place, then for a connection of a peer that may be served. Others are closed unread.
async fn accept(
    listener: &Listener,
    room: &Arc<Semaphore>,
    refusals: &mut Refusals,
) -> io::Result<(Stream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (listener, transport) = match listener {
        Listener::Port(listener, transport) => (listener, transport),
        Listener::Local(socket) => return Ok((Stream::Local(socket.accept().await?), place)),
    };
    loop {
        let (stream, peer) = listener.accept().await?;
        let peer = peer.ip().to_canonical();
        if transport.serves(peer) {
            let _ = stream.set_nodelay(true);
            return Ok((Stream::Port(stream, peer), place));
        }
        refusals.count();
    }
}

/// Peers that were refused, and when people were told of them.
#[derive(Debug, Default)]
struct Refusals {
    untold: u64,
    told: Option<Instant>,
}

impl Refusals {
    fn count(&mut self) {
        metrics::http_connections_refused_total { reason: "network" }.increment(1);
        self.untold += 1;
        if self.told.is_none_or(|told| told.elapsed() >= REFUSALS_TOLD_EVERY) {
            let connections = self.untold;
            tracing::warn!(
                connections,
                "refused plain HTTP from networks that server.plaintext and server.proxies lack"
            );
            *self = Self { untold: 0, told: Some(Instant::now()) };
        }
    }
}

/// Tells the client, once readiness is off, that this answer is the last one of its connection.
pub(super) async fn last_of_its_connection(
    State(fleet): State<Arc<RunningFleet>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if fleet.is_leaving() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::connection::HEAD_WITHIN;
    use super::*;

    async fn started(connections_max: usize) -> (std::net::SocketAddr, Server) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "well"));
        (address, Server::start(Listener::Port(listener, Transport::default()), router, connections_max))
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_that_say_nothing_do_not_keep_others_out_for_long() {
        let (address, server) = started(2).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
        let heard = tokio::time::timeout(4 * HEAD_WITHIN, answer(&mut caller)).await;
        assert!(heard.unwrap().ends_with("well"), "the caller waited for a place and got it");
        assert_eq!(answer(&mut idle).await, "", "an idle connection is closed");
        assert!(!answer(&mut slow).await.contains("200"), "so is one that never ends its head");
        server.close(Duration::from_secs(1)).await;
    }
}
