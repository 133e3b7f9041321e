//! Runs an HTTP server and closes it without failing a request. Layer `http`.
//!
//! | when | what a client sees |
//! |---|---|
//! | the peer may not use the port | the connection ends unread |
//! | handshake or head of a request take too long | the connection ends |
//! | the maximum of connections is open | a new one waits until another has ended |
//! | the peer's network has its own maximum open | the connection ends unread |
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
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::metrics;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::certificate::Certificate;
use super::connection::{self, Site, Stream};
use super::counted::Counted;
use super::place::Place;
use super::socket::LocalSocket;
use super::transport::Transport;
use crate::operate::context::network_of;
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
    /// Starts a server. It tells by the clock before the certificate of its port ends.
    #[expect(
        clippy::disallowed_methods,
        reason = "the server lives outside the supervision tree, and its caller holds the task"
    )]
    pub(super) fn start(listener: Listener, router: Router, connections_max: usize, clock: Arc<dyn Clock>) -> Self {
        let (close, closing) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router, connections_max, clock, closing));
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
async fn serve(
    listener: Listener,
    router: Router,
    connections_max: usize,
    clock: Arc<dyn Clock>,
    mut closing: oneshot::Receiver<()>,
) {
    let room = Room { all: Arc::new(Semaphore::new(connections_max)), networks: Counted::default() };
    let transport = if let Listener::Port(_, transport) = &listener { transport.clone() } else { Transport::default() };
    let tls = transport.certificate.as_ref().map(Certificate::config);
    let mut followers = JoinSet::new();
    if let Some(certificate) = transport.certificate {
        followers.spawn(certificate.follow(clock));
    }
    let site = Arc::new(Site { router, proxies: transport.proxies, tls });
    let (leave, leaving) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut refusals = [Refusals::new("network"), Refusals::new("address")];
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
        connections.spawn(connection::serve(stream, Arc::clone(&site), leaving.clone(), place));
    }
    drop(listener);
    leave.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// Room for connections.
struct Room {
    all: Arc<Semaphore>,
    networks: Counted<IpNet>,
}

/// Waits for a free place, then for a connection of a peer that may be served. Others are closed unread.
async fn accept(listener: &Listener, room: &Room, refusals: &mut [Refusals; 2]) -> io::Result<(Stream, Place)> {
    let place = Arc::clone(&room.all).acquire_owned().await.map_err(io::Error::other)?;
    let (listener, transport) = match listener {
        Listener::Port(listener, transport) => (listener, transport),
        Listener::Local(socket) => return Ok((Stream::Local(socket.accept().await?), Place::new(place, None))),
    };
    let [strangers, crowds] = refusals;
    loop {
        let (stream, peer) = listener.accept().await?;
        let peer = peer.ip().to_canonical();
        if !transport.serves(peer) {
            strangers.count();
            continue;
        }
        let most = transport.connections_of(peer);
        let of_network = network_of(peer).map(|network| room.networks.open(network, most));
        match of_network {
            Some(None) => crowds.count(),
            counted => {
                let _ = stream.set_nodelay(true);
                return Ok((Stream::Port(stream, peer), Place::new(place, counted.flatten())));
            }
        }
    }
}

/// Peers that were refused for a reason, and when people were told of them.
#[derive(Debug)]
struct Refusals {
    reason: &'static str,
    untold: u64,
    told: Option<Instant>,
}

impl Refusals {
    fn new(reason: &'static str) -> Self {
        Self { reason, untold: 0, told: None }
    }

    fn count(&mut self) {
        metrics::http_connections_refused_total { reason: self.reason }.increment(1);
        self.untold += 1;
        if self.told.is_none_or(|told| told.elapsed() >= REFUSALS_TOLD_EVERY) {
            let connections = self.untold;
            if self.reason == "network" {
                tracing::warn!(
                    connections,
                    "refused plain HTTP from networks that server.plaintext and server.proxies lack"
                );
            } else {
                tracing::warn!(
                    connections,
                    "refused connections of addresses that hold server.limits.connections already"
                );
            }
            (self.untold, self.told) = (0, Some(Instant::now()));
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

    use std::num::NonZeroU32;

    use axum::routing::get;
    use botfleet_actors::domain::time::Timestamp;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpSocket, TcpStream};

    use super::connection::HEAD_WITHIN;
    use super::*;

    /// A clock that nobody looks at.
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        fn boot_time(&self) -> Duration {
            Duration::ZERO
        }
    }

    async fn started(connections_max: usize, transport: Transport) -> (std::net::SocketAddr, Server) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "well"));
        (address, Server::start(Listener::Port(listener, transport), router, connections_max, Arc::new(Still)))
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_that_say_nothing_do_not_keep_others_out_for_long() {
        let (address, server) = started(2, Transport::default()).await;
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

    async fn asked(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn an_address_holds_so_many_connections_and_keeps_nobody_else_out() {
        let most = NonZeroU32::new(2).unwrap();
        let transport = Transport::new(None, vec!["127.0.0.9/32".parse().unwrap()], Vec::new()).with_connections(most);
        let (address, server) = started(64, transport).await;
        let from = async |host: &str| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(format!("{host}:0").parse().unwrap()).unwrap();
            socket.connect(address).await.unwrap()
        };
        let (first, mut second) = (from("127.0.0.1").await, from("127.0.0.1").await);
        assert!(!asked(&mut from("127.0.0.1").await).await.contains("well"), "the third is closed unread");
        assert!(asked(&mut from("127.0.0.2").await).await.ends_with("well"), "another address has its own");
        let proxy = [from("127.0.0.9").await, from("127.0.0.9").await];
        assert!(asked(&mut from("127.0.0.9").await).await.ends_with("well"), "a named proxy brings many clients");
        assert!(asked(&mut second).await.ends_with("well"));
        drop(second);
        let until = Instant::now() + Duration::from_secs(10);
        while !asked(&mut from("127.0.0.1").await).await.ends_with("well") {
            assert!(Instant::now() < until, "the place of an ended connection stays taken");
        }
        drop((first, proxy));
        server.close(Duration::from_secs(1)).await;
    }
}
