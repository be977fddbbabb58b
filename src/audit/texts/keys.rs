//! The keys of recorded texts. Each text has a key of its own; that one is wrapped under its tenant's, which is derived from a
//! master key. Master keys are files that no store ever sees.
//!
//! ```text
//! master key (file) ─ HKDF-SHA256 (RFC 5869), tenant ─► tenant's key ─ AES-256-GCM ─► the text's key, wrapped: in the store
//!                                                                                     the text's key ─ AES-256-GCM ─► the text
//! ```
//!
//! So a master key is changed without touching a text (only what is wrapped is wrapped anew), and a text is destroyed by
//! forgetting its wrapped key.

use std::fmt;
use std::io::{Read, Write};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::files::TextKeyFiles;
use super::{FullText, Owner, Sealed, TextRef, Unread, terms};
use crate::audit::error::AuditError;
use crate::audit::event::PassageText;
use crate::audit::key_file;
use crate::audit::record::Hash;

/// The keys of recorded texts.
#[derive(Debug, Default)]
pub(crate) struct TextKeys {
    masters: Vec<Master>,
    search: Option<SecretKey>,
}

/// 32 bytes that are never shown.
struct SecretKey(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

#[derive(Debug)]
struct Master {
    id: String,
    secret: SecretKey,
}

impl TextKeys {
    /// Reads every key; one that is named and is not there is an error.
    pub(crate) fn read(files: &TextKeyFiles, made: &Path) -> Result<Self, AuditError> {
        let mut masters = Vec::new();
        let own = [made.to_owned()];
        let paths = if files.keys.is_empty() { &own } else { files.keys.as_slice() };
        for path in paths {
            masters.push(Master::new(read_secret(path)?));
        }
        let search = files.search_key.as_deref().map(read_secret).transpose()?;
        Ok(Self { masters, search })
    }

    /// As [`Self::read`], and makes the state folder's own key when it is wanted and not there.
    pub(crate) fn read_or_make(files: &TextKeyFiles, made: &Path) -> Result<Self, AuditError> {
        if files.keys.is_empty() {
            key_file::make(made)?;
        }
        Self::read(files, made)
    }

    /// The id of the master key that new texts are under, and those of the others; `None`: there is none.
    pub(crate) fn ids(&self) -> Option<(String, Vec<String>)> {
        let (first, others) = self.masters.split_first()?;
        Some((first.id.clone(), others.iter().map(|master| master.id.clone()).collect()))
    }

    /// Encrypts passages; `None` when there is no key, or no randomness.
    pub(crate) fn seal(&self, owner: Owner<'_>, passages: &[PassageText]) -> Option<(TextRef, Sealed)> {
        let master = self.masters.first()?;
        let json = Zeroizing::new(serde_json::to_vec(passages).ok()?);
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflated.write_all(&json).ok()?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(key.as_mut()).ok()?;
        let ciphertext = encrypt(&key, &owner.tied("text"), deflated.finish().ok()?)?;
        let wrapped = master.wrap(owner, &key)?;
        let text = TextRef {
            sha256: Hash::from_bytes(Sha256::digest(&ciphertext).into()),
            bytes: json.len() as u64,
            passages: passages.len() as u64,
            unread: None,
        };
        let terms = self.terms(owner.tenant, passages.iter().map(|passage| passage.text.as_str()));
        Some((text, Sealed { key_id: master.id.clone(), wrapped: Some(wrapped), terms, ciphertext }))
    }

    /// Decrypts what a record says is kept.
    pub(crate) fn open(&self, owner: Owner<'_>, text: &TextRef, sealed: &Sealed) -> Result<FullText, Unread> {
        if Hash::from_bytes(Sha256::digest(&sealed.ciphertext).into()) != text.sha256 {
            return Err(Unread::Damaged);
        }
        let wrapped = sealed.wrapped.as_deref().ok_or(Unread::Shredded)?;
        let key = self.master(&sealed.key_id)?.unwrap(owner, wrapped).ok_or(Unread::Damaged)?;
        let deflated = decrypt(&key, &owner.tied("text"), &sealed.ciphertext).ok_or(Unread::Damaged)?;
        let mut json = Zeroizing::new(Vec::new());
        // One byte more than the record says: what is longer is not what was recorded.
        let inflated =
            DeflateDecoder::new(deflated.as_slice()).take(text.bytes.saturating_add(1)).read_to_end(&mut json);
        if inflated.is_err() || json.len() as u64 != text.bytes {
            return Err(Unread::Damaged);
        }
        serde_json::from_slice(&json).map(FullText::Plain).map_err(|_| Unread::Damaged)
    }

    /// Wraps a text's key under the current master key; the text stays as it is.
    pub(crate) fn wrap_anew(&self, owner: Owner<'_>, key_id: &str, wrapped: &[u8]) -> Result<Vec<u8>, Unread> {
        let key = self.master(key_id)?.unwrap(owner, wrapped).ok_or(Unread::Damaged)?;
        self.masters.first().and_then(|master| master.wrap(owner, &key)).ok_or(Unread::KeyMissing)
    }

    /// The keyed hashes of a tenant's words, each once; none without a key to search by.
    pub(crate) fn terms<'a>(&self, tenant: &str, texts: impl Iterator<Item = &'a str>) -> Vec<i64> {
        let key = self.search.as_ref().and_then(|search| derive(search, "search", tenant));
        key.map(|key| terms::hashes(&key, texts)).unwrap_or_default()
    }

    /// Whether texts can be searched.
    pub(crate) fn can_search(&self) -> bool {
        self.search.is_some()
    }

    fn master(&self, id: &str) -> Result<&Master, Unread> {
        self.masters.iter().find(|master| master.id == id).ok_or(Unread::KeyMissing)
    }
}

