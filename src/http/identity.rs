//! The proof that a request carries, and the cookie that holds a session. Layer `http`. Keeps I12.
//!
//! | request | refused unless |
//! |---|---|
//! | with a cookie, by a method that changes something | a page of this address sent it, by `Sec-Fetch-Site`, or by `Origin` |
//! | with nothing, by such a method, from a browser | the same: nobody is signed in by a page of others |
//! | with a cookie, for a WebSocket | its `Origin` is this address |
//! | with an API key, or a session's token | no cookie is sent along |
//!
//! # Source
//! Fetch Metadata Request Headers; RFC 6265bis, 4.1.3.2 (`__Host-`).

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};

use super::client_address::Client;
use crate::api::answer::Cookie;
use crate::operate::access::known::{LASTS_MS, Sent};
use crate::operate::failure::{Code, Failure};

/// The beginning of every API key.
const KEY_PREFIX: &str = "bf_";

/// Returns the name of the cookie of an installation. Installations on one machine share cookies, so each has its own name.
fn name(installation: &str, secure: bool) -> String {
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}botfleet-{installation}")
}

/// Returns the proof of a request; `socket` says that it opens a WebSocket, to which browsers let any page connect.
///
/// # Errors
/// `ForeignOrigin` for a page of another address; `BadRequest` for two proofs, or one that cannot be read.
pub(super) fn sent(
    client: Client,
    method: &Method,
    socket: bool,
    headers: &HeaderMap,
    installation: &str,
) -> Result<Sent, Failure> {
    let bearer = bearer(headers)?;
    let cookie = cookie(headers, &name(installation, client.is_secure()));
    if bearer.is_some() && cookie.is_some() {
        return Err(Failure::new(Code::BadRequest, "send either the cookie or `authorization`, not both"));
    }
    if let Some(token) = bearer {
        let is_key = token.expose_secret().starts_with(KEY_PREFIX);
        return Ok(if is_key { Sent::Key(token) } else { Sent::Session(token) });
    }
    if client == Client::Local {
        return Ok(Sent::Local);
    }
    let from_a_browser = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    let foreign = if socket { !has_own_origin(client, headers) } else { !is_same_origin(client, headers) };
    if (socket || !method.is_safe()) && (cookie.is_some() || from_a_browser) && foreign {
        return Err(Failure::new(Code::ForeignOrigin, "requests of other origins are refused"));
    }
    Ok(cookie.map_or(Sent::Nothing, Sent::Session))
}

fn bearer(headers: &HeaderMap) -> Result<Option<SecretString>, Failure> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let unread =
        || Failure::new(Code::Unauthenticated, "send `authorization: Bearer` with a session's token or an API key");
    token.filter(|token| !token.is_empty()).map(|token| Some(SecretString::from(token))).ok_or_else(unread)
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    values.next().map(SecretString::from)
}

/// Returns whether a page of this very address sent the request.
fn is_same_origin(client: Client, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()) {
        return site == "same-origin";
    }
    has_own_origin(client, headers)
}

/// Returns whether the request says that a page of this very address sent it: scheme, host and port.
fn has_own_origin(client: Client, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if client.is_secure() { "https" } else { "http" };
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin == format!("{scheme}://{host}"),
        _ => false,
    }
}

