//! Bech32 and Bech32m (BIP-173, BIP-350): the form of wallet addresses, age identities, Nostr's `nsec1…` and Cardano's
//! signing keys.
//!
//! Looks for: a prefix, `1`, and a data part whose last six characters are the right checksum; all upper or all lower
//! case. Longer than BIP-173's 90 characters is allowed, as age and Cardano do. One invented text in a
//! thousand million passes. Example: `AGE-SECRET-KEY-1` and 58 characters.

const SYMBOLS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_SYMBOLS: usize = 6;
const BYTES_MAX: usize = 512;

/// True when the checksum fits.
pub(super) fn is_valid(text: &str) -> bool {
    let mixed = text.bytes().any(|b| b.is_ascii_lowercase()) && text.bytes().any(|b| b.is_ascii_uppercase());
    let Some((prefix, data)) = text.rsplit_once('1') else { return false };
    if mixed || prefix.is_empty() || data.len() < CHECKSUM_SYMBOLS || text.len() > BYTES_MAX {
        return false;
    }
    let prefix = || prefix.bytes().map(|b| b.to_ascii_lowercase());
    let mut sum = 1;
    for value in prefix().map(|b| b >> 5).chain([0]).chain(prefix().map(|b| b & 31)) {
        sum = step(sum, value);
    }
    for symbol in data.bytes().map(|b| b.to_ascii_lowercase()) {
        let Some(value) = SYMBOLS.iter().position(|known| *known == symbol) else { return false };
        sum = step(sum, value as u8);
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}

/// One symbol of the BCH code of BIP-173.
fn step(sum: u32, value: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
    GENERATOR.iter().enumerate().fold(next, |sum, (bit, part)| if top >> bit & 1 == 1 { sum ^ part } else { sum })
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn published_vectors() {
        for good in [
            // BIP-173.
            "A12UEL5L",
            "a12uel5l",
            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            // BIP-350.
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "A1LQFN3A",
            // NIP-19.
            concat!("nse", "c1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"),
            // age's documentation, `age-keygen`.
            concat!("AGE-SECRET-K", "EY-184JMZMVQH3E6U0PSL869004Y3U2NYV7R30EU99CSEDNPH02YUVFSZW44VU"),
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in
            ["A12UEL5M", "A12uel5l", "split1cheo2y9e2w", "1nwldj5", "li1dgmt3", "pzry9x0s0muk", "", "x1é234567", "1"]
        {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
