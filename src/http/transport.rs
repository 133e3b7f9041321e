//! The way in which a port speaks, and the peers that it serves. Layer `http`. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

/// The way in which a port speaks, and the peers that it serves.
///
/// A port with a certificate serves everybody. A plain one serves this machine, the named proxies and the networks in
/// which plain HTTP is allowed; a plain port that is meant for everybody says so.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// Proxies whose forwarding headers count.
    pub proxies: Vec<IpNet>,
    /// Networks in which plain HTTP is allowed.
    pub plaintext: Vec<IpNet>,
    /// Set for a port that serves everybody in plain: probes, or Telegram's requests behind a proxy.
    pub(super) open: bool,
}

impl Transport {
    /// Returns the transport of a port that serves everybody in plain HTTP.
    pub(super) fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// Returns whether a peer is served in plain HTTP.
    pub(super) fn serves_plainly(&self, peer: IpAddr) -> bool {
        let mut networks = self.proxies.iter().chain(&self.plaintext);
        self.open || peer.is_loopback() || networks.any(|network| network.contains(&peer))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_plain_port_serves_this_machine_proxies_and_named_networks_alone() {
        let network = |text: &str| text.parse().unwrap();
        let transport = Transport {
            proxies: vec![network("10.0.0.5/32")],
            plaintext: vec![network("172.18.0.0/16"), network("fd00::/8")],
            ..Transport::default()
        };
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
            assert_eq!(transport.serves_plainly(peer), served, "{peer}");
            assert!(Transport::open().serves_plainly(peer));
        }
        assert!(!Transport::default().serves_plainly("192.0.2.1".parse().unwrap()));
    }
}
