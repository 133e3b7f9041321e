//! Errors of the HTTP edge as `application/problem+json`. Layer `admin`.
//!
//! # Source
//! RFC 9457.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::runtime::orders::OrderError;

/// A refused request.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    pub(super) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, detail: detail.into() }
    }

    pub(super) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code, detail: detail.into() }
    }

    pub(super) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code, detail: detail.into() }
    }

    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code, detail: detail.into() }
    }

    pub(super) fn too_many(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, code, detail: detail.into() }
    }

    /// Why an order was not carried out.
    pub(super) fn of_order(error: OrderError) -> Self {
        match error {
            OrderError::Unknown(_) => Self::not_found("unknown_dead_letter", error.to_string()),
            OrderError::UnknownNode(_) => Self::not_found("unknown_node", error.to_string()),
            OrderError::Elsewhere { .. } => Self::conflict("elsewhere", error.to_string()),
            OrderError::Refused(why) => Self { status: StatusCode::UNPROCESSABLE_ENTITY, code: "refused", detail: why },
            OrderError::Conflict(why) => Self::conflict("conflict", why),
            OrderError::MayDuplicate => Self::conflict(
                "may_duplicate",
                "the message may have been sent already; send {\"confirm_duplicate\":true} if it may show up twice",
            ),
            OrderError::Unavailable(why) => Self::unavailable(&why),
        }
    }

    /// The cause is logged, never sent.
    pub(super) fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "request could not be served");
        let detail = "the store does not answer now, try again later".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, code: "store_unavailable", detail }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}
