//! The way in which a port speaks, and the peers that it serves. Layer `http`.

use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;

use super::certificate::Certificate;

/// The way in which a port speaks, and the peers that it serves.
///
/// A port with a certificate serves everybody. A plain one serves this machine, the named proxies and the networks in
/// which plain HTTP is allowed; a plain port that is meant for everybody says so.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// The certificate of a port that speaks TLS alone.
    pub certificate: Option<Certificate>,
    /// Proxies whose forwarding headers count.
    pub proxies: Vec<IpNet>,
    /// Networks in which plain HTTP is allowed.
    pub plaintext: Vec<IpNet>,
    /// Most connections of a network at a time; none for a port whose callers come from few addresses.
    pub(super) connections: Option<NonZeroU32>,
    /// Set for a port that serves everybody in plain HTTP: probes, or Telegram's requests behind a proxy.
    open: bool,
}

impl Transport {
    /// Returns the transport of a port that serves everybody by TLS, or in plain HTTP proxies and some networks.
    pub fn new(certificate: Option<Certificate>, proxies: Vec<IpNet>, plaintext: Vec<IpNet>) -> Self {
        Self { certificate, proxies, plaintext, connections: None, open: false }
    }

    /// Bounds the connections of a network at a time. Named proxies bring many clients and have no bound.
    #[must_use]
    pub fn with_connections(self, most: NonZeroU32) -> Self {
        Self { connections: Some(most), ..self }
    }

    /// Returns the most connections that the network of a peer may have at a time.
    pub(super) fn connections_of(&self, peer: IpAddr) -> u32 {
        let is_proxy = self.proxies.iter().any(|network| network.contains(&peer));
        self.connections.filter(|_| !is_proxy).map_or(u32::MAX, NonZeroU32::get)
    }

    /// Returns the transport of a port that serves everybody in plain HTTP.
    pub(super) fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// Returns whether a peer is served.
    pub(super) fn serves(&self, peer: IpAddr) -> bool {
        let mut networks = self.proxies.iter().chain(&self.plaintext);
        self.certificate.is_some() || self.open || peer.is_loopback() || networks.any(|network| network.contains(&peer))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_plain_port_serves_this_machine_proxies_and_named_networks_alone() {
        let network = |text: &str| text.parse().unwrap();
        let plaintext = vec![network("172.18.0.0/16"), network("fd00::/8")];
        let transport = Transport::new(None, vec![network("10.0.0.5/32")], plaintext);
        for (peer, served) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("10.0.0.5", true),
            ("10.0.0.6", false),
            ("172.18.9.9", true),
            ("172.19.0.1", false),
            ("fd12::1", true),
            ("2001:db8::1", false),
        ] {
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(transport.serves(peer), served, "{peer}");
            assert!(Transport::open().serves(peer));
        }
        assert!(!Transport::default().serves("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_network_has_so_many_connections_and_a_named_proxy_as_many_as_it_likes() {
        let proxies = vec!["10.0.0.5/32".parse().unwrap()];
        let transport = Transport::new(None, proxies, Vec::new()).with_connections(NonZeroU32::new(8).unwrap());
        let most = |peer: &str| transport.connections_of(peer.parse().unwrap());
        assert_eq!((most("10.0.0.5"), most("10.0.0.6"), most("127.0.0.1")), (u32::MAX, 8, 8));
        assert_eq!(Transport::open().connections_of("192.0.2.1".parse().unwrap()), u32::MAX);
    }
}
