//! The keys that a reader trusts.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Proves signatures. As text: base64 of its 32 bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Its 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 32 bytes; `None` for any other number.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From text: base64 of 32 bytes, a PEM `PUBLIC KEY` (RFC 8410), or a verifier key of signed notes
    /// (`name+id+base64`, <https://c2sp.org/signed-note>). `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with("-----BEGIN PUBLIC KEY-----") {
            let body: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
            let der = STANDARD.decode(body).ok()?;
            return Self::from_bytes(der.strip_prefix(SPKI_PREFIX.as_slice())?);
        }
        if let [_, _, encoded] = text.splitn(3, '+').collect::<Vec<_>>().as_slice()
            && let Some((&NOTE_ED25519, key)) = STANDARD.decode(encoded).ok().as_deref().and_then(<[u8]>::split_first)
        {
            return Self::from_bytes(key);
        }
        Self::from_bytes(&STANDARD.decode(text).ok()?)
    }

    /// The first 16 hex digits of the key's SHA-256: enough for people to tell keys apart.
    pub fn id(&self) -> String {
        Sha256::digest(self.0).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key's hash under a signer's name, as signed notes have it before each signature.
    pub(crate) fn note_hash(&self, name: &str) -> [u8; 4] {
        let hash = Sha256::new().chain_update(name).chain_update([b'\n', NOTE_ED25519]).chain_update(self.0).finalize();
        let mut first = [0; 4];
        first.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        first
    }

    /// The verifier key of signed notes: `name+id+base64`.
    pub fn note_key(&self, name: &str) -> String {
        let id: String = self.note_hash(name).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut bytes = vec![NOTE_ED25519];
        bytes.extend_from_slice(&self.0);
        format!("{name}+{id}+{}", STANDARD.encode(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The algorithm's number in signed notes.
const NOTE_ED25519: u8 = 1;
/// What stands before the 32 bytes in a SubjectPublicKeyInfo of Ed25519 (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
