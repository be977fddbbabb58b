//! Statements that somebody signed: JSON in a DSSE envelope (<https://github.com/secure-systems-lab/dsse>, version 1), Ed25519.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::key::SigningKey;
use super::public_key::PublicKey;

/// An envelope as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Signature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// Why a statement counts for nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is no envelope, or one of something else.
    #[error("it is no signed statement of type {0}: {1}")]
    Form(String, String),
    /// Nobody who is trusted signed it.
    #[error("none of the keys that are trusted here signed it; it names {0}")]
    Signature(String),
}

/// Signs a statement; `kind` is its media type.
///
/// # Errors
/// A statement that JSON cannot hold.
pub(crate) fn sign<T: Serialize>(kind: &str, statement: &T, key: &SigningKey) -> Result<Vec<u8>, serde_json::Error> {
    let payload = serde_json::to_vec(statement)?;
    let sig = STANDARD.encode(key.sign(&encoded(kind, &payload)));
    let envelope = Envelope {
        payload_type: kind.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![Signature { keyid: key.public().id(), sig }],
    };
    serde_json::to_vec_pretty(&envelope)
}

/// Reads a statement that one of these keys signed.
///
/// # Errors
/// See [`EnvelopeError`].
pub fn open<T: DeserializeOwned>(kind: &str, bytes: &[u8], trusted: &[PublicKey]) -> Result<T, EnvelopeError> {
    let form = |why: String| EnvelopeError::Form(kind.to_owned(), why);
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| form(error.to_string()))?;
    if envelope.payload_type != kind {
        return Err(form(format!("its type is {:?}", envelope.payload_type)));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| form(format!("payload: {error}")))?;
    let message = encoded(kind, &payload);
    let is_signed = envelope
        .signatures
        .iter()
        .filter_map(|one| STANDARD.decode(&one.sig).ok())
        .any(|signature| trusted.iter().any(|key| key.verifies(&message, &signature)));
    if !is_signed {
        let named: Vec<&str> = envelope.signatures.iter().map(|one| one.keyid.as_str()).collect();
        let named: String = named.join(", ").chars().filter(char::is_ascii_graphic).take(NAMED).collect();
        return Err(EnvelopeError::Signature(if named.is_empty() { "none".to_owned() } else { named }));
    }
    // Only what is signed is read.
    serde_json::from_slice(&payload).map_err(|error| form(error.to_string()))
}

/// What is signed: the pre-authentication encoding, so that a statement of one kind cannot be passed off as one of another.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

/// Characters of key ids that an error shows.
const NAMED: usize = 128;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, STANDARD.encode([seed; 32])).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        SigningKey::read(&path).unwrap()
    }

    #[test]
    fn the_encoding_is_that_of_the_protocol() {
        // The example of protocol.md.
        assert_eq!(
            encoded("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn only_what_a_trusted_key_signed_is_read() {
        let (own, other) = (key(1), key(2));
        let signed = sign("application/x", &vec![1, 2], &own).unwrap();
        assert_eq!(open::<Vec<u8>>("application/x", &signed, &[other.public(), own.public()]).unwrap(), [1, 2]);
        let refused = open::<Vec<u8>>("application/x", &signed, &[other.public()]).unwrap_err();
        assert_eq!(refused, EnvelopeError::Signature(own.public().id()));
        assert!(matches!(open::<Vec<u8>>("application/y", &signed, &[own.public()]), Err(EnvelopeError::Form(..))));
        // Another payload, another type, no signature at all.
        let text = String::from_utf8(signed).unwrap();
        let changed = text.replace(&STANDARD.encode("[1,2]"), &STANDARD.encode("[1,3]"));
        assert!(matches!(
            open::<Vec<u8>>("application/x", changed.as_bytes(), &[own.public()]),
            Err(EnvelopeError::Signature(_))
        ));
        let retyped = text.replace("application/x", "application/y");
        assert!(matches!(
            open::<Vec<u8>>("application/y", retyped.as_bytes(), &[own.public()]),
            Err(EnvelopeError::Signature(_))
        ));
        let bare = format!(
            "{{\"payloadType\":\"application/x\",\"payload\":\"{}\",\"signatures\":[]}}",
            STANDARD.encode("[1]")
        );
        let refused = open::<Vec<u8>>("application/x", bare.as_bytes(), &[own.public()]).unwrap_err();
        assert_eq!(refused.to_string(), "none of the keys that are trusted here signed it; it names none");
    }
}
