//! Which decoded text somebody could have meant, for encodings that ordinary numbers and signs look like.

use crate::text::pairs::{Cost, RANDOM, cost, letter};
use crate::text::words;

/// Letters of a text that is believed without known words.
const UNKNOWN_LETTERS_MIN: usize = 16;
/// Letters of the shortest text.
const LETTERS_MIN: usize = 5;
/// Letters and digits without blanks that may be base64 or the like.
const ENCODED_MIN: usize = 24;
/// Signs of escapes in a text that may be escaped.
const ESCAPES_MIN: usize = 6;
/// Bytes by which a text is judged.
const SAMPLE: usize = 1024;

/// True for text with known words, with usual pairs of letters, in another script, or itself encoded.
pub(super) fn is_believable(text: &str) -> bool {
    let sample = text.as_bytes().get(..SAMPLE).unwrap_or(text.as_bytes());
    let (known, letters) = words::known_letters(sample);
    let enough = if letters >= UNKNOWN_LETTERS_MIN { known * 3 >= letters } else { known * 2 >= letters };
    if letters >= LETTERS_MIN && enough && letters * 2 >= sample.len() {
        return true;
    }
    let others = text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()).count();
    if others >= LETTERS_MIN && others * 2 >= text.chars().count() {
        return true;
    }
    if sample.iter().filter(|byte| matches!(byte, b'%' | b'\\' | b'&' | b'=')).count() >= ESCAPES_MIN {
        return true;
    }
    let all = |test: fn(&u8) -> bool| sample.iter().all(test);
    let any = |test: fn(&u8) -> bool| sample.iter().any(test);
    if sample.len() >= ENCODED_MIN && all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b',')) {
        return any(u8::is_ascii_digit);
    }
    if sample.len() >= ENCODED_MIN && all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')) {
        let is_hex = all(u8::is_ascii_hexdigit) && any(u8::is_ascii_digit) && any(u8::is_ascii_alphabetic);
        return is_hex || any(u8::is_ascii_uppercase) && any(u8::is_ascii_lowercase);
    }
    let numbers: Vec<usize> = sample.iter().map(|byte| letter(*byte)).collect();
    let pairs = || numbers.windows(2).filter(|pair| *pair != [0, 0]);
    let costs: Cost = pairs().map(|pair| if let [a, b] = pair { cost(*a, *b) } else { 0 }).sum();
    let count = pairs().fold(0, |count, _| count + 1);
    letters >= UNKNOWN_LETTERS_MIN && letters * 4 >= sample.len() * 3 && costs * 4 < RANDOM * 3 * count
}
