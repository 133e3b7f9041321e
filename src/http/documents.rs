//! The documents of the API: GET /api/v1/openapi.json and GET /docs. Layer `http`. They hold nothing of the fleet.
//!
//! Each is compressed once, however often it is asked for.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::edge::Edge;
use crate::api::page;

/// What the page may load: its own style.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// The OpenAPI document, as it is committed: a test tells when it is stale.
static OPENAPI: LazyLock<Document> =
    LazyLock::new(|| Document::new("application/json", include_str!("../../docs/openapi.json")));

static PAGE: LazyLock<Document> = LazyLock::new(|| Document::new("text/html; charset=utf-8", page::html()));

static STYLE: LazyLock<Document> = LazyLock::new(|| Document::new("text/css; charset=utf-8", page::STYLE));

/// Returns the routes.
pub(super) fn routes() -> Router<Edge> {
    Router::new()
        .route("/api/v1/openapi.json", get(async |headers: HeaderMap| OPENAPI.answer(&headers)))
        .route("/docs", get(docs))
        .route("/docs/style.css", get(async |headers: HeaderMap| STYLE.answer(&headers)))
}

async fn docs(headers: HeaderMap) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], PAGE.answer(&headers)).into_response()
}

/// A text that does not change, and the same compressed.
struct Document {
    kind: HeaderValue,
    plain: Bytes,
    /// None when compressing gains nothing.
    packed: Option<Bytes>,
}

impl Document {
    fn new(kind: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let plain = match text.into() {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let packed = gzip.write_all(&plain).and_then(|()| gzip.finish()).ok();
        let packed = packed.filter(|packed| packed.len() < plain.len()).map(Bytes::from);
        Self { kind: HeaderValue::from_static(kind), plain, packed }
    }

    /// Answers in the form that the client takes.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let kind = [(header::CONTENT_TYPE, self.kind.clone())];
        match &self.packed {
            Some(packed) if takes_gzip(headers) => {
                let coded = [
                    (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
                    (header::VARY, HeaderValue::from_static("accept-encoding")),
                ];
                (kind, coded, packed.clone()).into_response()
            }
            // The layer that compresses answers says that this one depends on what the client takes.
            _ => (kind, self.plain.clone()).into_response(),
        }
    }
}

/// Returns whether a client takes gzip.
///
/// # Source
/// RFC 9110, 12.5.3: the most specific line counts, and a quality of 0 is a refusal.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut any = false;
    for coding in lines.flat_map(|line| line.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let taken = quality.is_none_or(|quality| quality.parse().is_ok_and(|quality: f32| quality > 0.0));
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return taken;
        }
        any |= name == "*" && taken;
    }
    any
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read as _;

    use axum::body::to_bytes;
    use flate2::read::GzDecoder;

    use super::*;

    fn asks(codings: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, codings.parse().unwrap())])
    }

    #[test]
    fn a_client_takes_gzip_when_it_says_so_and_refuses_it_by_a_quality_of_nothing() {
        for taken in ["gzip", "br, GZIP;q=0.5", "*", "deflate;q=1, *;q=0.1", "x-gzip"] {
            assert!(takes_gzip(&asks(taken)), "{taken}");
        }
        for refused in ["", "br", "gzip;q=0", "gzip; q=0.000, *", "*;q=0", "identity"] {
            assert!(!takes_gzip(&asks(refused)), "{refused}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn a_document_is_the_same_in_both_forms() {
        for document in [&OPENAPI, &PAGE, &STYLE] {
            let packed = document.answer(&asks("gzip"));
            assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
            let packed = to_bytes(packed.into_body(), usize::MAX).await.unwrap();
            let mut unpacked = Vec::new();
            GzDecoder::new(packed.as_ref()).read_to_end(&mut unpacked).unwrap();
            let plain = document.answer(&HeaderMap::new());
            assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
            assert_eq!(to_bytes(plain.into_body(), usize::MAX).await.unwrap(), unpacked);
            assert!(packed.len() < unpacked.len());
        }
    }

    #[test]
    fn a_document_is_compressed_once() {
        let (one, two) = (OPENAPI.packed.clone().unwrap(), OPENAPI.packed.clone().unwrap());
        assert_eq!(one.as_ptr(), two.as_ptr());
    }
}