/// Returns the header that changes the cookie.
pub(super) fn set_cookie(change: &Cookie, client: Client, installation: &str) -> Option<HeaderValue> {
    let secure = client.is_secure();
    let (token, seconds) = match change {
        Cookie::Set(token) => (token.expose_secret(), LASTS_MS / 1000),
        Cookie::Clear => ("", 0),
    };
    let mut line = format!("{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}", name(installation, secure));
    if secure {
        // Writing to a String cannot fail.
        let _ = write!(line, "; Secure");
    }
    let mut value = HeaderValue::from_str(&line).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::{IpAddr, Ipv4Addr};

    use axum::http::HeaderName;

    use super::super::client_address::Remote;
    use super::*;

    fn remote(secure: bool) -> Client {
        Client::Remote(Remote { address: IpAddr::V4(Ipv4Addr::LOCALHOST), secure, loopback: true })
    }

    fn asked(method: &Method, secure: bool, lines: &[(&'static str, &str)]) -> Result<Sent, Code> {
        let headers =
            lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        sent(remote(secure), method, false, &headers, "abc").map_err(|failure| failure.code)
    }

    const COOKIE: (&str, &str) = ("cookie", "other=1; botfleet-abc=token");
    const HOST: (&str, &str) = ("host", "fleet.example:8443");

    #[test]
    fn a_page_of_others_changes_nothing() {
        let post = |lines: &[(&'static str, &str)]| asked(&Method::POST, false, lines);
        assert!(matches!(post(&[COOKIE, HOST, ("sec-fetch-site", "same-origin")]), Ok(Sent::Session(_))));
        assert!(matches!(post(&[COOKIE, HOST, ("origin", "http://fleet.example:8443")]), Ok(Sent::Session(_))));
        for foreign in [
            &[COOKIE, HOST][..],
            &[COOKIE, HOST, ("sec-fetch-site", "cross-site")],
            &[COOKIE, HOST, ("sec-fetch-site", "same-site")],
            &[COOKIE, HOST, ("sec-fetch-site", "none")],
            &[COOKIE, HOST, ("sec-fetch-site", "cross-site"), ("origin", "http://fleet.example:8443")],
            &[COOKIE, HOST, ("origin", "null")],
            &[COOKIE, HOST, ("origin", "http://fleet.example")],
            &[COOKIE, HOST, ("origin", "https://fleet.example:8443")],
            &[HOST, ("sec-fetch-site", "cross-site")],
            &[HOST, ("origin", "http://evil.example")],
        ] {
            assert_eq!(post(foreign).err(), Some(Code::ForeignOrigin), "{foreign:?}");
        }
        assert!(matches!(asked(&Method::GET, false, &[COOKIE, HOST]), Ok(Sent::Session(_))));
        assert!(matches!(post(&[HOST]), Ok(Sent::Nothing)), "a program signs in");
    }

    #[test]
    fn a_socket_opens_for_a_page_of_this_very_address_or_for_a_program() {
        let open = |secure: bool, lines: &[(&'static str, &str)]| {
            let headers =
                lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
            sent(remote(secure), &Method::GET, true, &headers, "abc").map_err(|failure| failure.code)
        };
        assert!(matches!(open(false, &[COOKIE, HOST, ("origin", "http://fleet.example:8443")]), Ok(Sent::Session(_))));
        for foreign in [
            &[COOKIE, HOST][..],
            &[COOKIE, HOST, ("sec-fetch-site", "same-origin")],
            &[COOKIE, HOST, ("origin", "null")],
            &[COOKIE, HOST, ("origin", "https://fleet.example:8443")],
            &[COOKIE, HOST, ("origin", "http://fleet.example")],
            &[COOKIE, HOST, ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")],
            &[HOST, ("origin", "http://evil.example")],
        ] {
            assert_eq!(open(false, foreign).err(), Some(Code::ForeignOrigin), "{foreign:?}");
        }
        assert!(matches!(open(false, &[HOST, ("authorization", "Bearer bf_1")]), Ok(Sent::Key(_))));
        assert!(matches!(open(false, &[HOST]), Ok(Sent::Nothing)));
    }

    #[test]
    fn a_request_has_one_proof() {
        let both = [COOKIE, ("authorization", "Bearer bf_1")];
        assert_eq!(asked(&Method::GET, false, &both).err(), Some(Code::BadRequest));
        let get = |lines: &[(&'static str, &str)]| asked(&Method::GET, false, lines);
        assert!(matches!(get(&[("authorization", "Bearer bf_1")]), Ok(Sent::Key(_))));
        assert!(matches!(get(&[("authorization", "bearer abc")]), Ok(Sent::Session(_))));
        assert_eq!(get(&[("authorization", "Basic YTpi")]).err(), Some(Code::Unauthenticated));
        assert!(matches!(get(&[("cookie", "botfleet-other=token")]), Ok(Sent::Nothing)));
        assert!(matches!(asked(&Method::GET, true, &[COOKIE]), Ok(Sent::Nothing)), "TLS has a cookie of its own");
        assert!(matches!(asked(&Method::GET, true, &[("cookie", "__Host-botfleet-abc=token")]), Ok(Sent::Session(_))));
        let local = sent(Client::Local, &Method::POST, false, &HeaderMap::new(), "abc");
        assert!(matches!(local, Ok(Sent::Local)));
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_other_sites() {
        let set = |secure| {
            let line = set_cookie(&Cookie::Set(SecretString::from("token")), remote(secure), "abc").unwrap();
            assert!(line.is_sensitive());
            line.to_str().unwrap().to_owned()
        };
        assert_eq!(set(false), "botfleet-abc=token; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200");
        assert_eq!(set(true), "__Host-botfleet-abc=token; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200; Secure");
        let cleared = set_cookie(&Cookie::Clear, remote(false), "abc").unwrap();
        assert_eq!(cleared, "botfleet-abc=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    }
}
