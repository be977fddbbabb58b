//! Who may use the console, and for what: users with passwords or from an identity provider, tokens for programs, sessions of browsers.

mod accounts;
mod attempts;
mod password;
mod people;
mod role;
mod sessions;

pub(super) use accounts::{AccountError, Proof};
pub(super) use people::{People, SignIn, Vouched};
pub use role::Role;
pub(super) use sessions::Session;

use sha2::{Digest, Sha256};

/// Whoever asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Actor {
    /// A user's name, or `token:NAME`.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
}

/// 256 random bits in base64url, and their SHA-256: the one is given away, the other is kept.
pub(super) fn random_secret() -> Result<(crate::base::Secret, String), AccountError> {
    use base64::Engine;
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| AccountError::Failed(format!("the system gives no randomness: {error}")))?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(*bytes);
    let hash = hashed(&text);
    Ok((crate::base::Secret::new(text), hash))
}

/// The SHA-256 of a secret of 256 random bits, in hex: it needs no salt and no stretching.
pub(super) fn hashed(secret: &str) -> String {
    Sha256::digest(secret).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
