//! Mounts routes of the list. Layer `http`.
//!
//! A request goes through one way: who asks, the permission, the path, the filters, the body, the operation, the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, RawPathParams, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use botfleet_actors::domain::ownership::NodeRole;
use futures::stream::{BoxStream, unfold};
use futures::{Stream, StreamExt};
use serde::de::DeserializeOwned;

use super::body::{Unreceived, received};
use super::client_address::Client;
use super::conditions::{etag, if_match, is_known};
use super::edge::Edge;
use super::events::{as_events, as_socket};
use super::headers::REQUEST_ID;
use super::idempotency::{self, Act, Outcome};
use super::identity;
use super::limits::OpenStream;
use super::place::Place;
use super::refusals::Sender;
use crate::api::answer::{Answer, Content, Form, Written};
use crate::api::deprecation::Deprecation;
use crate::api::list::{Visitor, each};
use crate::api::route::{Body as _, Call, Method, Need, Route};
use crate::operate::access::known::Sent;
use crate::operate::context::Context;
use crate::operate::failure::{Code, Failure};
use crate::operate::operations::Operations;
use crate::operate::principal::{Principal, Proof};
use crate::operate::requests::keyed;

/// Most time for a body to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Longest name of a program, and longest id of a request, that are kept for the records.
const AGENT_MAX: usize = 200;

/// Interval at which the principal of a stream is looked at again.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(300);

/// Time for which a stream goes on while the store does not tell whether its principal still may.
const UNCERTAIN_FOR: Duration = Duration::from_secs(30);

/// Longest id of an event that a client comes back with.
const LAST_EVENT_MAX: usize = 4 * 1024;

/// The header with that id.
///
/// # Source
/// HTML Standard, "Server-sent events".
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// Returns the router of all routes that a node of that role serves.
pub(super) fn routes(role: NodeRole) -> Router<Edge> {
    let mut mount = Mount { router: Router::new(), role };
    each(&mut mount);
    mount.router
}

struct Mount {
    router: Router<Edge>,
    role: NodeRole,
}

impl Visitor for Mount {
    fn visit<R: Route>(&mut self) {
        if self.role == NodeRole::Worker && !R::ON_WORKERS {
            return;
        }
        let mounted = Mounted {
            method: R::METHOD,
            name: R::NAME,
            if_match: R::IF_MATCH,
            idempotency: R::IDEMPOTENCY,
            secret: R::SECRET_ANSWER,
            unlimited: R::UNLIMITED,
            body_max: R::BODY_MAX_BYTES,
            form: <R::Answer as Answer>::FORM,
            deprecation: Deprecation::of_route::<R>(),
            grant: |principal| principal.grant::<R::Permission>().map(drop),
            act: act_of::<R>,
        };
        self.router = std::mem::take(&mut self.router).route(R::PATH, mounted.router());
    }
}

/// A route without its types. One handler serves all routes, since a handler of its own for each is much code.
#[derive(Clone, Copy)]
struct Mounted {
    method: Method,
    name: &'static str,
    if_match: bool,
    idempotency: Need,
    secret: bool,
    unlimited: bool,
    body_max: usize,
    form: Form,
    deprecation: Option<&'static Deprecation>,
    grant: fn(&Arc<Principal>) -> Result<(), Failure>,
    act: fn(Operations, &Asked<'_>) -> Result<Act, Failure>,
}

/// A request as text.
struct Asked<'a> {
    principal: &'a Arc<Principal>,
    /// The names in the path, written as a query.
    path: &'a str,
    query: &'a str,
    if_match: Option<i64>,
    last_event: Option<String>,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Mounted {
    fn router(self) -> MethodRouter<Edge> {
        let filter = match self.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Patch => MethodFilter::PATCH,
            Method::Delete => MethodFilter::DELETE,
        };
        on(filter, move |State(edge): State<Edge>, path, query, request: Request| async move {
            let refusals = Arc::clone(&edge.refusals);
            let from = Sender::of(&request);
            let answer = self.served(edge, path, query, request).await;
            let answer = answer.inspect_err(|failure| refusals.tell(failure.code, self.name, &from));
            marked(answer.into_response(), self.deprecation)
        })
    }

