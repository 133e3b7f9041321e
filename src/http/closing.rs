//! Runs an HTTP server and closes it without failing a request. Layer `http`.
//!
//! | when | what a client sees |
//! |---|---|
//! | the head of a request takes too long | the connection ends |
//! | the maximum of connections is open | a new one waits until another has ended |
//! | readiness is off | answers as before, each the last of its connection: pools of connections run dry |
//! | the server closes | no new connection; requests under way are answered; idle connections end |
//! | the time for that is over | connections end |

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::socket::LocalSocket;
use crate::runtime::fleet::RunningFleet;

/// The longest time for the head of a request to arrive; a connection that is idle for that long ends too.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// Wait before the next connection is taken after the system refused one.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The place where a server takes connections.
pub(super) enum Listener {
    Port(TcpListener),
    Local(LocalSocket),
}

/// A connection.
enum Stream {
    Port(TcpStream),
    Local(UnixStream),
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
/// Bounds the resources that strangers can hold: at most `connections_max` connections, each of which must send the
/// head of its next request within [`HEAD_WITHIN`]. Further connections wait in the system's queue.
async fn serve(listener: Listener, router: Router, connections_max: usize, mut closing: oneshot::Receiver<()>) {
    let room = Arc::new(Semaphore::new(connections_max));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &room) => match accepted {
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
        let service = TowerToHyperService::new(router.clone());
        // A client that went away, or was too slow, is nobody's fault here.
        match stream {
            Stream::Port(stream) => {
                let _ = stream.set_nodelay(true);
                let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
                connections.spawn(async move { drop((connection.await, place)) });
            }
            Stream::Local(stream) => {
                let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
                connections.spawn(async move { drop((connection.await, place)) });
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Waits for a free place, then for a connection.
async fn accept(listener: &Listener, room: &Arc<Semaphore>) -> io::Result<(Stream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let stream = match listener {
        Listener::Port(listener) => Stream::Port(listener.accept().await?.0),
        Listener::Local(socket) => Stream::Local(socket.accept().await?),
    };
    Ok((stream, place))
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

    use super::*;

    async fn started(connections_max: usize) -> (std::net::SocketAddr, Server) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (
            address,
            Server::start(Listener::Port(listener), Router::new().route("/", get(async || "well")), connections_max),
        )
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
