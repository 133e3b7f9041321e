//! Serves one connection of HTTP/2 within bounds. Layer `http`.
//!
//! | when | what a client sees |
//! |---|---|
//! | a connection has no request for a while, or never begins | GOAWAY, then the end |
//! | the client does not answer pings | the connection ends |
//! | an answer says `Connection: close`, which HTTP/2 does not know | GOAWAY: further requests go to a new connection |
//! | the server closes | GOAWAY; requests under way are answered |

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use axum::response::Response;
use futures::future::BoxFuture;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::connection::{Answering, HEAD_MAX_BYTES, HEAD_WITHIN, told};

/// Most requests of one connection at a time; a page and its streams of events take a few.
const STREAMS_MAX: u32 = 64;

/// Most bytes of bodies that wait here, of one request and of all requests of a connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Most bytes of one answer that wait for the client.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Interval of pings, and the longest time for their answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(10);

/// Serves a connection until its end; once `leaving` holds true, only the requests under way.
pub(super) async fn serve<S>(stream: S, answering: Answering, mut leaving: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (requests, mut open) = watch::channel(Requests::default());
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_MAX_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), Counting { answering, requests }));
    // A client that went away, or was too slow, is nobody's fault here.
    tokio::select! {
        _ = &mut connection => return,
        () = told(&mut leaving) => {}
        () = last_or_idle(&mut open) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Whoever asks for nothing, and does not go either, is not waited for.
    tokio::select! {
        _ = &mut connection => {}
        () = idle(&mut open) => {}
    }
}

/// The requests of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Requests {
    /// The number of those that are not answered to the end.
    open: usize,
    /// Set when an answer was the last one of its connection.
    last: bool,
}

async fn last_or_idle(requests: &mut watch::Receiver<Requests>) {
    let mut last = requests.clone();
    tokio::select! {
        _ = last.wait_for(|requests| requests.last) => {}
        () = idle(requests) => {}
    }
}

/// Waits until there was no request for [`HEAD_WITHIN`].
async fn idle(requests: &mut watch::Receiver<Requests>) {
    loop {
        let open = requests.borrow_and_update().open;
        let ended = if open > 0 {
            requests.changed().await
        } else {
            let Ok(changed) = tokio::time::timeout(HEAD_WITHIN, requests.changed()).await else { return };
            changed
        };
        if ended.is_err() {
            return;
        }
    }
}

/// Answers requests, and counts those that are open.
struct Counting {
    answering: Answering,
    requests: watch::Sender<Requests>,
}

impl Service<Request<Incoming>> for Counting {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let open = Open::new(&self.requests);
        let answer = self.answering.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if response.headers_mut().remove(header::CONNECTION).is_some() {
                open.requests.send_modify(|requests| requests.last = true);
            }
            Ok(response.map(|body| Body::new(Counted { body, _open: open })))
        })
    }
}

/// An open request: counted until this is dropped.
struct Open {
    requests: watch::Sender<Requests>,
}

impl Open {
    fn new(requests: &watch::Sender<Requests>) -> Self {
        requests.send_modify(|requests| requests.open += 1);
        Self { requests: requests.clone() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.requests.send_modify(|requests| requests.open -= 1);
    }
}

/// The body of an answer, whose request is open until the body has ended.
struct Counted {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