    async fn served(
        self,
        edge: Edge,
        path: Result<RawPathParams, RawPathParamsRejection>,
        RawQuery(query): RawQuery,
        request: Request,
    ) -> Result<Response, Failure> {
        let (mut head, body) = request.into_parts();
        let client = head.extensions.get::<Client>().copied().ok_or_else(no_client)?;
        let installation = edge.operations.installation().await?;
        let (sent, principal) = self.caller(&edge, client, &head, installation).await?;
        // Nothing is read of the body before.
        (self.grant)(&principal)?;
        let upgrade = match self.form {
            Form::Socket => Some(WebSocketUpgrade::from_request_parts(&mut head, &edge).await.map_err(no_socket)?),
            Form::Json | Form::Lines | Form::Events => None,
        };
        let if_match = if_match(&head.headers)?;
        if self.if_match && if_match.is_none() {
            return Err(Failure::new(Code::IfMatchNeeded, "send `If-Match` with the `ETag` that you read"));
        }
        let key = self.key(&principal, &head.headers)?;
        let path = path.map_err(|error| Failure::new(Code::BadRequest, error.body_text()))?;
        let names: Vec<(&str, &str)> = path.iter().collect();
        let path = serde_urlencoded::to_string(names).map_err(|error| in_part("path", &error))?;
        let body = received(&head.headers, body, self.body_max, BODY_WITHIN).await;
        let body = body.map_err(|why| unreceived(why, self.body_max))?;
        let stream = if self.form == Form::Json { None } else { Some(edge.limits.stream(&principal)?) };
        let query = query.unwrap_or_default();
        let parts = [path.as_bytes(), query.as_bytes(), &body];
        let request = key.map(|key| keyed(&principal, key, self.name, parts));
        let last_event = last_event(&head.headers)?;
        let headers = &head.headers;
        let asked =
            Asked { principal: &principal, path: &path, query: &query, if_match, last_event, headers, body: &body };
        let operations = edge.operations.clone();
        let act = (self.act)(operations.clone(), &asked)?;
        let outcome = match request {
            Some(request) => edge.acts.once(operations.clone(), request, self.secret, act).await?,
            None => Outcome::New(act.await?),
        };
        let Written { content, version, cookie } = match outcome {
            Outcome::New(written) => written,
            Outcome::Repeated(answer) => return idempotency::repeated(answer, self.secret),
        };
        let etag = version.and_then(etag);
        let reads = self.method == Method::Get;
        if let Some(etag) = etag.as_ref().filter(|etag| reads && is_known(&head.headers, etag)) {
            return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag.clone())]).into_response());
        }
        if stream.is_some()
            && let Some(place) = head.extensions.get::<Place>()
        {
            place.give_back();
        }
        let ended = ended(operations, sent, principal, stream);
        let mut response = shown(content, self.form, upgrade, ended);
        let headers = response.headers_mut();
        if let Some(etag) = etag {
            headers.insert(header::ETAG, etag);
        }
        if let Some(line) = cookie.and_then(|change| identity::set_cookie(&change, client, installation)) {
            headers.insert(header::SET_COOKIE, line);
        }
        Ok(response)
    }

    /// Returns the key by which repeats of the request are known.
    fn key<'h>(&self, principal: &Principal, headers: &'h HeaderMap) -> Result<Option<&'h str>, Failure> {
        if self.idempotency == Need::Absent {
            return Ok(None);
        }
        let key = idempotency::key(headers)?;
        // Whoever runs the fleet writes requests by hand.
        if key.is_none() && self.idempotency == Need::Required && principal.identity().proof != Proof::Local {
            let detail = "send `Idempotency-Key`: a random value, the same with each repeat of the request";
            return Err(Failure::new(Code::IdempotencyKeyNeeded, detail));
        }
        Ok(key)
    }

    /// Returns what the caller sent as proof, and the principal. Counts the request.
    async fn caller(
        &self,
        edge: &Edge,
        client: Client,
        head: &Parts,
        installation: &str,
    ) -> Result<(Sent, Arc<Principal>), Failure> {
        let context = Context {
            address: client.address(),
            here: client.is_on_this_machine(),
            agent: text_of(&head.headers, &header::USER_AGENT, AGENT_MAX),
            request: text_of(&head.headers, &REQUEST_ID, AGENT_MAX),
            at: edge.operations.now(),
        };
        let network = context.network();
        let sent = identity::sent(client, &head.method, self.form == Form::Socket, &head.headers, installation);
        if !matches!(sent, Ok(Sent::Local | Sent::Session(_) | Sent::Key(_))) {
            edge.limits.stranger(network).await?;
        }
        let sent = sent?;
        if !edge.operations.remembers(&sent) {
            edge.limits.is_open_to(network)?;
        }
        // A stream is no sign that somebody is there.
        let active = self.form == Form::Json;
        let principal = match edge.operations.principal(&sent, context, active).await {
            Ok(principal) => principal,
            Err(failure) => {
                edge.limits.stranger(network).await?;
                return Err(failure);
            }
        };
        if !self.unlimited {
            edge.limits.principal(&principal).await?;
        }
        Ok((sent, Arc::new(principal)))
    }
}

