//! Finds out who sent a request: the address behind named proxies, and whether the way was encrypted. Layer `http`. Pure.
//!
//! The headers of a proxy count when the peer of the connection is a named proxy, from nobody else. Of the addresses in
//! them the rightmost that is no named proxy is the client's: what stands left of it was written by the client itself.
//! A named proxy sets one kind of header and may pass the other one on as the client wrote it. So when both are there and name
//! different clients, when one cannot be read, or when the client's place in it holds no address, nobody knows who asks, and the
//! request is refused: the proxy must not count as the client, since keys may be bound to the proxy's own network.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

use super::forwarded::{self, Hop, Unreadable};

/// The sender of a request. Stands in the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A caller of the local socket: the fleet's own user, or root.
    Local,
    /// A caller of a port.
    Remote(Remote),
}

/// A caller of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The address, that of the client behind named proxies. An IPv4 address is never written as an IPv6 one.
    pub address: IpAddr,
    /// Set when the client's connection is encrypted: it is TLS, or a named proxy says so.
    pub secure: bool,
    /// Set when the client is on this machine. Unset for everything that a proxy passed on.
    pub loopback: bool,
}

impl Client {
    /// Returns the address; none for a caller of the local socket.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Local => None,
            Self::Remote(remote) => Some(remote.address),
        }
    }

    /// Returns whether the client's connection is encrypted.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Remote(Remote { secure: true, .. }))
    }

    /// Returns whether the client is on this machine, at a port or at the local socket.
    pub fn is_on_this_machine(&self) -> bool {
        matches!(self, Self::Local | Self::Remote(Remote { loopback: true, .. }))
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// At the local socket.
    Local,
    /// At a port.
    Port { address: IpAddr, tls: bool },
}

/// Marks a request whose sender the headers of a named proxy do not tell. Stands in the extensions in the place of [`Client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclear;

/// Returns the sender of a request with these headers, which came by a connection with `peer`.
///
/// # Errors
/// When a named proxy passed the request on, and its headers do not tell for whom.
pub(super) fn client(peer: Peer, headers: &HeaderMap, proxies: &[IpNet]) -> Result<Client, Unclear> {
    let Peer::Port { address, tls } = peer else { return Ok(Client::Local) };
    let address = address.to_canonical();
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    if !is_proxy(address) {
        // A proxy on this machine that nobody named must not pass strangers on as people of this machine.
        let loopback = address.is_loopback() && !forwarded::is_forwarded(headers);
        return Ok(Client::Remote(Remote { address, secure: tls, loopback }));
    }
    let told = |header: Result<Option<Vec<Hop>>, Unreadable>| match header {
        Ok(hops) => hops.map(|hops| farthest(&hops, is_proxy)).transpose(),
        Err(Unreadable) => Err(Unclear),
    };
    let told = match (told(forwarded::standard(headers))?, told(forwarded::customary(headers))?) {
        (Some(one), Some(other)) if one.address == other.address => Some(either(one, other)),
        (Some(_), Some(_)) => return Err(Unclear),
        (one, other) => one.or(other),
    };
    // A request without these headers is the proxy's own.
    let told = told.unwrap_or(Told { address, secure: None });
    Ok(Client::Remote(Remote { address: told.address, secure: told.secure.unwrap_or(tls), loopback: false }))
}

/// The client that one kind of header tells of.
#[derive(Clone, Copy, Debug)]
struct Told {
    address: IpAddr,
    secure: Option<bool>,
}

/// Returns the farthest hop that named proxies vouch for.
fn farthest(hops: &[Hop], is_proxy: impl Fn(IpAddr) -> bool) -> Result<Told, Unclear> {
    let mut reached = Err(Unclear);
    for hop in hops.iter().rev() {
        // A proxy that hides or garbles the address of its client leaves nobody to be counted.
        let address = hop.address.ok_or(Unclear)?;
        reached = Ok(Told { address, secure: hop.secure });
        if !is_proxy(address) {
            break;
        }
    }
    reached
}

