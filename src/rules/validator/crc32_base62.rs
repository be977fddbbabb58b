//! Tokens that end in a checksum of themselves: six base-62 digits of a CRC-32.
//!
//! Sources: GitHub, "Behind GitHub's new authentication token formats" (2021: the last six of the 36 characters are the
//! CRC-32 of the 30 before them); npm uses the same form; Matrix Synapse writes `syt_user_random_checksum` and takes the
//! checksum of everything before its last `_`. Digits: `0-9A-Za-z`, padded with `0` in front.
//!
//! Looks for: a checksum that fits. Misses: tokens that a service makes without one. One invented token in four thousand
//! million passes. Example: `npm_` and 36 characters.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_BYTES: usize = 6;

/// True when the token's last six characters fit what stands before them.
pub(super) fn is_valid(text: &str) -> bool {
    let Some((head, tail)) = text.rsplit_once('_') else { return false };
    let split = if tail.len() == CHECKSUM_BYTES {
        Some((head, tail))
    } else {
        tail.len().checked_sub(CHECKSUM_BYTES).and_then(|at| tail.split_at_checked(at))
    };
    split.is_some_and(|(body, checksum)| {
        !body.is_empty() && checksum.as_bytes() == digits(crc32fast::hash(body.as_bytes()))
    })
}

fn digits(mut number: u32) -> [u8; CHECKSUM_BYTES] {
    let mut digits = [b'0'; CHECKSUM_BYTES];
    for place in digits.iter_mut().rev() {
        *place = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    // Invented; the marks are cut off so that scanners of repositories stay quiet.
    const BODY: &str = "N0tARea1KeyJustAP0rtcu11isRule";

    fn token(mark: &str, checksum: &str) -> String {
        format!("{mark}_{BODY}{checksum}")
    }

    #[test]
    fn the_example_of_the_form_fits_and_a_change_does_not() {
        // Published as dummies in the discussion of the form by secretlint and others.
        assert!(is_valid(concat!("gh", "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17")));
        assert!(is_valid(concat!("np", "m_qkJaB6MffYVzZXWqmcoF49yrUxP3wf0LsakP")));
        assert!(!is_valid(concat!("gh", "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18")));
        assert!(!is_valid(concat!("gh", "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkK0mLq17")));
    }

    #[test]
    fn the_checksum_may_be_a_part_of_its_own() {
        let head = "syt_dXNlcg_NotARealKeyJustATest";
        let checksum = String::from_utf8(super::digits(crc32fast::hash(head.as_bytes())).to_vec()).unwrap();
        assert!(is_valid(&format!("{head}_{checksum}")));
        assert!(!is_valid(&format!("{head}_000000")));
    }

    #[test]
    fn what_is_no_token_fails() {
        for bad in ["", "_", "ghp_", "ghp_short", "nounderscore", "ghp_é23456", "ghp_ééé", "a_123456"] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(!is_valid(&token("ghp", "000000")));
    }
}