/// Tells with the answer of a route that the route will go.
fn marked(mut answer: Response, deprecation: Option<&Deprecation>) -> Response {
    for (name, value) in deprecation.into_iter().flat_map(Deprecation::headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    answer
}

/// Returns the failure of a request whose connection left no word of its sender.
pub(super) fn no_client() -> Failure {
    Failure::new(Code::Unreadable, "the connection is of no known kind")
}

fn no_socket(_: axum::extract::ws::rejection::WebSocketUpgradeRejection) -> Failure {
    Failure::new(Code::UpgradeNeeded, "this is a WebSocket: send the headers of an upgrade, by HTTP/1.1")
}

/// Returns the id of the last event that the client received.
fn last_event(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(id) = headers.get(LAST_EVENT) else { return Ok(None) };
    let wrong = || Failure::new(Code::BadRequest, "`Last-Event-ID` is no id of an event");
    let id = id.to_str().ok().filter(|id| id.len() <= LAST_EVENT_MAX).ok_or_else(wrong)?;
    Ok((!id.is_empty()).then(|| id.to_owned()))
}

fn text_of(headers: &HeaderMap, name: &HeaderName, most: usize) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.chars().take(most).collect())
}

/// Ends when the principal of a stream may no longer go on, within a second of a change on any node.
async fn ended(operations: Operations, sent: Sent, principal: Arc<Principal>, stream: Option<OpenStream>) {
    let _counted = stream;
    let mut certain_at = Instant::now();
    loop {
        tokio::time::sleep(LOOKED_AT_EVERY).await;
        match operations.is_still(&sent, &principal).await {
            Ok(true) => certain_at = Instant::now(),
            Err(_) if certain_at.elapsed() < UNCERTAIN_FOR => {}
            Ok(false) | Err(_) => return,
        }
    }
}

