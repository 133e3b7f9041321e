//! The typed client of the API: one call for each route of the list. Layer `client`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::address::address;
use crate::api::answer::Answer;
use crate::api::route::{Body, Call, Method, Need, Route};
use crate::operate::access::token::chance;
use crate::operate::failure::Code;

/// Most time for an answer, since an order waits for the store.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Most time for an answer that is handed on as it comes.
const COPY_WITHIN: Duration = Duration::from_mins(30);

/// Most time for which a stream of events is followed by one call.
const FOLLOW_WITHIN: Duration = Duration::from_hours(24 * 365);

/// The longest silence of a stream of events: it breathes every 15 seconds.
const SILENT_FOR: Duration = Duration::from_secs(45);

/// Largest event.
const EVENT_MAX_BYTES: usize = 1024 * 1024;

/// Largest answer.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of chance in the key of a request.
const KEY_BYTES: usize = 16;

/// The beginning of the address of a local socket.
const SOCKET: &str = "unix:";

/// The status of an answer that comes before the order is over.
const ACCEPTED: u16 = 202;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address cannot be reached.
    #[error("cannot reach {address} (is the fleet running? name its address with --api)")]
    Unreachable {
        /// The address.
        address: String,
        /// The error.
        #[source]
        cause: reqwest::Error,
    },
    /// The answer does not come, or breaks off.
    #[error("the fleet does not answer in time, or its answer breaks off")]
    Unanswered(#[source] reqwest::Error),
    /// The fleet refuses.
    #[error("{detail} ({status} {code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code.
        code: String,
        /// The reason.
        detail: String,
    },
    /// The fleet has the order, and its owner has not ended it yet.
    #[error("the order is under way; see how it ends with: botfleet order show {0}")]
    UnderWay(String),
    /// The address, or a name in the path, does not fit.
    #[error("{0}")]
    Unfit(String),
    /// The fleet did it, and its answer is of a version that this program does not know.
    #[error("the fleet carried it out, but its answer is of another version: {0}")]
    Done(String),
    /// The answer is of another program, or of a version that this one does not know.
    #[error("the answer is not the fleet's: {0}")]
    Foreign(String),
}

impl CallError {
    /// Returns what the caller does about a refusal, where its code is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code, .. } => Code::parse(code).map(Code::remedy),
            _ => None,
        }
    }
}

/// The members of a problem that people are told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
}

/// The id of an order that is under way.
#[derive(Debug, Deserialize)]
struct UnderWay {
    id: String,
}

/// Calls the API of one node.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    address: String,
    token: Option<SecretString>,
}

impl Client {
    /// Creates a client for the address of a node: host and port, with or without a scheme, or `unix:PATH` for its local
    /// socket. Without a scheme another machine is asked by https, since calls carry secrets, and this one by http.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(address: &str) -> Result<Self, CallError> {
        static TLS: Once = Once::new();
        TLS.call_once(|| {
            // Fails when a library has installed one already, which serves as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let mut http =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(ANSWER_WITHIN);
        let (base, address) = if let Some(path) = address.strip_prefix(SOCKET) {
            // The same socket has the same address in every folder.
            let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
            http = http.unix_socket(path.as_path());
            ("http://localhost".to_owned(), format!("{SOCKET}{}", path.display()))
        } else {
            let base = base_of(address);
            (base.clone(), base)
        };
        let http = http.build().map_err(CallError::Unanswered)?;
        Ok(Self { http, base, address, token: None })
    }

    /// Sends the token of a session, or an API key, with each call.
    #[must_use]
    pub fn with_token(self, token: SecretString) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Returns the address of the node, with its scheme.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns whether the node is asked through its local socket.
    pub fn is_local(&self) -> bool {
        self.address.starts_with(SOCKET)
    }

    /// Calls a route.
    ///
    /// # Errors
    /// The reason why there is no result; a refusal holds the fleet's own words.
    pub async fn call<R: Route>(&self, call: Call<R>) -> Result<<R::Answer as Answer>::Item, CallError>
    where
        <R::Answer as Answer>::Item: DeserializeOwned,
    {
        let (status, body) = self.answer(self.request(&call)?).await?;
        if !(200..300).contains(&status) {
            return Err(refused(status, &body));
        }
        if status == ACCEPTED {
            let order: UnderWay = serde_json::from_slice(&body).map_err(|error| CallError::Done(error.to_string()))?;
            return Err(CallError::UnderWay(order.id));
        }
        serde_json::from_slice(&body).map_err(|error| match R::METHOD {
            Method::Get => CallError::Foreign(error.to_string()),
            _ => CallError::Done(error.to_string()),
        })
    }

    /// Calls a route and hands its answer on as it comes, however long it is.
    ///
    /// # Errors
    /// The reason why there is no answer, or why it breaks off.
    pub async fn copy<R: Route>(
        &self,
        call: Call<R>,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), CallError> {
        let mut response = self.sent(self.request(&call)?.timeout(COPY_WITHIN)).await?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            return Err(refused(status, &body(response).await?));
        }
        while let Some(piece) = response.chunk().await.map_err(CallError::Unanswered)? {
            take(&piece).map_err(|error| CallError::Unfit(format!("the answer cannot be written: {error}")))?;
        }
        Ok(())
    }

