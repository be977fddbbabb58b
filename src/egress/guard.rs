//! Which addresses an outbound connection may reach.
//!
//! A URL in a configuration names a place on the Internet or, plainly, one on this machine or network. What must not happen is
//! that a name leads somewhere that nobody wrote: to the metadata service of a cloud, to the admin port of this machine, to a
//! neighbour behind the same router. So a name is resolved once, every address is judged, and the connection goes to the very
//! addresses that were judged: a name that changes its mind in between (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a connection may go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// To public addresses; to a private one only when the URL names it by its number, or names `localhost`.
    #[default]
    Written,
    /// To private addresses as well, by any name: somebody wrote `private: true`.
    Private,
}

/// What an address is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Anybody's.
    Public,
    /// This machine's or this network's own.
    Private,
    /// Nobody's that a URL can mean.
    Never(&'static str),
}

impl Reach {
    /// Refuses an address that may not be reached, with the reason and what to do.
    /// `is_named`: the URL has the number itself, or names this machine.
    pub(crate) fn check(self, address: IpAddr, is_named: bool) -> Result<(), String> {
        match (kind(address), self) {
            (Kind::Never(why), _) => Err(format!("{address} is {why} and is never connected to")),
            (Kind::Private, Self::Written) if !is_named => {
                Err(format!("{address} is a private address; if that is meant, write `private: true` beside the URL"))
            }
            _ => Ok(()),
        }
    }
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| kind_v6(v6), kind_v4),
    }
}

/// By the registries of special-purpose addresses (RFC 6890 and IANA's lists).
fn kind_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (0, ..) => Kind::Never("no address of anybody's"),
        (169, 254, ..) => Kind::Never("a link-local address, where clouds keep their metadata"),
        (100, 100, 100, 200) | (192, 0, 0, 192) | (168, 63, 129, 16) => Kind::Never("a cloud's metadata service"),
        (224..=239, ..) => Kind::Never("a multicast address"),
        (240.., ..) => Kind::Never("a reserved address"),
        (10 | 127, ..)
        | (172, 16..=31, ..)
        | (192, 168, ..)
        | (100, 64..=127, ..)
        | (192, 0, 0 | 2, _)
        | (198, 18..=19, ..)
        | (198, 51, 100, _)
        | (203, 0, 113, _) => Kind::Private,
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Never("no address of anybody's"),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Kind::Never("a cloud's metadata service"),
        [first, ..] if first & 0xffc0 == 0xfe80 => Kind::Never("a link-local address"),
        [first, ..] if first & 0xff00 == 0xff00 => Kind::Never("a multicast address"),
        // Documentation, and Teredo: what it leads to cannot be seen.
        [0x2001, 0xdb8 | 0, ..] => Kind::Private,
        // What is given out to the world: RFC 4291, section 2.4.
        [first, ..] if first & 0xe000 == 0x2000 => Kind::Public,
        _ => Kind::Private,
    }
}

/// The IPv4 address that an IPv6 address stands for, where it leads to one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        // Mapped (RFC 4291), and translated: 64:ff9b::/96 (RFC 6052).
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        // Compatible (deprecated); `::` and `::1` are what they are.
        (0, 0, 0, 0, 0, 0) if g != 0 => Some(v4(g, h)),
        // 6to4: RFC 3056.
        (0x2002, ..) => Some(v4(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reach: Reach, address: &str, is_named: bool) -> bool {
        reach.check(address.parse().unwrap(), is_named).is_ok()
    }

    #[test]
    fn public_addresses_are_reached_by_any_name() {
        for address in
            ["8.8.8.8", "1.1.1.1", "172.32.0.1", "192.0.1.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]
        {
            assert!(check(Reach::Written, address, false), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_reached_when_they_are_written_and_not_when_a_name_leads_there() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fd12::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "100::1",
        ] {
            assert!(!check(Reach::Written, address, false), "{address}");
            assert!(check(Reach::Written, address, true), "{address}");
            assert!(check(Reach::Private, address, false), "{address}");
        }
    }

    #[test]
    fn metadata_services_are_never_reached() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "::169.254.169.254",
        ] {
            assert!(!check(Reach::Private, address, true), "{address}");
        }
    }
}