/// Joins what two headers say of the same client: encrypted only when none of them denies it.
fn either(one: Told, other: Told) -> Told {
    let secure = match (one.secure, other.secure) {
        (Some(one), Some(other)) => Some(one && other),
        (one, other) => one.or(other),
    };
    Told { secure, ..one }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::HeaderName;

    use super::*;

    const PROXY: &str = "10.0.0.5";
    const STRANGER: &str = "203.0.113.9";

    fn sender(peer: &str, tls: bool, lines: &[(&'static str, &str)]) -> Result<Client, Unclear> {
        let headers =
            lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        let proxies = ["10.0.0.5/32", "10.1.0.0/16", "::1/128"].map(|network| network.parse().unwrap());
        client(Peer::Port { address: peer.parse().unwrap(), tls }, &headers, &proxies)
    }

    fn seen(peer: &str, tls: bool, lines: &[(&'static str, &str)]) -> Remote {
        let Ok(Client::Remote(remote)) = sender(peer, tls, lines) else { panic!("{lines:?} tell of no client") };
        remote
    }

    fn address(peer: &str, lines: &[(&'static str, &str)]) -> String {
        seen(peer, false, lines).address.to_string()
    }

    #[test]
    fn a_strangers_headers_count_for_nothing() {
        let claims = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "https"), ("forwarded", "for=127.0.0.1")];
        let remote = seen(STRANGER, false, &claims);
        assert_eq!(remote, Remote { address: STRANGER.parse().unwrap(), secure: false, loopback: false });
        assert!(seen(STRANGER, true, &[("x-forwarded-proto", "http")]).secure, "TLS is TLS");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_clients() {
        assert_eq!(address(PROXY, &[("x-forwarded-for", "127.0.0.1, 203.0.113.9")]), STRANGER);
        assert_eq!(address(PROXY, &[("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.1.2.3")]), STRANGER);
        assert_eq!(address(PROXY, &[("forwarded", "for=198.51.100.1, for=203.0.113.9, for=10.1.2.3")]), STRANGER);
        assert_eq!(address("::ffff:10.0.0.5", &[("x-forwarded-for", STRANGER)]), STRANGER, "IPv4 in IPv6 is IPv4");
        assert_eq!(address(PROXY, &[("x-forwarded-for", "10.1.0.1, 10.1.0.2")]), "10.1.0.1", "a proxy asks itself");
        assert_eq!(address(PROXY, &[]), PROXY);
    }

    #[test]
    fn a_client_whom_the_proxy_hides_or_garbles_is_nobody_and_what_clients_wrote_does_not_matter() {
        for unclear in [
            ("x-forwarded-for", "198.51.100.1, nonsense, 10.1.2.3"),
            ("x-forwarded-for", "nonsense"),
            ("x-forwarded-for", ""),
            ("forwarded", "for=198.51.100.1, for=unknown"),
            ("forwarded", "proto=https"),
            ("forwarded", "for=\"x"),
        ] {
            assert_eq!(sender(PROXY, true, &[unclear]), Err(Unclear), "{unclear:?}");
        }
        assert_eq!(address(PROXY, &[("x-forwarded-for", "nonsense, 203.0.113.9")]), STRANGER);
        assert_eq!(address(PROXY, &[("forwarded", "for=unknown, for=203.0.113.9")]), STRANGER);
    }

    #[test]
    fn two_kinds_of_headers_that_name_different_clients_tell_of_nobody() {
        let forged = [("x-forwarded-for", STRANGER), ("forwarded", "for=198.51.100.1;proto=https")];
        assert_eq!(sender(PROXY, true, &forged), Err(Unclear));
        let same = |proto| {
            [("x-forwarded-for", STRANGER), ("x-forwarded-proto", proto), ("forwarded", "for=203.0.113.9;proto=https")]
        };
        assert_eq!(address(PROXY, &same("https")), STRANGER);
        assert!(seen(PROXY, false, &same("https")).secure && !seen(PROXY, false, &same("http")).secure);
        // The proxy appends to the header that the client broke, and passes the other one on.
        let broken = [("forwarded", "for=\"x, for=203.0.113.9"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(sender(PROXY, false, &broken), Err(Unclear));
        assert!(sender(STRANGER, false, &broken).is_ok(), "headers of strangers are not read");
    }

    #[test]
    fn a_connection_is_secure_by_tls_or_by_the_word_of_a_proxy() {
        let says = |proto| [("x-forwarded-for", STRANGER), ("x-forwarded-proto", proto)];
        assert!(seen(PROXY, false, &says("https")).secure);
        assert!(!seen(PROXY, true, &says("http")).secure, "the leg to the proxy was plain");
        assert!(!seen(PROXY, false, &[("x-forwarded-for", STRANGER)]).secure);
        assert!(seen(PROXY, true, &[]).secure, "a proxy that passes TLS through adds no header");
    }

    #[test]
    fn only_who_calls_directly_is_on_this_machine() {
        assert!(seen("127.0.0.1", false, &[]).loopback);
        assert!(!seen("::1", false, &[]).loopback, "a named proxy passes strangers on");
        assert!(!seen("::1", false, &[("x-forwarded-for", "127.0.0.1")]).loopback, "the proxy's machine is not ours");
        assert!(!seen("127.0.0.1", false, &[("x-forwarded-for", STRANGER)]).loopback, "by a proxy that nobody named");
        assert!(client(Peer::Local, &HeaderMap::new(), &[]).unwrap().is_on_this_machine());
    }
}