    /// Calls a route whose answer is a stream of events.
    ///
    /// # Errors
    /// The reason why there is no stream.
    pub async fn follow<R: Route>(&self, call: Call<R>) -> Result<Following, CallError> {
        let mut request = self.request(&call)?.timeout(FOLLOW_WITHIN);
        if let Some(id) = &call.last_event {
            request = request.header("last-event-id", id);
        }
        let response = self.sent(request).await?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            return Err(refused(status, &body(response).await?));
        }
        Ok(Following { response, unread: Vec::new() })
    }

    fn request<R: Route>(&self, call: &Call<R>) -> Result<reqwest::RequestBuilder, CallError> {
        let address = address::<R>(&call.path, &call.query).map_err(|unfit| CallError::Unfit(unfit.to_string()))?;
        let url = format!("{}{address}", self.base);
        let mut request = match R::METHOD {
            Method::Get => self.http.get(url),
            Method::Post => self.http.post(url),
            Method::Put => self.http.put(url),
            Method::Patch => self.http.patch(url),
            Method::Delete => self.http.delete(url),
        };
        if let Some(version) = call.if_match {
            request = request.header("if-match", format!("\"{version}\""));
        }
        if R::IDEMPOTENCY != Need::Absent {
            let key = chance(KEY_BYTES).map_err(|failure| CallError::Unfit(failure.detail))?;
            request = request.header("idempotency-key", key);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        Ok(if <R::Body as Body>::NEED == Need::Absent { request } else { request.json(&call.body) })
    }

    /// Returns the status and body of what is at a path outside the list: health and metrics.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn look(&self, path: &str) -> Result<(u16, String), CallError> {
        let (status, body) = self.answer(self.http.get(format!("{}{path}", self.base))).await?;
        let body = String::from_utf8(body).map_err(|error| CallError::Foreign(error.to_string()))?;
        Ok((status, body))
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), CallError> {
        let response = self.sent(request).await?;
        Ok((response.status().as_u16(), body(response).await?))
    }

    async fn sent(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, CallError> {
        let failed = |cause: reqwest::Error| {
            if cause.is_builder() {
                CallError::Unfit(format!("{:?} is no address: write HOST:PORT, or unix:PATH", self.address))
            } else if cause.is_connect() {
                CallError::Unreachable { address: self.address.clone(), cause }
            } else {
                CallError::Unanswered(cause)
            }
        };
        request.send().await.map_err(failed)
    }
}

/// Returns the beginning of URLs at an address.
fn base_of(address: &str) -> String {
    let address = address.trim_end_matches('/');
    if address.contains("://") {
        return address.to_owned();
    }
    format!("{}://{address}", if is_loopback(address) { "http" } else { "https" })
}

