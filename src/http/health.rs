//! Health and metrics. Layer `http`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::edge::Edge;

/// GET /health/live: the process answers.
pub(super) async fn live() -> &'static str {
    "ok"
}

/// GET /health/ready: 200 when the node can work, 503 when it cannot.
pub(super) async fn ready(State(edge): State<Edge>) -> (StatusCode, &'static str) {
    if edge.operations.is_ready() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") }
}

/// GET /health: the health of every part.
pub(super) async fn health(State(edge): State<Edge>) -> impl IntoResponse {
    let health = edge.operations.health().await;
    let status = if health.status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(health))
}

/// GET /metrics: Prometheus text.
pub(super) async fn metrics(State(edge): State<Edge>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], edge.metrics.render())
}
