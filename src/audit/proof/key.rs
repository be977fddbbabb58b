//! The key that signs checkpoints (Ed25519, RFC 8032).

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::public_key::PublicKey;
use crate::audit::error::AuditError;
use crate::audit::key_file::{self, SECRET_BYTES};

/// Signs checkpoints. Its `Debug` shows the public half alone.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

impl SigningKey {
    /// Reads a key: PKCS#8 as PEM or DER (RFC 5958, RFC 8410), or the 32 bytes of its seed as they are or in base64.
    ///
    /// # Errors
    /// A file that cannot be read, that others may read, or that holds no such key.
    pub(crate) fn read(path: &Path) -> Result<Self, AuditError> {
        let bytes = key_file::read(path, "whoever has this key can sign a record anew")?;
        Self::parse(&bytes).ok_or_else(|| AuditError::Key {
            path: path.to_owned(),
            why: "it holds no Ed25519 key: write PKCS#8 (openssl genpkey -algorithm ed25519 -out FILE), or the 32 bytes of a \
                  seed, as they are or in base64"
                .to_owned(),
        })
    }

    /// Reads the key of a state folder, and makes one when there is none.
    pub(crate) fn read_or_make(path: &Path) -> Result<Self, AuditError> {
        key_file::make(path)?;
        Self::read(path)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let pair = match std::str::from_utf8(bytes).map(str::trim) {
            Ok(text) if text.starts_with("-----BEGIN") => {
                let body: Zeroizing<String> =
                    Zeroizing::new(text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect());
                let one = text.matches("-----BEGIN PRIVATE KEY-----").count() == 1;
                let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok().filter(|_| one)?);
                from_der(&der)
            }
            Ok(text) if bytes.len() != SECRET_BYTES => {
                let seed = Zeroizing::new(STANDARD.decode(text).ok()?);
                Ed25519KeyPair::from_seed_unchecked(&seed).ok()
            }
            _ if bytes.len() == SECRET_BYTES => Ed25519KeyPair::from_seed_unchecked(bytes).ok(),
            _ => from_der(bytes),
        }?;
        let public = PublicKey::from_bytes(pair.public_key().as_ref())?;
        Some(Self { pair, public })
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// The newer form of PKCS#8 holds the public half too (RFC 5958), the one that OpenSSL writes does not.
fn from_der(der: &[u8]) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_pkcs8(der).or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)).ok()
}

impl PublicKey {
    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.bytes()).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// RFC 8032, section 7.1, test 1.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    /// `openssl pkey` wrote both for that seed.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    const PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn a_key_is_read_in_every_form() {
        let der = STANDARD.decode(PEM.lines().nth(1).unwrap()).unwrap();
        let encoded = STANDARD.encode(SEED);
        for form in [SEED.as_slice(), PEM.as_bytes(), &der, encoded.as_bytes(), format!("{encoded}\n").as_bytes()] {
            let key = SigningKey::parse(form).unwrap();
            assert_eq!(key.public().to_string(), PUBLIC);
            assert!(key.public().verifies(b"text", &key.sign(b"text")));
            assert!(!key.public().verifies(b"another", &key.sign(b"text")));
        }
        let public = PublicKey::parse(PUBLIC).unwrap();
        assert_eq!(PublicKey::parse(PUBLIC_PEM), Some(public));
        assert_eq!(PublicKey::parse(&public.note_key("box-1")), Some(public));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for bad in ["", "short", PUBLIC_PEM, "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----"] {
            fs::write(&path, bad).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(SigningKey::read(&path).unwrap_err().to_string().contains("openssl genpkey"), "{bad}");
        }
        fs::write(&path, PEM).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(SigningKey::read(&path).unwrap_err().to_string().contains("chmod"));
        assert!(["", "x", "AAAA", PEM].iter().all(|text| PublicKey::parse(text).is_none()));
    }

    #[test]
    fn a_key_that_is_made_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing-key");
        let made = SigningKey::read_or_make(&path).unwrap().public();
        assert_eq!(SigningKey::read_or_make(&path).unwrap().public(), made);
        assert!(!format!("{:?}", SigningKey::read(&path).unwrap()).contains(fs::read_to_string(&path).unwrap().trim()));
    }
}