/// Returns whether host and port are of this very machine.
fn is_loopback(address: &str) -> bool {
    let url = reqwest::Url::parse(&format!("http://{address}")).ok();
    url.as_ref().and_then(reqwest::Url::host_str).is_some_and(|host| {
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || number.is_ok_and(|number| number.is_loopback())
    })
}

/// A stream of events that is followed.
#[derive(Debug)]
pub struct Following {
    response: reqwest::Response,
    unread: Vec<u8>,
}

/// An event as it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The name.
    pub name: String,
    /// The id, where the event has one.
    pub id: Option<String>,
    /// The data.
    pub data: String,
}

impl Following {
    /// Waits for the next event; `None` when the stream ended, broke off or fell silent: call again with the last id.
    ///
    /// # Errors
    /// `Foreign` for an event that is larger than any of the fleet's.
    pub async fn next(&mut self) -> Result<Option<Received>, CallError> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                match received(&String::from_utf8_lossy(&event)) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            if self.unread.len() > EVENT_MAX_BYTES {
                return Err(CallError::Foreign(format!("an event is longer than {EVENT_MAX_BYTES} bytes")));
            }
            match tokio::time::timeout(SILENT_FOR, self.response.chunk()).await {
                Ok(Ok(Some(piece))) => self.unread.extend_from_slice(&piece),
                Ok(Ok(None) | Err(_)) | Err(_) => return Ok(None),
            }
        }
    }
}

/// Reads the lines of an event; `None` for a comment.
fn received(lines: &str) -> Option<Received> {
    let mut event = Received::default();
    for line in lines.lines() {
        match line.split_once(": ") {
            Some(("event", name)) => name.clone_into(&mut event.name),
            Some(("id", id)) => event.id = Some(id.to_owned()),
            Some(("data", data)) => event.data.push_str(data),
            _ => {}
        }
    }
    (!event.data.is_empty()).then_some(event)
}

async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(CallError::Unanswered)? {
        if body.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err(CallError::Foreign(format!("it is longer than {ANSWER_MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn refused(status: u16, body: &[u8]) -> CallError {
    let Problem { code, detail } = serde_json::from_slice(body).unwrap_or_default();
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    CallError::Refused { status, code: or(code, "unknown"), detail: or(detail, "no detail") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn i12_another_machine_is_asked_in_clear_only_by_name_of_http() {
        for (address, base) in [
            ("fleet.example:8443", "https://fleet.example:8443"),
            ("192.0.2.7:8080/", "https://192.0.2.7:8080"),
            ("127.0.0.1.evil.example:80", "https://127.0.0.1.evil.example:80"),
            ("127.0.0.1@evil.example:80", "https://127.0.0.1@evil.example:80"),
            ("[2001:db8::1]:8080", "https://[2001:db8::1]:8080"),
            ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
            ("https://fleet.example/", "https://fleet.example"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("localhost:8080", "http://localhost:8080"),
        ] {
            assert_eq!(Client::new(address).unwrap().address(), base);
        }
    }

    #[test]
    fn a_socket_has_one_address_in_every_folder() {
        let here = std::env::current_dir().unwrap().join("botfleet.sock");
        let client = Client::new("unix:botfleet.sock").unwrap();
        assert_eq!(client.address(), format!("unix:{}", here.display()));
        assert!(client.is_local() && !Client::new("127.0.0.1:8080").unwrap().is_local());
    }

    #[test]
    fn events_are_read_and_comments_left_out() {
        let event = received("id: 1:2.3\nevent: entry\ndata: {\"a\":\"b: c\"}\n\n");
        let (name, data) = ("entry".to_owned(), r#"{"a":"b: c"}"#.to_owned());
        assert_eq!(event, Some(Received { name, id: Some("1:2.3".to_owned()), data }));
        assert_eq!(received(":\n\n"), None);
    }
}
