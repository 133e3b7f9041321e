//! Failures as answers: `application/problem+json`. Layer `http`.
//!
//! # Source
//! RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use botfleet_actors::ports::metrics;
use serde_json::json;

use crate::operate::failure::{Code, Failure};

/// Seconds after which a client should ask again, where nothing else is known.
const RETRY_AFTER_S: u64 = 1;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Returns the body of an answer.
pub(super) fn body(failure: &Failure) -> String {
    let status = status_of(failure);
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "code": failure.code.as_str(),
        "detail": failure.detail,
    });
    body.to_string()
}

fn status_of(failure: &Failure) -> StatusCode {
    StatusCode::from_u16(failure.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = status_of(&self);
        let kind = [(header::CONTENT_TYPE, MEDIA_TYPE)];
        let is_refusal = matches!(status.as_u16(), 401 | 403 | 429);
        if is_refusal {
            metrics::requests_refused_total { code: self.code.as_str() }.increment(1);
        }
        let mut response = (status, kind, body(&self)).into_response();
        if matches!(self.code, Code::TooLarge | Code::TooSlow) || is_refusal {
            // What is left of the body is not read, so the connection cannot be used again.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let wait = self.retry_after_s.or(self.code.passes().then_some(RETRY_AFTER_S));
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_go_better_later_tells_when_to_ask_again() {
        let answer = |code| Failure::new(code, "why").into_response();
        let away = answer(Code::Unavailable);
        assert_eq!((away.status().as_u16(), away.headers().contains_key(header::RETRY_AFTER)), (503, true));
        let busy = answer(Code::TooManyTries);
        assert_eq!((busy.status().as_u16(), busy.headers().contains_key(header::RETRY_AFTER)), (429, true));
        let unfit = answer(Code::Unreadable);
        assert_eq!((unfit.status().as_u16(), unfit.headers().contains_key(header::RETRY_AFTER)), (500, false));
    }

    #[test]
    fn each_code_has_a_status_of_http() {
        for code in Code::ALL {
            assert!(
                StatusCode::from_u16(code.status())
                    .is_ok_and(|status| status.is_client_error() || status.is_server_error())
            );
        }
    }
}
