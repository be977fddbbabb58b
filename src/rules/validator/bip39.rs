//! Recovery phrases of wallets (BIP-39, English words).
//!
//! Looks for: 12, 15, 18, 21 or 24 words of the list, spaces, line breaks, commas or numbers between them, whose checksum
//! fits (a part of the SHA-256 of the entropy). Misses: other languages, phrases with a word left out. Of twelve words
//! taken from the list by chance one phrase in 16 passes, of 24 words one in 256. Example: BIP-39's test vectors.
//!
//! The words are those of BIP-39 as python-mnemonic (MIT licence) ships them; words are told apart by their first four
//! letters, as the standard guarantees, but must stand in full.

use sha2::{Digest, Sha256};

/// 2048 words in order, one per line.
const WORDS: &str = include_str!("bip39_english.txt");
const WORDS_MIN: usize = 12;
const WORDS_MAX: usize = 24;
/// Bits of one word.
const WORD_BITS: usize = 11;
/// 24 words are 264 bits.
const BYTES_MAX: usize = WORDS_MAX * WORD_BITS / 8;

/// True when words and checksum fit.
pub(super) fn is_valid(text: &str) -> bool {
    let mut bytes = [0u8; BYTES_MAX];
    let mut count = 0;
    for word in text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        if count == WORDS_MAX {
            return false;
        }
        let Some(index) = index(word) else { return false };
        for bit in 0..WORD_BITS {
            if index >> (WORD_BITS - 1 - bit) & 1 == 1 {
                let at = count * WORD_BITS + bit;
                bytes[at / 8] |= 0x80 >> (at % 8);
            }
        }
        count += 1;
    }
    if count < WORDS_MIN || !count.is_multiple_of(3) {
        return false;
    }
    // Three words are 33 bits: 32 of entropy, one of checksum.
    let entropy_bytes = count / 3 * 4;
    let checksum_bits = count / 3;
    let Some((entropy, checksum)) = bytes.split_at_checked(entropy_bytes) else { return false };
    let expected = Sha256::digest(entropy);
    let mask = 0xFFu8.checked_shl(u32::try_from(8 - checksum_bits.min(8)).unwrap_or(0)).unwrap_or(0xFF);
    checksum.first().is_some_and(|byte| (byte ^ expected[0]) & mask == 0)
}

/// Place of a word in the list, case ignored. The list is in order.
fn index(word: &str) -> Option<usize> {
    use std::sync::LazyLock;
    static LIST: LazyLock<Vec<&'static str>> = LazyLock::new(|| WORDS.lines().collect());
    let lower = word.to_ascii_lowercase();
    LIST.binary_search(&lower.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use super::{WORDS, is_valid};

    #[test]
    fn the_list_is_the_standards() {
        assert_eq!(WORDS.lines().count(), 2048);
        assert!(WORDS.lines().is_sorted());
    }

    #[test]
    fn published_vectors_pass() {
        for good in [
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "Legal, Winner, thank, year, wave, sausage, worth, useful, legal, winner, thank, yellow",
            "1. legal 2. winner 3. thank 4. year 5. wave 6. sausage 7. worth 8. useful 9. legal 10. winner 11. thank 12. yellow",
            "gravity machine north sort system female filter attitude volume fold club stay feature office ecology stable \
             narrow fog",
            "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group \
             space point ten exist slush involve unfold",
        ] {
            assert!(is_valid(good), "{good}");
        }
    }

    #[test]
    fn wrong_words_counts_and_checksums_fail() {
        let long = "zoo ".repeat(1000);
        for bad in [
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon",
            "legal winner thank year wave sausage worth useful legal winner thank",
            "legal winner thank year wave sausage worth useful legal winner thank portcullis",
            "",
            &long,
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
