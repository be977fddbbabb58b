//! The caller of one exchange, as far as it is known.

use std::net::IpAddr;

use crate::base::Secret;

/// Tenant of callers that no client key of ours names.
pub const DEFAULT_TENANT: &str = "default";

/// Who the caller is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Identity {
    /// Presented a client key of ours.
    Known {
        /// The key's id.
        key: String,
    },
    /// Presented a key that is not ours and that a provider has accepted before.
    PassedThrough {
        /// HMAC-SHA-256 of the key under this node's secret, in hex, shortened.
        mark: String,
    },
    /// Presented nothing, or a key that nobody has accepted yet: worth its address prefix.
    Unverified,
}

/// The caller of one exchange.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub identity: Identity,
    /// The tenant it belongs to.
    pub tenant: String,
    /// The name under which its history, limits and audit rows are kept.
    pub principal: String,
    /// The bearer token it presented, ours or the provider's.
    pub token: Option<Secret>,
}

impl Caller {
    /// The id of the client key that it presented, if that is one of ours.
    pub fn key_id(&self) -> Option<String> {
        match &self.identity {
            Identity::Known { key } => Some(key.clone()),
            Identity::PassedThrough { .. } | Identity::Unverified => None,
        }
    }
}

/// The address prefix that stands for an unverified caller: a whole IPv4 address, or an IPv6 /64 (one host can take any
/// address of its /64, RFC 4291 §2.5.4).
pub fn address_prefix(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("ip:{v4}"),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("ip:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unverified_caller_is_its_prefix() {
        assert_eq!(address_prefix("198.18.0.7".parse().unwrap()), "ip:198.18.0.7");
        assert_eq!(address_prefix("::ffff:198.18.0.7".parse().unwrap()), "ip:198.18.0.7");
        let one = address_prefix("2001:db8:1:2:aaaa::1".parse().unwrap());
        let two = address_prefix("2001:db8:1:2:bbbb::2".parse().unwrap());
        assert_eq!(one, two);
        assert_ne!(one, address_prefix("2001:db8:1:3::1".parse().unwrap()));
    }
}