impl Master {
    fn new(secret: SecretKey) -> Self {
        let hash = Sha256::new().chain_update("portcullis text key id\0").chain_update(secret.0.as_ref()).finalize();
        Self { id: hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect(), secret }
    }

    fn wrap(&self, owner: Owner<'_>, key: &[u8; KEY_BYTES]) -> Option<Vec<u8>> {
        encrypt(&*derive(&self.secret, "wrap", owner.tenant)?, &owner.tied("key"), key.to_vec())
    }

    fn unwrap(&self, owner: Owner<'_>, wrapped: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let key = decrypt(&*derive(&self.secret, "wrap", owner.tenant)?, &owner.tied("key"), wrapped)?;
        key.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

impl Owner<'_> {
    /// What is authenticated with a ciphertext: whose it is, and that it is nothing else of theirs.
    fn tied(&self, what: &str) -> Vec<u8> {
        format!("portcullis {what} 1\0{}\0{}\0{}", self.exchange, self.direction.name(), self.tenant).into_bytes()
    }
}

/// A tenant's key for one use.
fn derive(secret: &SecretKey, used_for: &str, tenant: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let info = [b"portcullis text ".as_slice(), used_for.as_bytes(), b" 1\0", tenant.as_bytes()];
    Prk::new_less_safe(HKDF_SHA256, secret.0.as_ref()).expand(&info, HKDF_SHA256).ok()?.fill(key.as_mut()).ok()?;
    Some(key)
}

/// AES-256-GCM under a random nonce, which comes first.
fn encrypt(key: &[u8; KEY_BYTES], tied: &[u8], mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let nonce = key.seal_in_place_append_tag(Aad::from(tied), &mut bytes).ok()?;
    let mut sealed = nonce.as_ref().to_vec();
    sealed.append(&mut bytes);
    Some(sealed)
}

fn decrypt(key: &[u8; KEY_BYTES], tied: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, bytes) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let mut bytes = Zeroizing::new(bytes.to_vec());
    let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(tied), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

fn read_secret(path: &Path) -> Result<SecretKey, AuditError> {
    let bytes = key_file::read(path, "whoever has this key can read recorded texts")?;
    let key = key_file::secret(&bytes).ok_or_else(|| AuditError::Key {
        path: path.to_owned(),
        why: "it holds no key: write 32 random bytes, as they are, in base64 or in hex (openssl rand -base64 32)"
            .to_owned(),
    })?;
    Ok(SecretKey(key))
}

/// Bytes of every key here.
const KEY_BYTES: usize = key_file::SECRET_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::texts::Direction;
    use crate::base::ExchangeId;
    use crate::text::Role;

    fn of(masters: &[u8], search: Option<u8>) -> TextKeys {
        let secret = |byte: &u8| SecretKey(Zeroizing::new([*byte; KEY_BYTES]));
        TextKeys {
            masters: masters.iter().map(|byte| Master::new(secret(byte))).collect(),
            search: search.as_ref().map(secret),
        }
    }

