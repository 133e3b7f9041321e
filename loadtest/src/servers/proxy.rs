//! Runs a TCP link between the product and a server that can fail in every way a network can. Layer: servers.
//!
//! Invariant: a connection whose bytes were swallowed never carries further ones; when the link passes again, the
//! connection is reset, as by a middlebox that forgot the connection. If a side whose bytes are swallowed closes, the
//! other side learns of that only after the link heals: a server keeps what a vanished client held, as in a real
//! partition.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::daemon::free_port;
use super::error::ServerError;
use super::resp::Frames;

/// How many bytes are read at once, at most.
const PIECE_BYTES: usize = 64 * 1024;
/// How often a taken port is tried.
const BINDS: u32 = 50;

/// The direction in which bytes fail to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both directions.
    Both,
    /// Only from the client to the server.
    ToServer,
    /// Only from the server to the client.
    ToClient,
}

impl Way {
    fn holds(self, way: Way) -> bool {
        self == Self::Both || self == way
    }
}

/// The behaviour of the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    #[default]
    Pass,
    /// Nobody listens: new connections are refused, open ones are reset.
    Refuse,
    /// Bytes are lost silently; connections seem to stay open.
    BlackHole(Way),
    /// Bytes wait and arrive when the link passes again: late, but not lost.
    Hold(Way),
    /// Everything passes except the messages that a Redis publishes to its subscribers.
    DropMessages,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Link {
    mode: Mode,
    /// The delay of each piece, in each direction.
    latency: Duration,
    /// Connections with a number below this one are reset.
    cut: u64,
}

/// The counters of a link.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    swallowed: AtomicU64,
    messages: AtomicU64,
    damaged: AtomicU64,
    upstreams: Mutex<Vec<Upstream>>,
}

