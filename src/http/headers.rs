//! Headers of every answer: a request id, and what browsers may do with the answer. Layer `http`.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::client_address::Client;

/// The header by which a request is found again in logs: the client's, or one that is made here.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id of a client that is taken.
const REQUEST_ID_MAX: usize = 64;

/// What a page may load that an answer were shown as, unless the answer says otherwise.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Lets a browser speak only TLS with this name for a year. Not said to this machine: there, other programs serve plain
/// HTTP under the same name.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the headers.
pub(super) async fn add(mut request: Request, next: Next) -> Response {
    let id = id_of(request.headers());
    // Probes ask every second, and are answered 503 as long as the node starts or ends.
    let probed = request.uri().path().starts_with("/health");
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let client = request.extensions().get::<Client>().copied();
    let mut response = next.run(request).await;
    if response.status().is_server_error() && !probed {
        tracing::warn!(request.id = ?id, status = response.status().as_u16(), "a request failed");
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    if client.is_some_and(|client| client.is_secure() && !client.is_on_this_machine()) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Returns the client's id when it is short and plain, else a new one.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        (1..=REQUEST_ID_MAX).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    let given = headers.get(REQUEST_ID).filter(plain).cloned();
    let made = || HeaderValue::from_str(&format!("{:032x}", fastrand::u128(..)));
    given.or_else(|| made().ok()).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(id).expect("a header"))])
    }

    #[test]
    fn a_plain_id_of_the_client_is_kept_and_another_is_replaced() {
        assert_eq!(id_of(&given("night-3_a.7")), "night-3_a.7");
        for odd in ["", "a b", "ab;cd", "x\u{e9}", &"x".repeat(65)] {
            let id = id_of(&given(odd));
            assert!(id.len() == 32 && id != odd, "{odd:?} became {id:?}");
        }
        assert_ne!(id_of(&HeaderMap::new()), id_of(&HeaderMap::new()));
    }
}
