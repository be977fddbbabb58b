//! Bech32 and Bech32m (BIP 173, BIP 350): six characters close an address.
//!
//! Looks for: a prefix, `1`, a part in the alphabet whose checksum fits, in one case. Misses: nothing. Example:
//! `bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq`.

/// True for a text whose checksum fits in either variant.
pub(super) fn is_valid(text: &str) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let mixed =
        text.bytes().any(|byte| byte.is_ascii_uppercase()) && text.bytes().any(|byte| byte.is_ascii_lowercase());
    if mixed || !text.is_ascii() || text.len() > 120 {
        return false;
    }
    let text = text.to_ascii_lowercase();
    let Some((prefix, data)) = text.rsplit_once('1').filter(|(prefix, data)| !prefix.is_empty() && data.len() >= 6)
    else {
        return false;
    };
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    let mut check = high.chain([0]).chain(low).fold(1, step);
    for byte in data.bytes() {
        let Some(value) = (0..).zip(ALPHABET).find(|(_, letter)| **letter == byte) else { return false };
        check = step(check, value.0);
    }
    matches!(check, 1 | 0x2bc8_30a3)
}

/// One value into the checksum.
fn step(check: u32, value: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = check >> 25;
    let shifted = (check & 0x1ff_ffff) << 5 ^ u32::from(value);
    (0..).zip(GENERATOR).filter(|(bit, _)| top >> bit & 1 == 1).fold(shifted, |sum, (_, part)| sum ^ part)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn addresses_of_both_proposals_pass_and_changed_ones_fail() {
        for good in [
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdr",
            "bc1Qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "bc1",
            "",
            "bc1é",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
