//! Internet addresses that lead to somebody (IANA special-purpose registries, RFC 6890).
//!
//! Looks for: IPv4 and IPv6 addresses that are routed. Misses: addresses inside a network, which identify nobody outside it.
//! Public resolvers and such are routed and pass. Example: `81.2.69.142`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// True for an address on the open internet.
pub(super) fn is_public(text: &str) -> bool {
    match text.trim().trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => is_public_v4(address),
        Ok(IpAddr::V6(address)) => is_public_v6(address),
        Err(_) => false,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    /// Resolvers that stand in every manual.
    const RESOLVERS: [Ipv4Addr; 6] = [
        Ipv4Addr::new(1, 0, 0, 1),
        Ipv4Addr::new(1, 1, 1, 1),
        Ipv4Addr::new(8, 8, 4, 4),
        Ipv4Addr::new(8, 8, 8, 8),
        Ipv4Addr::new(9, 9, 9, 9),
        Ipv4Addr::new(208, 67, 222, 222),
    ];
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && matches!(b, 18 | 19);
    !(a == 0
        || a >= 224
        || shared
        || benchmark
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || RESOLVERS.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Global unicast, without what is set aside for documentation.
    let [first, second, ..] = address.segments();
    first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8) && first != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn only_routed_addresses_pass() {
        for good in ["81.2.69.142", "2a00:1450:4001:82a::200e", "[2606:4700::1111]"] {
            assert!(is_public(good), "{good}");
        }
        for bad in [
            "10.0.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "203.0.113.7",
            "100.64.0.1",
            "8.8.8.8",
            "0.1.2.3",
            "255.255.255.0",
            "300.1.1.1",
            "::1",
            "fe80::1",
            "2001:db8::1",
            "fd00::1",
            "",
        ] {
            assert!(!is_public(bad), "{bad}");
        }
    }
}
