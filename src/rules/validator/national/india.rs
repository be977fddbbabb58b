//! India: Aadhaar and goods and services tax number (UIDAI, GSTN).
//!
//! Looks for: Verhoeff's check digit, first digit 2 to 9 (Aadhaar); state, PAN and check character (GSTIN). Misses: virtual ids
//! of sixteen digits. Examples: `2341 2341 2346`, `27AAPFU0939F1ZV`.

use super::numerals::{alphanumerics, base36, digits, is_varied, pair, values, verhoeff};

/// Twelve digits, the last of which checks the others; one that reads the same backwards is none.
pub(super) fn is_aadhaar(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let mut backwards = d;
        backwards.reverse();
        d[0] >= 2 && is_varied(&d) && backwards != d && verhoeff(&d)
    })
}

/// State, PAN, registration, `Z` or another letter, check character.
pub(super) fn is_gstin(text: &str) -> bool {
    let Some(code) = alphanumerics::<15>(text) else { return false };
    let [body @ .., check] = code;
    let sum: u32 = body
        .iter()
        .zip([1, 2].iter().cycle())
        .map(|(byte, weight)| {
            let product = base36(*byte) * weight;
            product / 36 + product % 36
        })
        .sum();
    let (state, pan) = body.split_at(2);
    let state = values::<2>(state).map(|[a, b]| pair(a, b));
    let pan = pan.get(..10).and_then(|pan| pan.split_last_chunk::<5>());
    matches!(state, Some(1..=38 | 97 | 99))
        && pan.is_some_and(|(letters, [number @ .., last])| {
            letters.iter().all(u8::is_ascii_uppercase)
                && number.iter().all(u8::is_ascii_digit)
                && last.is_ascii_uppercase()
        })
        && base36(check) == (36 - sum % 36) % 36
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn aadhaar_has_a_check_digit() {
        judge(
            super::is_aadhaar,
            &["2341 2341 2346", "499118665246"],
            &["2341 2341 2347", "123456789010", "222222222222"],
        );
    }

    #[test]
    fn gst_numbers_hold_a_pan() {
        judge(
            super::is_gstin,
            &["27AAPFU0939F1ZV", "27aapfu0939f1zv"],
            &["27AAPFU0939F1ZO", "369296450896540", "98AAPFU0939F1ZV"],
        );
    }
}
