//! Secret keys in files: read with a look at who else may read them, and made where there is none.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::AuditError;

/// Reads a key's file. `harm` says what whoever has the key can do.
///
/// # Errors
/// A file that cannot be read, or that others may read.
pub(super) fn read(path: &Path, harm: &str) -> Result<Zeroizing<Vec<u8>>, AuditError> {
    let failed = |why: String| AuditError::Key { path: path.to_owned(), why };
    let mode = fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(failed(format!("others may read it: {harm}; chmod 600 or 640 it")));
    }
    fs::read(path).map(Zeroizing::new).map_err(|error| failed(error.to_string()))
}

/// Makes a file with 32 random bytes in base64, unless it is there.
///
/// # Errors
/// The disk's.
pub(super) fn make(path: &Path) -> Result<(), AuditError> {
    if path.exists() {
        return Ok(());
    }
    let failed = |error: io::Error| AuditError::Key { path: path.to_owned(), why: error.to_string() };
    let mut secret = Zeroizing::new([0u8; SECRET_BYTES]);
    getrandom::fill(secret.as_mut()).map_err(|error| failed(io::Error::other(error)))?;
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(secret.as_ref())));
    // Never half a key: a crash leaves none, and the next start makes another.
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)
}

/// 32 bytes as they are, in base64 or in hex; `None` for anything else.
pub(super) fn secret(bytes: &[u8]) -> Option<Zeroizing<[u8; SECRET_BYTES]>> {
    let raw = |bytes: &[u8]| bytes.try_into().ok().map(Zeroizing::new);
    if bytes.len() == SECRET_BYTES {
        return raw(bytes);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    if text.len() == 2 * SECRET_BYTES {
        let mut key = Zeroizing::new([0; SECRET_BYTES]);
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        return Some(key);
    }
    raw(&Zeroizing::new(STANDARD.decode(text).ok()?))
}

/// Bytes of a secret key.
pub(super) const SECRET_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_bytes_base64_or_hex() {
        let key = [0xA5; SECRET_BYTES];
        let hex: String = key.iter().map(|byte| format!("{byte:02X}")).collect();
        for written in
            [key.to_vec(), format!("{}\n", STANDARD.encode(key)).into_bytes(), format!(" {hex}\n").into_bytes()]
        {
            assert_eq!(*secret(&written).unwrap(), key);
        }
        let long = "+a".repeat(SECRET_BYTES);
        for other in [b"".as_slice(), b"short", &key[1..], long.as_bytes(), STANDARD.encode([0; 31]).as_bytes()] {
            assert!(secret(other).is_none(), "{other:?}");
        }
    }
}
