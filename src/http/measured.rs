//! Counts requests and measures their answers, by route template: never by the path itself, whose ids have no bound.
//! Layer `http`.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use botfleet_actors::ports::metrics;

/// Counts a request with its answer's status. The time ends when the answer's head is ready: a stream of events goes on.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let endpoint = route.to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    let took = began.elapsed().as_secs_f64();
    metrics::http_request_duration_seconds { method, endpoint: endpoint.clone() }.handle().record(took);
    metrics::http_requests_total { method, endpoint, status }.increment(1);
    response
}

/// Returns the method's name; strangers may invent methods, which are one for us.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
