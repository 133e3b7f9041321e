//! Networks as people write them. Part of `config`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Shortest prefixes that are taken: no private network is wider, and a shorter one would name strangers.
///
/// # Source
/// RFC 1918, section 3: 10.0.0.0/8. RFC 4193, section 3.1: `fc00::/7`.
const IPV4_PREFIX_MIN: u8 = 8;
const IPV6_PREFIX_MIN: u8 = 7;

/// An address, or a network with the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let remedy = "write for example 10.0.0.5, 10.1.0.0/16 or fd00:1::/64";
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(IpNet::from(address.to_canonical())));
        }
        let network: IpNet = text.parse().map_err(|_| format!("{text:?} is no address or network: {remedy}"))?;
        let least = if matches!(network, IpNet::V4(_)) { IPV4_PREFIX_MIN } else { IPV6_PREFIX_MIN };
        if network.prefix_len() < least {
            return Err(format!("{text:?} is wider than any private network: {remedy}"));
        }
        if network != network.trunc() {
            return Err(format!("{text:?} is an address within a network: write {}", network.trunc()));
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_and_written_alike() {
        for text in ["10.0.0.5", "10.1.0.0/16", "fd00:1::/64", "::1"] {
            assert_eq!(text.parse::<Network>().map(|network| network.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_network_or_too_wide_is_refused_with_a_remedy() {
        let refused = |text: &str| text.parse::<Network>().expect_err(text);
        assert!(refused("proxy.example").contains("is no address or network: write for example"));
        assert!(refused("10.0.0.0/33").contains("is no address or network"));
        assert!(refused("10.1.2.3/16").ends_with("write 10.1.0.0/16"));
        for wide in ["0.0.0.0/0", "128.0.0.0/1", "::/0"] {
            assert!(refused(wide).contains("wider than any private network"), "{wide}");
        }
    }
}
