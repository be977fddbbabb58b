//! Client keys of ours, held as hashes, and the memory of pass-through keys that a provider accepted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::caller::{Caller, DEFAULT_TENANT, Identity, address_prefix};
use crate::base::{Cause, Fault, Secret};

/// Pass-through keys remembered as accepted; the oldest is forgotten first and becomes unverified again.
const VERIFIED_KEYS: usize = 65_536;

/// Bytes of randomness in a key that we make.
const KEY_BYTES: usize = 32;

/// SHA-256 of a client key. Keys that we make carry 256 random bits, so a plain hash cannot be searched backwards.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

impl FromStr for KeyHash {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write the 64 hex digits that `portcullis keys new` printed".to_owned();
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut hash = [0u8; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

/// A client key of ours.
#[derive(Clone, Debug)]
pub struct ClientKey {
    /// Its name in the audit record.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant: String,
    /// What is kept of the key itself.
    pub hash: KeyHash,
}

/// A fresh key for a client: `pk-` and 64 hex digits.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn generate() -> Result<Secret, getrandom::Error> {
    let mut random = [0u8; KEY_BYTES];
    getrandom::fill(&mut random)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(format!("pk-{digits}")))
}

/// True for a token in the form of [`generate`]'s keys, whether it is in force here or not: one that was taken out of the
/// ring, or that is another appliance's, must not reach a provider as if it were the provider's own.
pub fn has_form_of_ours(token: &str) -> bool {
    token.strip_prefix("pk-").is_some_and(|digits| {
        digits.len() == 2 * KEY_BYTES && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// All client keys in force, by hash.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: HashMap<KeyHash, (String, String)>,
}

impl Keyring {
    /// The ring of these keys.
    pub fn new(keys: impl IntoIterator<Item = ClientKey>) -> Self {
        Self { keys: keys.into_iter().map(|key| (key.hash, (key.id, key.tenant))).collect() }
    }

    /// True when no client can be known.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Who calls, from the value of the `Authorization` header and the peer's address.
    ///
    /// # Errors
    /// When the header is there and is not `Bearer <token>`: another scheme could not be judged and would travel on.
    pub fn identify(&self, authorization: Option<&[u8]>, peer: IpAddr, verified: &Verified) -> Result<Caller, Fault> {
        let token = authorization.map(bearer).transpose()?;
        let unverified = || Caller {
            identity: Identity::Unverified,
            tenant: DEFAULT_TENANT.to_owned(),
            principal: address_prefix(peer),
            token: token.clone(),
        };
        let Some(presented) = &token else { return Ok(unverified()) };
        if let Some((id, tenant)) = self.keys.get(&KeyHash::of(presented.expose())) {
            return Ok(Caller {
                identity: Identity::Known { key: id.clone() },
                tenant: tenant.clone(),
                principal: format!("key:{id}"),
                token,
            });
        }
        Ok(match verified.recall(presented) {
            Some(mark) => Caller {
                principal: format!("hmac:{mark}"),
                identity: Identity::PassedThrough { mark },
                tenant: DEFAULT_TENANT.to_owned(),
                token,
            },
            None => unverified(),
        })
    }
}

fn bearer(value: &[u8]) -> Result<Secret, Fault> {
    let wrong = || Fault::client(Cause::Unauthorized, "the Authorization header must be `Bearer <key>`");
    let text = std::str::from_utf8(value).map_err(|_| wrong())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(wrong)?;
    let token = Secret::new(token.to_owned());
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.expose().contains(char::is_whitespace) {
        return Err(wrong());
    }
    Ok(token)
}

/// Pass-through keys that a provider has answered with success, kept as HMACs under this node's secret: the keys themselves
/// are never stored, and two nodes' marks cannot be compared.
pub struct Verified {
    secret: Secret,
    known: Mutex<(HashSet<String>, VecDeque<String>)>,
}

impl Verified {
    /// An empty memory under this secret.
    pub fn new(secret: Secret) -> Self {
        Self { secret, known: Mutex::default() }
    }

    /// The mark of a key, if a provider accepted that key before.
    pub fn recall(&self, key: &Secret) -> Option<String> {
        let mark = self.mark(key)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.contains(&mark).then_some(mark)
    }

    /// A provider accepted this key. Returns its mark.
    pub fn accept(&self, key: &Secret) -> Option<String> {
        let mark = self.mark(key)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0.insert(mark.clone()) {
            known.1.push_back(mark.clone());
            if known.1.len() > VERIFIED_KEYS
                && let Some(oldest) = known.1.pop_front()
            {
                known.0.remove(&oldest);
            }
        }
        Some(mark)
    }

    fn mark(&self, key: &Secret) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes()).ok()?;
        mac.update(key.expose().as_bytes());
        Some(mac.finalize().into_bytes().iter().take(12).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn verified() -> Verified {
        Verified::new(Secret::new("node secret".to_owned()))
    }

    #[test]
    fn a_known_key_names_its_tenant_and_never_itself() {
        let key = generate().unwrap();
        let ring = Keyring::new([ClientKey {
            id: "ci".to_owned(),
            tenant: "acme".to_owned(),
            hash: KeyHash::of(key.expose()),
        }]);
        let header = format!("Bearer {}", key.expose());
        let caller = ring.identify(Some(header.as_bytes()), PEER, &verified()).unwrap();
        assert_eq!((caller.tenant.as_str(), caller.principal.as_str()), ("acme", "key:ci"));
        assert!(!format!("{caller:?}").contains(key.expose()));
        let other = ring.identify(Some(b"Bearer pk-other"), PEER, &verified()).unwrap();
        assert_eq!(other.identity, Identity::Unverified);
    }

    #[test]
    fn a_pass_through_key_is_its_address_until_a_provider_accepts_it() {
        let (ring, verified) = (Keyring::default(), verified());
        let before = ring.identify(Some(b"Bearer sk-abc"), PEER, &verified).unwrap();
        assert_eq!(before.principal, "ip:127.0.0.1");
        verified.accept(before.token.as_ref().unwrap()).unwrap();
        let after = ring.identify(Some(b"Bearer sk-abc"), PEER, &verified).unwrap();
        assert!(after.principal.starts_with("hmac:"), "{}", after.principal);
        assert!(!after.principal.contains("abc"));
    }

    #[test]
    fn other_schemes_are_refused() {
        for header in [&b"Basic dXNlcjpwYXNz"[..], b"Bearer", b"Bearer ", b"Bearer a b", b"\xff"] {
            assert!(Keyring::default().identify(Some(header), PEER, &verified()).is_err(), "{header:?}");
        }
    }

    #[test]
    fn the_memory_of_accepted_keys_is_bounded() {
        let verified = verified();
        let key = |n: usize| Secret::new(format!("sk-{n}"));
        for n in 0..=VERIFIED_KEYS {
            verified.accept(&key(n)).unwrap();
        }
        assert!(verified.recall(&key(0)).is_none());
        assert!(verified.recall(&key(1)).is_some() && verified.recall(&key(VERIFIED_KEYS)).is_some());
    }

    #[test]
    fn keys_of_ours_are_known_by_their_form() {
        let key = generate().unwrap();
        assert!(has_form_of_ours(key.expose()));
        for other in ["sk-abc", "pk-abc", &key.expose()[1..], &format!("{}0", key.expose())] {
            assert!(!has_form_of_ours(other), "{other}");
        }
    }

    #[test]
    fn a_hash_is_read_back_as_written() {
        let hash = KeyHash::of("k");
        assert_eq!(hash.to_string().parse::<KeyHash>().unwrap(), hash);
        assert!("xyz".parse::<KeyHash>().is_err());
        assert!("é".repeat(32).parse::<KeyHash>().is_err());
    }
}
