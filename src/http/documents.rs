//! The documents of the API: GET /api/v1/openapi.json and GET /docs. Layer `http`. They hold nothing of the fleet.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::edge::Edge;
use crate::api::page;

/// What the page may load: its own style.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The document, as it is committed: a test tells when it is stale.
const OPENAPI: &str = include_str!("../../docs/openapi.json");

static PAGE: LazyLock<String> = LazyLock::new(page::html);

/// Returns the routes.
pub(super) fn routes() -> Router<Edge> {
    Router::new()
        .route("/api/v1/openapi.json", get(openapi_json))
        .route("/docs", get(docs))
        .route("/docs/style.css", get(style))
}

async fn openapi_json() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn docs() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (kind, PAGE.as_str())
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE)
}
