//! Mounts routes of the list. Layer `http`.
//!
//! A request goes through one way: who asks, the permission, the path, the filters, the body, the operation, the answer.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body as Content;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use botfleet_actors::domain::ownership::NodeRole;
use futures::StreamExt;

use super::body::{Unreceived, received};
use super::edge::Edge;
use crate::api::answer::{Answer, Form, Written};
use crate::api::list::{Visitor, each};
use crate::api::route::{Body, Call, Method, Need, Route};
use crate::operate::failure::{Code, Failure};

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
        let filter = match R::METHOD {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
        };
        self.router = std::mem::take(&mut self.router).route(R::PATH, on(filter, served::<R>));
    }
}

async fn served<R: Route>(
    State(edge): State<Edge>,
    path: Result<Path<R::Path>, PathRejection>,
    query: Result<Query<R::Query>, QueryRejection>,
    request: Request,
) -> Result<Response, Failure> {
    // Nothing is read of the body before.
    let by = edge.principal.grant::<R::Permission>()?;
    let Path(path) = path.map_err(|error| Failure::new(Code::BadRequest, error.body_text()))?;
    let Query(query) = query.map_err(|error| Failure::new(Code::BadRequest, error.body_text()))?;
    let (head, body) = request.into_parts();
    let max = R::BODY_MAX_BYTES;
    let body = received(&head.headers, body, max, BODY_WITHIN).await.map_err(|why| unreceived(why, max))?;
    let body = read::<R>(&head.headers, &body)?;
    let answer = R::act(&edge.operations, by, Call { path, query, body }).await?;
    Ok(shown(answer.written()?, <R::Answer as Answer>::FORM))
}

fn unreceived(why: Unreceived, max: usize) -> Failure {
    match why {
        Unreceived::TooLarge => Failure::new(Code::TooLarge, format!("the body is longer than {max} bytes")),
        Unreceived::TooSlow => Failure::new(Code::TooSlow, "the body did not arrive in time"),
        Unreceived::Broken => Failure::new(Code::BadRequest, "the body breaks off"),
    }
}

/// Reads the body of a request.
fn read<R: Route>(headers: &HeaderMap, body: &[u8]) -> Result<R::Body, Failure> {
    let need = <R::Body as Body>::NEED;
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
        let hint = if need == Need::Absent { "send no body".to_owned() } else { format!("send {}", R::EXAMPLE.body) };
        Failure::new(Code::BadRequest, format!("{error}; {hint}"))
    })
}

fn shown(answer: Written, form: Form) -> Response {
    let kind = [(header::CONTENT_TYPE, form.media_type())];
    match answer {
        Written::Json(json) => (kind, json).into_response(),
        Written::Lines(lines) => (kind, Content::from_stream(lines)).into_response(),
        Written::Events(events) => {
            let event = |event: crate::api::answer::NamedEvent| {
                Ok::<_, Infallible>(Event::default().event(event.name).data(event.data))
            };
            Sse::new(events.map(event)).keep_alive(KeepAlive::new().interval(HEARTBEAT_EVERY)).into_response()
        }
    }
}
