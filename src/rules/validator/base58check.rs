//! Base58Check, the form of Bitcoin's keys and of those that followed it (Bitcoin wiki, "Base58Check encoding"; BIP-32,
//! BIP-38): base 58, the last four bytes are the beginning of the double SHA-256 of the rest.
//!
//! Looks for: 5 to 110 bytes with the right checksum. Misses: other alphabets (Ripple), other checksums. One invented
//! text in four thousand million passes. Example: a private key in wallet import format.

use sha2::{Digest, Sha256};

/// Longest decoded form: an extended key has 82 bytes, a Tezos key 72.
const BYTES_MAX: usize = 110;
const CHECKSUM_BYTES: usize = 4;

/// True when the checksum fits.
pub(super) fn is_valid(text: &str) -> bool {
    let mut buffer = [0u8; BYTES_MAX];
    let Some(bytes) = decode(text, &mut buffer) else { return false };
    let Some(at) = bytes.len().checked_sub(CHECKSUM_BYTES).filter(|at| *at > 0) else { return false };
    let (payload, checksum) = bytes.split_at(at);
    Sha256::digest(Sha256::digest(payload)).starts_with(checksum)
}

/// Big-endian bytes of a base-58 number; quadratic, so the length is bounded.
fn decode<'b>(text: &str, buffer: &'b mut [u8; BYTES_MAX]) -> Option<&'b [u8]> {
    // The number grows from the end of the buffer to its front.
    let mut start = BYTES_MAX;
    for symbol in text.bytes() {
        let mut carry = u32::from(value(symbol)?);
        for byte in buffer[start..].iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xFF) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            start = start.checked_sub(1)?;
            buffer[start] = (carry & 0xFF) as u8;
            carry >>= 8;
        }
    }
    let zeros = text.bytes().take_while(|symbol| *symbol == b'1').count();
    start.checked_sub(zeros).map(|start| &buffer[start..])
}

/// The alphabet leaves out `0`, `O`, `I` and `l`.
fn value(symbol: u8) -> Option<u8> {
    match symbol {
        b'1'..=b'9' => Some(symbol - b'1'),
        b'A'..=b'H' => Some(symbol - b'A' + 9),
        b'J'..=b'N' => Some(symbol - b'J' + 17),
        b'P'..=b'Z' => Some(symbol - b'P' + 22),
        b'a'..=b'k' => Some(symbol - b'a' + 33),
        b'm'..=b'z' => Some(symbol - b'm' + 44),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn published_vectors_pass() {
        for good in [
            // Bitcoin wiki, "Wallet import format".
            "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
            // BIP-38, test vector 1, plain and encrypted.
            "5KN7MzqK5wt2TP1fQCYyHBtDrXdJuXbUzm4A9rKAteGu3Qi5CVR",
            "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg",
            // BIP-32, test vector 1, chain m.
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
            // The first block's address: leading zero byte.
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        ] {
            assert!(is_valid(good), "{good}");
        }
    }

    #[test]
    fn changes_and_other_texts_fail() {
        let long = "5".repeat(10_000);
        let ones = "1".repeat(10_000);
        for bad in [
            "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK",
            "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyT0",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "",
            "1",
            "1111",
            "é",
            &long,
            &ones,
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