    fn passages(text: &str) -> Vec<PassageText> {
        vec![PassageText { role: Role::User, place: "/messages/0/content".into(), text: text.into() }]
    }

    fn owner(exchange: ExchangeId) -> Owner<'static> {
        Owner { tenant: "acme", exchange, direction: Direction::Request }
    }

    #[test]
    fn a_text_reads_back_for_its_owner_alone() {
        let (keys, exchange) = (of(&[1], None), ExchangeId::new());
        let owner = owner(exchange);
        let (text, sealed) = keys.seal(owner, &passages(&"the plan ".repeat(1000))).unwrap();
        assert!(sealed.ciphertext.len() < 1000, "compressed: {}", sealed.ciphertext.len());
        assert_eq!(keys.open(owner, &text, &sealed), Ok(FullText::Plain(passages(&"the plan ".repeat(1000)))));
        for other in [
            Owner { tenant: "else", ..owner },
            Owner { exchange: ExchangeId::new(), ..owner },
            Owner { direction: Direction::Reply, ..owner },
        ] {
            assert_eq!(keys.open(other, &text, &sealed), Err(Unread::Damaged), "{other:?}");
        }
        assert_eq!(of(&[2], None).open(owner, &text, &sealed), Err(Unread::KeyMissing));
    }

    #[test]
    fn every_changed_byte_is_found() {
        let (keys, exchange) = (of(&[1], None), ExchangeId::new());
        let (text, sealed) = keys.seal(owner(exchange), &passages("secret")).unwrap();
        for at in 0..sealed.ciphertext.len() {
            let mut changed = sealed.clone();
            changed.ciphertext[at] ^= 1;
            assert_eq!(keys.open(owner(exchange), &text, &changed), Err(Unread::Damaged));
            // Also where the record was changed with it.
            let sha256 = Hash::from_bytes(Sha256::digest(&changed.ciphertext).into());
            assert_eq!(keys.open(owner(exchange), &TextRef { sha256, ..text.clone() }, &changed), Err(Unread::Damaged));
        }
        let mut changed = sealed.clone();
        changed.wrapped.as_mut().unwrap()[20] ^= 1;
        assert_eq!(keys.open(owner(exchange), &text, &changed), Err(Unread::Damaged));
        changed.wrapped = None;
        assert_eq!(keys.open(owner(exchange), &text, &changed), Err(Unread::Shredded));
        for bytes in [0, text.bytes - 1, text.bytes + 1] {
            let lies = TextRef { bytes, ..text.clone() };
            assert_eq!(keys.open(owner(exchange), &lies, &sealed), Err(Unread::Damaged), "{bytes}");
        }
    }

    #[test]
    fn a_new_master_key_reads_what_was_wrapped_anew_and_the_old_one_no_more() {
        let (old, both, new) = (of(&[1], None), of(&[2, 1], None), of(&[2], None));
        let owner = owner(ExchangeId::new());
        let (text, sealed) = old.seal(owner, &passages("hello")).unwrap();
        let wrapped = both.wrap_anew(owner, &sealed.key_id, sealed.wrapped.as_deref().unwrap()).unwrap();
        let anew = Sealed { key_id: both.ids().unwrap().0, wrapped: Some(wrapped), ..sealed.clone() };
        assert_eq!(new.open(owner, &text, &anew), Ok(FullText::Plain(passages("hello"))));
        assert_eq!(old.open(owner, &text, &anew), Err(Unread::KeyMissing));
        assert_eq!(new.open(owner, &text, &sealed), Err(Unread::KeyMissing));
        assert_eq!(both.open(owner, &text, &sealed), Ok(FullText::Plain(passages("hello"))));
    }

    #[test]
    fn the_same_word_of_two_tenants_has_two_hashes() {
        let keys = of(&[1], Some(9));
        let one = keys.terms("acme", ["Confidential, confidential!"].into_iter());
        assert_eq!(one.len(), 1);
        assert_eq!(keys.terms("acme", ["confidential"].into_iter()), one);
        assert_ne!(keys.terms("else", ["confidential"].into_iter()), one);
        assert!(of(&[1], None).terms("acme", ["confidential"].into_iter()).is_empty());
    }

    #[test]
    fn keys_are_never_shown() {
        let shown = format!("{:?}", of(&[65], Some(66)));
        assert!(!shown.contains("65, 65") && !shown.contains("66, 66") && !shown.contains("AAAA"), "{shown}");
    }
}
