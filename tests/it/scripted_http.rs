//! Serves the next line of a script to each request, for tests of how an adapter reads an answer. Bytes go over a plain
//! socket, so that a script can also stall, reset or cut.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The treatment of a request.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// Status, further head lines (each ending in `\r\n`), body.
    Answer(u16, &'static str, String),
    /// The connection closes after the request was read.
    Reset,
    /// No answer, ever.
    Stall,
    /// The head promises more bytes than the body holds.
    Cut(String),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
}

/// The server, which ends when this value is dropped.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: JoinSet<()>,
}

impl Scripted {
    /// Starts a server; requests beyond the script stall.
    pub(crate) async fn start(script: impl IntoIterator<Item = Line>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { addr, seen, _server: server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns the requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Returns an address that refuses connections.
pub(crate) async fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Line {
    Line::Answer(status, "content-type: application/json\r\n", body.into())
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<VecDeque<Line>>>, log: Arc<Mutex<Vec<Seen>>>) {
    let seen = request(&mut stream).await;
    log.lock().unwrap().push(seen);
    let line = script.lock().unwrap().pop_front().unwrap_or(Line::Stall);
    let text = match line {
        Line::Answer(status, head, body) => {
            format!("HTTP/1.1 {status} X\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        }
        Line::Cut(body) => format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{body}", body.len() + 9),
        Line::Reset => return,
        Line::Stall => return std::future::pending().await,
    };
    let _ = stream.write_all(text.as_bytes()).await;
}

async fn request(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(count > 0, "a request without end");
            continue;
        };
        let wanted = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        if body.len() >= wanted {
            return Seen { head: head.to_owned(), body: serde_json::from_str(body).unwrap_or_default() };
        }
    }
}