impl Counts {
    fn change(&self, change: impl FnOnce(&mut Vec<Upstream>)) {
        change(&mut self.upstreams.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// One connection of the link to the server.
#[derive(Debug, Clone, Copy)]
pub struct Upstream {
    /// The client's address, as the server sees it.
    pub local: SocketAddr,
    /// When the connection was opened.
    pub opened: Instant,
    /// When the client left, even if the server has not learned of that; `None` while the client is connected.
    pub left: Option<Instant>,
}

/// A local port that leads to a server; dropping the proxy closes the port and its connections.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    link: watch::Sender<Link>,
    counts: Arc<Counts>,
    acceptor: JoinHandle<()>,
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl TcpProxy {
    /// Opens a port that leads to a server, which need not run yet.
    ///
    /// # Errors
    /// No port is free.
    #[allow(clippy::disallowed_methods, reason = "the one acceptor; its handle is kept, its connections are its own")]
    pub async fn start(server: SocketAddr) -> Result<Self, ServerError> {
        let mut bound = Err(io::ErrorKind::AddrInUse.into());
        for _ in 0..BINDS {
            bound = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?)).await;
            if bound.is_ok() {
                break;
            }
        }
        let listener = bound.map_err(ServerError::io("a port for a proxy"))?;
        let port = listener.local_addr().map_err(ServerError::io("a port for a proxy"))?.port();
        let link = watch::Sender::new(Link::default());
        let counts = Arc::new(Counts::default());
        let acceptor = Acceptor { port, server, link: link.subscribe(), counts: Arc::clone(&counts) };
        Ok(Self { port, link, counts, acceptor: tokio::spawn(acceptor.run(listener)) })
    }

    /// Opens a port that leads to a local one.
    ///
    /// # Errors
    /// No port is free.
    pub async fn to_port(port: u16) -> Result<Self, ServerError> {
        Self::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Returns the port of the proxy at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the current behaviour of the link.
    pub fn mode(&self) -> Mode {
        self.link.borrow().mode
    }

    /// Changes the behaviour of the link for all connections, open and new.
    pub fn set(&self, mode: Mode) {
        self.link.send_modify(|link| {
            link.mode = mode;
            if mode == Mode::Refuse {
                link.cut = self.counts.connections.load(Ordering::SeqCst);
            }
        });
    }

    /// Sets the delay of every piece, in each direction.
    pub fn set_latency(&self, latency: Duration) {
        self.link.send_modify(|link| link.latency = latency);
    }

    /// Resets all open connections; new connections are accepted.
    pub fn cut(&self) {
        self.link.send_modify(|link| link.cut = self.counts.connections.load(Ordering::SeqCst));
    }

    /// Returns how many connections were made so far.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Returns every connection to the server so far, in order of opening.
    pub fn upstreams(&self) -> Vec<Upstream> {
        self.counts.upstreams.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how many connections were reset or lost bytes; each may have cost the answer to one request.
    pub fn damaged(&self) -> u64 {
        self.counts.damaged.load(Ordering::SeqCst)
    }

    /// Returns how many bytes were swallowed so far.
    pub fn swallowed_bytes(&self) -> u64 {
        self.counts.swallowed.load(Ordering::SeqCst)
    }

    /// Returns how many published messages were dropped so far.
    pub fn dropped_messages(&self) -> u64 {
        self.counts.messages.load(Ordering::SeqCst)
    }
}

struct Acceptor {
    port: u16,
    server: SocketAddr,
    link: watch::Receiver<Link>,
    counts: Arc<Counts>,
}

impl Acceptor {
    async fn run(mut self, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut open = JoinSet::new();
        loop {
            if self.link.borrow_and_update().mode == Mode::Refuse {
                listener = None;
                if self.link.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let Some(listening) = &listener else {
                match TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await {
                    Ok(bound) => listener = Some(bound),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
                continue;
            };
            tokio::select! {
                changed = self.link.changed() => if changed.is_err() { return },
                Some(_) = open.join_next() => {}
                taken = listening.accept() => if let Ok((client, _)) = taken {
                    let number = self.counts.connections.fetch_add(1, Ordering::SeqCst);
                    let connection = Connection {
                        number,
                        server: self.server,
                        link: self.link.clone(),
                        counts: Arc::clone(&self.counts),
                    };
                    open.spawn(connection.run(client));
                },
            }
        }
    }
}

struct Connection {
    number: u64,
    server: SocketAddr,
    link: watch::Receiver<Link>,
    counts: Arc<Counts>,
}

/// The way in which one direction of a connection ends.
enum End {
    /// The source closed.
    Closed,
    /// Both sides must be reset.
    Reset,
}

impl Connection {
    async fn run(self, mut client: TcpStream) {
        let _ = client.set_nodelay(true);
        let mut link = self.link.clone();
        // A client that connects into a black hole hears nothing until the link heals.
        let passes = link.wait_for(|link| !matches!(link.mode, Mode::BlackHole(_) | Mode::Hold(_)));
        if passes.await.is_err() {
            return;
        }
        let Ok(mut server) = TcpStream::connect(self.server).await else {
            return reset(&client);
        };
        let _ = server.set_nodelay(true);
        let Ok(local) = server.local_addr() else { return reset(&client) };
        let place = Cell::new(0);
        self.counts.change(|upstreams| {
            place.set(upstreams.len());
            upstreams.push(Upstream { local, opened: Instant::now(), left: None });
        });
        let place = place.get();
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let forth = self.pump(Way::ToServer, place, from_client, to_server);
        let back = self.pump(Way::ToClient, place, from_server, to_client);
        let ended = tokio::try_join!(forth, back);
        self.left(place);
        if ended.is_err() {
            self.counts.damaged.fetch_add(1, Ordering::SeqCst);
            reset(&client);
            reset(&server);
        }
    }

    /// Records that the client has left.
    fn left(&self, place: usize) {
        self.counts.change(|upstreams| {
            if let Some(upstream) = upstreams.get_mut(place) {
                upstream.left.get_or_insert_with(Instant::now);
            }
        });
    }

    /// Carries bytes in one direction until the source closes or an error ends the connection.
    async fn pump(&self, way: Way, place: usize, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), End> {
        let mut link = self.link.clone();
        let mut piece = vec![0; PIECE_BYTES];
        let mut frames: Option<Frames> = None;
        let mut lost = 0_u64;
        let ended = loop {
            let now = *link.borrow_and_update();
            if now.cut > self.number {
                break End::Reset;
            }
            let read = match now.mode {
                Mode::Hold(held) if held.holds(way) => {
                    if link.changed().await.is_err() {
                        break End::Reset;
                    }
                    continue;
                }
                Mode::BlackHole(hole) if hole.holds(way) => tokio::select! {
                    changed = link.changed() => if changed.is_err() { break End::Reset } else { continue },
                    read = from.read(&mut piece) => match read {
                        Ok(length) if length > 0 => {
                            lost += length as u64;
                            self.counts.swallowed.fetch_add(length as u64, Ordering::SeqCst);
                            continue;
                        }
                        // The other side learns nothing before the link heals.
                        _ => {
                            if way == Way::ToServer {
                                self.left(place);
                            }
                            let healed = |link: &Link| link.mode != now.mode || link.cut > self.number;
                            let _ = link.wait_for(healed).await;
                            break End::Reset;
                        }
                    },
                },
                _ if lost > 0 => break End::Reset,
                _ => tokio::select! {
                    changed = link.changed() => if changed.is_err() { break End::Reset } else { continue },
                    read = from.read(&mut piece) => read,
                },
            };
            let length = match read {
                Ok(0) => {
                    if way == Way::ToServer {
                        self.left(place);
                    }
                    break End::Closed;
                }
                Ok(length) => length,
                Err(_) => break End::Reset,
            };
            if !now.latency.is_zero() {
                tokio::time::sleep(now.latency).await;
            }
            // The mode may have changed while the piece was delayed.
            let mode = link.borrow().mode;
            let sent = if mode == Mode::DropMessages && way == Way::ToClient {
                let (kept, dropped) = frames.get_or_insert_default().without_messages(&piece[..length]);
                self.counts.messages.fetch_add(dropped, Ordering::SeqCst);
                to.write_all(&kept).await
            } else {
                match frames.take() {
                    // The beginning of a frame that was incomplete when the link passed again.
                    Some(mut frames) => {
                        let begun = frames.take_rest();
                        to.write_all(&[&begun, &piece[..length]].concat()).await
                    }
                    None => to.write_all(&piece[..length]).await,
                }
            };
            if sent.is_err() {
                break End::Reset;
            }
        };
        match ended {
            End::Closed => {
                let _ = to.shutdown().await;
                Ok(())
            }
            End::Reset => Err(End::Reset),
        }
    }
}

/// Makes a connection end with a reset as soon as the stream is dropped.
fn reset(stream: &TcpStream) {
    // A connection that is gone already needs no reset.
    let _ = stream.set_zero_linger();
}
