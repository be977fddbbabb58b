//! Base58Check (Bitcoin and its relatives): four bytes of a double SHA-256 close an address.
//!
//! Looks for: 25 to 112 characters of the alphabet whose checksum fits. Misses: addresses of other systems (Monero, Solana,
//! XRP's own alphabet). Chance passes one in four thousand million. Example: `1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2`.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// True for a payload whose checksum fits.
pub(super) fn is_valid(text: &str) -> bool {
    /// More than any address has; bounds the work, which grows with the square.
    const BYTES: usize = 84;
    if !(25..=112).contains(&text.len()) {
        return false;
    }
    // Little end first.
    let mut bytes: Vec<u8> = Vec::with_capacity(BYTES);
    for character in text.bytes() {
        let Some(digit) = ALPHABET.iter().position(|letter| *letter == character) else { return false };
        let mut carry = digit;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry % 256).unwrap_or(0);
            carry /= 256;
        }
        while carry > 0 {
            bytes.push(u8::try_from(carry % 256).unwrap_or(0));
            carry /= 256;
        }
    }
    // A leading `1` is a byte of zero.
    bytes.extend(text.bytes().take_while(|byte| *byte == b'1').map(|_| 0));
    bytes.reverse();
    let Some((payload, checksum)) = bytes.split_last_chunk::<4>() else { return false };
    Sha256::digest(Sha256::digest(payload)).starts_with(checksum)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn published_addresses_pass_and_changed_ones_fail() {
        for good in [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "16UwLL9Risc3QfPqBUvKofHmBQ7wMtjvM",
        ] {
            assert!(is_valid(good), "{good}");
        }
        let long = "1".repeat(5000);
        for bad in ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNL0", "", &long] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
