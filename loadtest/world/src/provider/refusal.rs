//! Builds the answers that are no completion: refusals by limits and faults, and broken bodies. Layer: world.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};

use super::faults::ProviderFault;
use super::limits::{Left, Refused};
use super::wire::ApiError;

/// How long written bytes may take to reach the client before the connection is broken.
const FLUSHED_WITHIN: Duration = Duration::from_millis(20);

/// Returns the refusal that a fault makes; `None` when the fault spoils an answer instead.
pub(super) fn of_fault(fault: ProviderFault, retry_after: Option<u64>) -> Option<Response> {
    let plain = |status: StatusCode, kind: &'static str, body: &'static str| {
        Some((status, [(header::CONTENT_TYPE, kind)], body).into_response())
    };
    let refusal = |status: StatusCode, kind: &'static str, code: Option<&'static str>, message: &str| {
        let error = ApiError { status, kind, code, param: None, message: message.to_owned() };
        Some(with_retry_after(error.into_response(), retry_after))
    };
    match fault {
        ProviderFault::TooManyRequests => refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached. Please try again later.",
        ),
        ProviderFault::QuotaExhausted => refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "insufficient_quota",
            Some("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        ProviderFault::RevokedKey => refusal(
            StatusCode::UNAUTHORIZED,
            "invalid_request_error",
            Some("invalid_api_key"),
            "Incorrect API key provided.",
        ),
        ProviderFault::InternalError => refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            None,
            "The server had an error while processing your request. Sorry about that!",
        ),
        ProviderFault::Unavailable => refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable_error",
            None,
            "The engine is currently overloaded, please try again later.",
        ),
        ProviderFault::ErrorHtml => plain(
            StatusCode::BAD_GATEWAY,
            "text/html",
            "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1>\
             </center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
        ),
        ProviderFault::ErrorText => plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "Internal Server Error"),
        ProviderFault::ErrorDetail => {
            plain(StatusCode::BAD_REQUEST, "application/json", r#"{"detail":"Request could not be handled"}"#)
        }
        _ => None,
    }
}

/// Returns the refusal that a limit makes.
pub(super) fn of_limit(refused: &Refused) -> Response {
    // Rounded up, so that a client that waits as told is let in.
    let seconds = refused.retry_after.as_millis().div_ceil(1000).max(1);
    let message =
        format!("Rate limit reached for {}. Please try again in {}ms.", refused.what, refused.retry_after.as_millis());
    let kind = if refused.what == "tokens" { "tokens" } else { "requests" };
    let code = Some("rate_limit_exceeded");
    let error = ApiError { status: StatusCode::TOO_MANY_REQUESTS, kind, code, param: None, message };
    with_retry_after(error.into_response(), u64::try_from(seconds).ok())
}

fn with_retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds headers with the remainder of the limits, as `OpenAI` does.
///
/// # Source
/// `OpenAI`, rate limits, "Rate limits in headers".
pub(super) fn tell_left(headers: &mut HeaderMap, [requests, tokens]: [Option<Left>; 2]) {
    const NAMES: [[&str; 3]; 2] = [
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    ];
    for (names, left) in NAMES.into_iter().zip([requests, tokens]) {
        let Some(left) = left else { continue };
        let reset = format!("{}ms", left.reset.as_millis());
        let values = [HeaderValue::from(left.limit), HeaderValue::from(left.remaining)];
        for (name, value) in names.into_iter().zip(values.into_iter().chain(HeaderValue::from_str(&reset).ok())) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Returns an answer whose connection is closed before its first byte.
///
/// The server writes the head together with the first piece of the body. When the body fails at once, the head is not
/// sent either.
pub(super) fn reset() -> Response {
    Response::new(broken(Vec::new()))
}

/// Returns a body that sends some pieces before its connection breaks.
pub(super) fn broken(pieces: Vec<Bytes>) -> Body {
    let told = !pieces.is_empty();
    let end = stream::once(async move {
        if told {
            tokio::time::sleep(FLUSHED_WITHIN).await;
        }
        Err::<Bytes, std::io::Error>(std::io::ErrorKind::ConnectionReset.into())
    });
    Body::from_stream(stream::iter(pieces).map(Ok).chain(end))
}
