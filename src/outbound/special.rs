//! Addresses that belong to no public host. Layer: adapter; pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// The address at which machines of one cloud ask for their own secrets, though it looks public.
///
/// # Source
/// Microsoft Learn, "What is IP address 168.63.129.16?".
const WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Ends of names that no public host has.
///
/// # Source
/// RFC 6761 and RFC 6762; ICANN resolution 2024.07.29.06 for `internal`.
const PRIVATE_ENDS: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// Returns the host of an address, if it belongs to a private network as far as the address itself shows: no name is looked up.
pub fn private_host(address: &str) -> Option<String> {
    let url: Url = address.parse().ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let is_private = match host.parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        // A name without a dot is known in its own network alone.
        Err(_) => {
            !name.contains('.')
                || PRIVATE_ENDS.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')))
        }
    };
    is_private.then(|| host.to_owned())
}

/// Returns whether an address is one of a public host.
///
/// # Source
/// IANA, IPv4 and IPv6 special-purpose address registries.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(|| is_public_v6(address), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match (first, second, third) {
        // This network, reserved networks, carrier-grade NAT, benchmarks, protocol assignments, the former 6to4 relays.
        (0 | 240.., ..) | (100, 64..=127, _) | (198, 18..=19, _) | (192, 0, 0) | (192, 88, 99) => true,
        _ => address == WIRE_SERVER,
    };
    !(is_special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3; that leaves out loopback, mapped and translated IPv4 (64:ff9b::/96), fc00::/7, fe80::/10.
    let is_global = (first & 0xe000) == 0x2000;
    // Parts of it carry an IPv4 address (Teredo, 6to4) or belong to nobody.
    let is_special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        || first == 0x2002
        || (first == 0x3fff && second < 0x1000);
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_private_host_is_seen_in_its_address() {
        for address in [
            "http://127.0.0.1:11434/v1",
            "http://localhost:8080",
            "http://[::1]/v1",
            "http://ollama:11434/v1",
            "https://models.internal/v1",
            "https://box.local./v1",
            "https://169.254.169.254/",
        ] {
            assert!(private_host(address).is_some(), "{address}");
        }
        for address in ["https://api.telegram.org", "https://internal.example/v1", "https://1.1.1.1/v1", "nonsense"] {
            assert_eq!(private_host(address), None, "{address}");
        }
    }

    #[test]
    fn addresses_of_private_networks_are_none_of_the_internet() {
        for private in [
            "127.0.0.1",
            "127.255.255.254",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.192",
            "198.18.0.1",
            "203.0.113.7",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fc00::1",
            "fd00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "::127.0.0.1",
            "2002:7f00:1::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:db8::1",
            "3fff::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in
            ["1.1.1.1", "149.154.167.220", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2001:67c:4e8:f004::9"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
