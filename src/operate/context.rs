//! The circumstances of a request, for the records. Layer `operate`.

use std::net::IpAddr;

use botfleet_actors::domain::audit::Origin;
use botfleet_actors::domain::time::Timestamp;
use ipnet::IpNet;

/// Length of the prefix that counts as one network in IPv6.
const NETWORK_V6: u8 = 64;

/// The circumstances of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The caller's address; none at the local socket.
    pub address: Option<IpAddr>,
    /// Set when the caller is on this machine.
    pub here: bool,
    /// The program that called, as it calls itself.
    pub agent: Option<String>,
    /// The id of the request.
    pub request: Option<String>,
    /// The instant at which the request came.
    pub at: Timestamp,
}

impl Context {
    /// Returns the origin of an entry; the audit adds the node.
    pub(super) fn origin(&self) -> Origin {
        Origin::new(self.address.map(|address| address.to_string()), self.agent.as_deref(), self.request.as_deref(), "")
    }

    /// Returns the network of the caller, which counts as one caller: an IPv4 address, or a /64 of IPv6.
    pub fn network(&self) -> Option<IpNet> {
        self.address.and_then(network_of)
    }
}

/// Returns the network of an address.
pub fn network_of(address: IpAddr) -> Option<IpNet> {
    let address = address.to_canonical();
    let length = if address.is_ipv4() { 32 } else { NETWORK_V6 };
    IpNet::new(address, length).ok().map(|net| net.trunc())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn neighbours_in_ipv6_are_one_caller() {
        let net = |address: &str| network_of(address.parse().unwrap()).unwrap().to_string();
        assert_eq!(net("2001:db8::1"), net("2001:db8::ffff:2"));
        assert_ne!(net("2001:db8::1"), net("2001:db8:0:1::1"));
        assert_eq!(net("::ffff:192.0.2.1"), "192.0.2.1/32");
        assert_ne!(net("192.0.2.1"), net("192.0.2.2"));
    }
}
