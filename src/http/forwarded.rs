//! Reads the addresses and protocols that proxies wrote into the headers of a request. Layer `http`. Pure.
//!
//! # Source
//! RFC 7239, `Forwarded`; the headers `X-Forwarded-For` and `X-Forwarded-Proto`, which no standard defines.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

/// The addresses that a request came through, by proxies that do not know the standard header.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The protocols that were spoken on the way.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Most hops that are read; further ones make the header unreadable.
const HOPS_MAX: usize = 32;

/// A header that cannot be read. It counts as there: else a client could break the header that the proxy sets, and be believed in
/// the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// One hop of a request, as the proxy after it saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// The address; absent when the proxy hides it or wrote something else.
    pub(super) address: Option<IpAddr>,
    /// Set when the proxy says that this hop came encrypted, unset when the proxy says that it did not.
    pub(super) secure: Option<bool>,
}

/// Returns whether any proxy, named or not, seems to have passed the request on.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    let others = ["x-real-ip", "x-forwarded-host", "via"];
    [header::FORWARDED, X_FORWARDED_FOR, X_FORWARDED_PROTO].iter().any(|name| headers.contains_key(name))
        || others.iter().any(|name| headers.contains_key(*name))
}

/// Reads `Forwarded`, the farthest hop first; `None` without the header.
pub(super) fn standard(headers: &HeaderMap) -> Result<Option<Vec<Hop>>, Unreadable> {
    let read = |text: String| split(&text, b',')?.into_iter().map(hop).collect();
    let there = headers.contains_key(header::FORWARDED);
    there.then(|| bounded(joined(headers, &header::FORWARDED).and_then(read))).transpose()
}

/// Reads `X-Forwarded-For` and `X-Forwarded-Proto`, the farthest hop first.
///
/// The second header has no order that all proxies keep. A hop is secure when each protocol in the header is `https`.
pub(super) fn customary(headers: &HeaderMap) -> Result<Option<Vec<Hop>>, Unreadable> {
    let encrypted = |text: String| text.split(',').all(|one| one.trim().eq_ignore_ascii_case("https"));
    let said = || joined(headers, &X_FORWARDED_PROTO).is_some_and(encrypted);
    let secure = headers.contains_key(X_FORWARDED_PROTO).then(said);
    let read = |text: String| Some(text.split(',').map(|one| Hop { address: node(one.trim()), secure }).collect());
    let there = headers.contains_key(X_FORWARDED_FOR);
    there.then(|| bounded(joined(headers, &X_FORWARDED_FOR).and_then(read))).transpose()
}

fn bounded(hops: Option<Vec<Hop>>) -> Result<Vec<Hop>, Unreadable> {
    hops.filter(|hops| hops.len() <= HOPS_MAX).ok_or(Unreadable)
}

/// Joins all lines of a header, which are one list; `None` when they are no text.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Result<Vec<&str>, _> = headers.get_all(name).iter().map(|line| line.to_str()).collect();
    Some(lines.ok()?.join(","))
}

/// Splits at a mark outside of quotes; `None` when a quote is left open.
fn split(text: &str, mark: u8) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == mark && !quoted => {
                parts.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!quoted).then_some(parts)
}

/// Reads one element of `Forwarded`: pairs of a name and a token or a quoted text.
fn hop(element: &str) -> Option<Hop> {
    let mut hop = Hop::default();
    for pair in split(element, b';')? {
        if pair.trim().is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        match name.trim() {
            name if name.eq_ignore_ascii_case("for") => hop.address = node(value),
            name if name.eq_ignore_ascii_case("proto") => hop.secure = Some(value.eq_ignore_ascii_case("https")),
            _ => {}
        }
    }
    Some(hop)
}

/// Reads an address, with or without port and brackets.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn hop(address: &str, secure: Option<bool>) -> Hop {
        Hop { address: address.parse().ok(), secure }
    }

    #[test]
    fn the_standard_header_is_read_with_quotes_ports_and_several_lines() {
        let lines = [
            ("forwarded", "For=\"[2001:db8::17]:4711\";proto=HTTPS;by=\"a,b;c\", for=192.0.2.60"),
            ("forwarded", "for=\"192.0.2.61:80\"; proto=http ,for=_hidden"),
        ];
        let expected = [
            hop("2001:db8::17", Some(true)),
            hop("192.0.2.60", None),
            hop("192.0.2.61", Some(false)),
            hop("_hidden", None),
        ];
        assert_eq!(standard(&headers(&lines)).unwrap().unwrap(), expected);
    }

    #[test]
    fn a_broken_header_is_there_and_names_nobody() {
        for broken in ["for=\"192.0.2.1", "192.0.2.1", "for=192.0.2.1;x", &"for=192.0.2.1,".repeat(40)] {
            assert_eq!(standard(&headers(&[("forwarded", broken)])), Err(Unreadable), "{broken}");
        }
        let long = "192.0.2.1,".repeat(40);
        assert_eq!(customary(&headers(&[("x-forwarded-for", &long)])), Err(Unreadable));
        assert_eq!((standard(&HeaderMap::new()), customary(&HeaderMap::new())), (Ok(None), Ok(None)));
    }

    #[test]
    fn the_customary_headers_are_read_and_one_plain_protocol_makes_the_way_plain() {
        let of = |proto: &str| {
            let lines =
                [("x-forwarded-for", "2001:db8::1 , 192.0.2.1:99,::ffff:192.0.2.2"), ("x-forwarded-proto", proto)];
            customary(&headers(&lines)).unwrap().unwrap()
        };
        let secure = Some(true);
        assert_eq!(of("https"), [hop("2001:db8::1", secure), hop("192.0.2.1", secure), hop("192.0.2.2", secure)]);
        assert_eq!(of("https, http")[0].secure, Some(false));
        assert_eq!(customary(&headers(&[("x-forwarded-proto", "https")])), Ok(None));
    }
}
