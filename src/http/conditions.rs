//! Conditions of requests on the version of what they name: `ETag`, `If-Match` and `If-None-Match`. Layer `http`.
//!
//! # Source
//! RFC 9110, sections 8.8 and 13.1.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::operate::failure::{Code, Failure};

/// Most digits of a version.
const VERSION_DIGITS: usize = 18;

/// Returns a version as it stands in `ETag`.
pub(super) fn etag(version: i64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
}

/// Returns the version that a request names.
///
/// # Errors
/// `BadRequest` when it is not one `ETag`.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let digits = value.to_str().ok().and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"'));
    let plain = |digits: &&str| digits.len() <= VERSION_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let version = digits.filter(plain).and_then(|digits| digits.parse().ok());
    let unread = || Failure::new(Code::BadRequest, "If-Match: send one `ETag` as it was read, quotes included");
    version.map(Some).ok_or_else(unread)
}

/// Returns whether the caller has this version already, as `If-None-Match` tells.
pub(super) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // Our versions hold no comma.
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_version_is_known_among_several_and_weakly_too() {
        let known = |sent: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(sent).unwrap())]);
            is_known(&headers, &etag(7).unwrap())
        };
        assert!(known("\"7\"") && known("W/\"7\"") && known("\"1\", \"7\"") && known("*"));
        assert!(!known("\"70\"") && !known("7") && !known("\"1\",\"2\"") && !known(""));
        assert!(!is_known(&HeaderMap::new(), &etag(7).unwrap()));
    }
}
