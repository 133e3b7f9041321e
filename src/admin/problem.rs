//! Turns errors of the HTTP edge into `application/problem+json`. Layer `admin`.
//!
//! # Source
//! RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use botfleet_actors::ports::store::StoreError;
use serde_json::json;

use crate::runtime::orders::OrderError;

/// Seconds after which a client should ask again, sent with a 503.
const RETRY_AFTER: &str = "1";

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

    /// Converts the error of an order.
    pub(super) fn of_order(error: OrderError) -> Self {
        match error {
            OrderError::Unknown(_) => Self::not_found("unknown_dead_letter", error.to_string()),
            OrderError::UnknownNode(_) => Self::not_found("unknown_node", error.to_string()),
            OrderError::Elsewhere { .. } => Self::conflict("elsewhere", error.to_string()),
            OrderError::Conflict(why) => Self::conflict("conflict", why),
            OrderError::MayDuplicate => Self::conflict(
                "may_duplicate",
                "the message may have been sent already; send {\"confirm_duplicate\":true} if it may show up twice",
            ),
            OrderError::Unavailable(why) => Self::unavailable(&why),
            OrderError::Store(error) => Self::of_store(&error),
        }
    }

    /// Converts an error of the store: 503 only for a fault that passes by itself.
    pub(super) fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::Incompatible(_) => Self::unreadable(error),
            StoreError::RosterRefused(why) => {
                Self { status: StatusCode::UNPROCESSABLE_ENTITY, code: "refused", detail: why.clone() }
            }
        }
    }

    /// Makes a 500. The cause is logged and never sent.
    fn unreadable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "request could not be served");
        let detail =
            "the database holds what this version cannot read, asking again does not help; the log of the node \
                      says what, and `botfleet migrate status` how its schema stands"
                .to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "store_unreadable", detail }
    }

    /// Makes a 503. The cause is logged and never sent.
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
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_store_that_may_answer_later_is_a_503() {
        let answer = |error| Problem::of_store(&error).into_response();
        let away = answer(StoreError::Unavailable("connection lost".to_owned()));
        assert_eq!((away.status().as_u16(), away.headers().contains_key(header::RETRY_AFTER)), (503, true));
        let unfit = answer(StoreError::Incompatible("no such column: turn.act".to_owned()));
        assert_eq!((unfit.status().as_u16(), unfit.headers().contains_key(header::RETRY_AFTER)), (500, false));
        assert_eq!(answer(StoreError::RosterRefused("name taken".to_owned())).status().as_u16(), 422);
    }
}
