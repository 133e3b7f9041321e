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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use axum::Router;
    use axum::http::{StatusCode, Version};
    use axum::routing::get;
    use hyper::client::conn::http2::{SendRequest, handshake};
    use tokio::task::JoinHandle;
    use tokio::time::{sleep, timeout};

    use super::super::client_address::Peer;
    use super::super::connection::Site;
    use super::*;

    /// A client of a connection that is served; the tasks end with the connection.
    struct Stage {
        client: SendRequest<Body>,
        client_ends: JoinHandle<()>,
        server_ends: JoinHandle<()>,
        leave: watch::Sender<bool>,
    }

    #[allow(clippy::disallowed_methods, reason = "the tasks end with the test")]
    async fn stage() -> Stage {
        let endless = async || Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let slow = async || {
            sleep(Duration::from_secs(5)).await;
            "slow"
        };
        let router = Router::new()
            .route("/", get(async |request: Request<Body>| format!("{:?}", request.headers().get(header::HOST))))
            .route("/last", get(async || ([(header::CONNECTION, "close")], "last")))
            .route("/slow", get(slow))
            .route("/endless", get(endless));
        let site = Arc::new(Site { router, proxies: Vec::new(), tls: None });
        let peer = Peer::Port { address: Ipv4Addr::LOCALHOST.into(), tls: true };
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (leave, leaving) = watch::channel(false);
        let server_ends = tokio::spawn(serve(far, Answering::new(peer, &site), leaving));
        let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(near)).await.unwrap();
        let client_ends = tokio::spawn(async move { drop(connection.await) });
        Stage { client, client_ends, server_ends, leave }
    }

    impl Stage {
        async fn get(&mut self, path: &str) -> Response<hyper::body::Incoming> {
            self.client.ready().await.unwrap();
            let request = Request::get(format!("https://botfleet.example{path}")).body(Body::empty()).unwrap();
            self.client.send_request(request).await.unwrap()
        }

        async fn ends(self) {
            let both = async { tokio::join!(self.client_ends, self.server_ends) };
            timeout(4 * HEAD_WITHIN, both).await.expect("the connection ends").1.unwrap();
        }
    }

    async fn text(response: Response<hyper::body::Incoming>) -> String {
        let bytes = axum::body::to_bytes(Body::new(response.into_body()), 1024).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_the_host_that_it_names_and_an_idle_connection_ends() {
        let mut stage = stage().await;
        let answer = stage.get("/").await;
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
        assert_eq!(text(answer).await, "Some(\"botfleet.example\")");
        sleep(HEAD_WITHIN / 2).await;
        assert_eq!(stage.get("/").await.status(), StatusCode::OK, "it lives for a while");
        stage.ends().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_answer_of_a_connection_says_goodbye_without_the_header_of_http1() {
        let mut stage = stage().await;
        let answer = stage.get("/last").await;
        assert!(!answer.headers().contains_key(header::CONNECTION));
        assert_eq!(text(answer).await, "last");
        let at_once = timeout(HEAD_WITHIN / 2, stage.ends()).await;
        at_once.expect("it does not wait until the connection is idle");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_news_is_not_idle() {
        let mut stage = stage().await;
        let endless = stage.get("/endless").await;
        sleep(10 * HEAD_WITHIN).await;
        assert!(!stage.server_ends.is_finished() && !stage.client_ends.is_finished());
        drop(endless);
        stage.ends().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_closes_answers_what_is_under_way() {
        let mut stage = stage().await;
        let leave = stage.leave.clone();
        let (answer, ()) = tokio::join!(stage.get("/slow"), async {
            sleep(Duration::from_secs(1)).await;
            leave.send_replace(true);
        });
        assert_eq!(text(answer).await, "slow");
        stage.ends().await;
    }
}
