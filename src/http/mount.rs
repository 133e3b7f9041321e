//! Mounts routes of the list. Layer `http`.
//!
//! A request goes through one way: who asks, the permission, the path, the filters, the body, the operation, the answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body as Content, Bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use botfleet_actors::domain::ownership::NodeRole;
use futures::StreamExt;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use super::body::{Unreceived, received};
use super::edge::Edge;
use crate::api::answer::{Answer, Form, NamedEvent, Written};
use crate::api::list::{Visitor, each};
use crate::api::route::{Body, Call, Method, Need, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::operations::Operations;
use crate::operate::principal::Principal;

/// Most time for a body to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Interval of the empty comments that keep proxies from closing a quiet stream.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

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
            body_max: R::BODY_MAX_BYTES,
            form: <R::Answer as Answer>::FORM,
            grant: |principal| principal.grant::<R::Permission>().map(drop),
            act: |operations, asked| Box::pin(acted::<R>(operations, asked)),
        };
        self.router = std::mem::take(&mut self.router).route(R::PATH, mounted.router());
    }
}

/// A route without its types. One handler serves all routes, since a handler of its own for each is much code.
#[derive(Clone, Copy)]
struct Mounted {
    method: Method,
    body_max: usize,
    form: Form,
    grant: fn(&Arc<Principal>) -> Result<(), Failure>,
    act: fn(Operations, Asked) -> BoxFuture<'static, Result<Written, Failure>>,
}

/// A request as text.
struct Asked {
    principal: Arc<Principal>,
    /// The names in the path, written as a query.
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Mounted {
    fn router(self) -> MethodRouter<Edge> {
        let filter = match self.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
        };
        on(filter, move |State(edge), path, query, request| self.served(edge, path, query, request))
    }

    async fn served(
        self,
        edge: Edge,
        path: Result<RawPathParams, RawPathParamsRejection>,
        RawQuery(query): RawQuery,
        request: Request,
    ) -> Result<Response, Failure> {
        let principal = edge.principal;
        // Nothing is read of the body before.
        (self.grant)(&principal)?;
        let path = path.map_err(|error| Failure::new(Code::BadRequest, error.body_text()))?;
        let names: Vec<(&str, &str)> = path.iter().collect();
        let path = serde_urlencoded::to_string(names).map_err(|error| in_part("path", &error))?;
        let (head, body) = request.into_parts();
        let body = received(&head.headers, body, self.body_max, BODY_WITHIN).await;
        let body = body.map_err(|why| unreceived(why, self.body_max))?;
        let asked = Asked { principal, path, query: query.unwrap_or_default(), headers: head.headers, body };
        Ok(shown((self.act)(edge.operations, asked).await?, self.form))
    }
}

async fn acted<R: Route>(operations: Operations, asked: Asked) -> Result<Written, Failure> {
    let by = asked.principal.grant::<R::Permission>()?;
    let path = serde_urlencoded::from_str(&asked.path).map_err(|error| in_part("path", &error))?;
    let query = serde_urlencoded::from_str(&asked.query).map_err(|error| in_part("query", &error))?;
    let body = read(&asked.headers, &asked.body, <R::Body as Body>::NEED, R::EXAMPLE.body)?;
    R::act(&operations, by, Call { path, query, body }).await?.written()
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
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        format!("{place}{}", error.inner())
    });
    let value = value.and_then(|value| reader.end().map(|()| value).map_err(|error| error.to_string()));
    value.map_err(|error| {
        let hint = if need == Need::Absent { "send no body".to_owned() } else { format!("send {example}") };
        Failure::new(Code::BadRequest, format!("{error}; {hint}"))
    })
}

fn shown(answer: Written, form: Form) -> Response {
    let kind = [(header::CONTENT_TYPE, form.media_type())];
    match answer {
        Written::Json(json) => (kind, json).into_response(),
        Written::Accepted(location, order) => {
            (StatusCode::ACCEPTED, kind, [(header::LOCATION, location)], order).into_response()
        }
        Written::Lines(lines) => (kind, Content::from_stream(lines)).into_response(),
        Written::Events(events) => {
            let event = |event: NamedEvent| Ok::<_, Infallible>(Event::default().event(event.name).data(event.data));
            Sse::new(events.map(event)).keep_alive(KeepAlive::new().interval(HEARTBEAT_EVERY)).into_response()
        }
    }
}