/// Breaks lines off with an error when their reader may no longer go on: what ends well would pass for the whole.
fn broken_off<T>(
    lines: BoxStream<'static, Result<T, Failure>>,
    ended: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = Result<T, Failure>> {
    unfold(Some((lines, Box::pin(ended))), |open| async move {
        let (mut lines, mut ended) = open?;
        tokio::select! {
            biased;
            () = &mut ended => Some((Err(Failure::new(Code::Unauthenticated, "the session is over")), None)),
            line = lines.next() => line.map(|line| (line, Some((lines, ended)))),
        }
    })
    // Compression asks once more after the end.
    .fuse()
}

/// Reads a request of a route; what comes back carries it out.
fn act_of<R: Route>(operations: Operations, asked: &Asked<'_>) -> Result<Act, Failure> {
    let by = asked.principal.grant::<R::Permission>()?;
    let path = serde_urlencoded::from_str(asked.path).map_err(|error| in_part("path", &error))?;
    let query = serde_urlencoded::from_str(asked.query).map_err(|error| in_part("query", &error))?;
    let body = read(asked.headers, asked.body, R::Body::NEED, R::EXAMPLE.body)?;
    let call = Call { path, query, body, if_match: asked.if_match, last_event: asked.last_event.clone() };
    Ok(Box::pin(async move { R::act(&operations, by, call).await?.written() }))
}

fn in_part(part: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(Code::BadRequest, format!("the {part}: {error}"))
}

fn unreceived(why: Unreceived, max: usize) -> Failure {
    match why {
        Unreceived::TooLarge => Failure::new(Code::TooLarge, format!("the body is longer than {max} bytes")),
        Unreceived::TooSlow => Failure::new(Code::TooSlow, "the body did not arrive in time"),
        Unreceived::Broken => Failure::new(Code::BadRequest, "the body breaks off"),
    }
}

/// Reads the body of a request.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8], need: Need, example: &str) -> Result<T, Failure> {
    let text: &[u8] = if body.is_empty() && need != Need::Required { b"{}" } else { body };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    if (need == Need::Required || !body.is_empty()) && !kind.eq_ignore_ascii_case("application/json") {
        return Err(Failure::new(Code::WrongType, "send the body with content-type: application/json"));
    }
    let hint = || if need == Need::Absent { "send no body".to_owned() } else { format!("send {example}") };
    // serde reads a list of an object's values as well.
    if !text.is_empty() && !text.trim_ascii_start().starts_with(b"{") {
        return Err(Failure::new(Code::BadRequest, format!("the body is no JSON object; {}", hint())));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        format!("{place}{}", error.inner())
    });
    let value = value.and_then(|value| reader.end().map(|()| value).map_err(|error| error.to_string()));
    value.map_err(|error| Failure::new(Code::BadRequest, format!("{error}; {}", hint())))
}

fn shown(
    content: Content,
    form: Form,
    upgrade: Option<WebSocketUpgrade>,
    ended: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let kind = [(header::CONTENT_TYPE, form.media_type())];
    match content {
        Content::Json(json) => (kind, json).into_response(),
        Content::Accepted(location, order) => {
            (StatusCode::ACCEPTED, kind, [(header::LOCATION, location)], order).into_response()
        }
        Content::Lines(lines) => (kind, Body::from_stream(broken_off(lines, ended))).into_response(),
        Content::Events(events) => {
            let events = events.take_until(Box::pin(ended));
            match upgrade {
                Some(upgrade) => as_socket(upgrade, events),
                None => as_events(events),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::stream;

    use super::*;
    use crate::api::deprecation::tests::Old;

    #[test]
    fn an_answer_of_a_route_that_will_go_says_so_and_others_do_not() {
        let refused = || Failure::new(Code::Forbidden, "no").into_response();
        let answer = marked(refused(), Deprecation::of_route::<Old>());
        assert_eq!(answer.headers()["deprecation"], "@1796083200");
        assert!(answer.headers().contains_key("sunset") && answer.headers().contains_key(header::LINK));
        assert!(!marked(refused(), None).headers().contains_key("deprecation"));
    }

    #[tokio::test]
    async fn lines_whose_reader_may_not_go_on_break_off_with_an_error() {
        let lines = || stream::iter([Ok(1), Ok(2)]).boxed();
        let whole: Vec<_> = broken_off(lines(), std::future::pending()).map(|line| line.is_ok()).collect().await;
        assert_eq!(whole, [true, true]);
        let open = lines().chain(stream::pending()).boxed();
        let ended = tokio::time::sleep(Duration::from_millis(20));
        let cut: Vec<_> = broken_off(open, ended).map(|line| line.is_ok()).collect().await;
        assert_eq!(cut, [true, true, false]);
        let mut over = Box::pin(broken_off(lines(), std::future::pending()));
        while over.next().await.is_some() {}
        assert!(over.next().await.is_none(), "compression asks once more after the end");
    }
}
