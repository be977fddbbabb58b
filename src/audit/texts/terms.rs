//! Words that a recorded text can be found by: hashes under a key, which tell whoever reads the store which texts share a word,
//! and not the word.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The hashes of all words of some texts, each once, sorted.
pub(super) fn hashes<'a>(key: &[u8; 32], texts: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let mut words = BTreeSet::new();
    for text in texts {
        add_words(text, &mut words);
    }
    let hashes: BTreeSet<i64> = words.iter().filter_map(|word| hash(key, word)).collect();
    hashes.into_iter().collect()
}

/// Words are runs of letters and digits, in lower case. Scripts that put no blanks between words are taken two characters at a
/// time, so that any part of a sentence finds it.
fn add_words(text: &str, words: &mut BTreeSet<String>) {
    for run in text.split(|c: char| !c.is_alphanumeric()) {
        let lower: Vec<char> = run.chars().flat_map(char::to_lowercase).take(WORD_CHARS_MAX).collect();
        if lower.len() < WORD_CHARS_MIN || words.len() >= WORDS_MAX {
            continue;
        }
        if lower.iter().copied().any(is_without_blanks) {
            words.extend(lower.windows(2).map(|pair| pair.iter().collect()));
        } else {
            words.insert(lower.into_iter().collect());
        }
    }
}

/// Chinese and Japanese characters, Thai, Lao, Khmer and Myanmar.
fn is_without_blanks(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

fn hash(key: &[u8; 32], word: &str) -> Option<i64> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(word.as_bytes());
    mac.finalize().into_bytes().first_chunk().map(|first| i64::from_le_bytes(*first))
}

/// Shortest and longest word, in characters; of a longer one its beginning counts.
const WORD_CHARS_MIN: usize = 2;
const WORD_CHARS_MAX: usize = 256;
/// Words of one text, about: what comes later is not found.
const WORDS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = BTreeSet::new();
        add_words(text, &mut words);
        words.into_iter().collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(words("Ünter-Suchung 42, a B2! \u{202e}ab"), ["42", "ab", "b2", "suchung", "ünter"]);
        assert_eq!(words("忽略之前"), ["之前", "忽略", "略之"]);
        assert_eq!(words("... — !"), Vec::<String>::new());
    }

    #[test]
    fn a_text_has_a_bounded_number_of_words() {
        let many: String = (0..WORDS_MAX + 10).map(|number| format!("w{number} ")).collect();
        assert_eq!(words(&many).len(), WORDS_MAX);
        assert_eq!(words(&"x".repeat(WORD_CHARS_MAX + 1))[0].len(), WORD_CHARS_MAX);
    }

    #[test]
    fn a_hash_is_of_word_and_key() {
        let of = |key: u8, text| hashes(&[key; 32], [text].into_iter());
        assert_eq!(of(1, "plan"), of(1, "Plan. PLAN"));
        assert_ne!(of(1, "plan"), of(2, "plan"));
        assert_eq!(of(1, "one two three").len(), 3);
    }
}
