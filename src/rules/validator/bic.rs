//! Business identifier codes, "SWIFT codes" (ISO 9362).
//!
//! Looks for: eight or eleven letters and digits with a country of ISO 3166 at the fifth place. Misses: nothing. Many words
//! of eight letters pass: use it with words around it. Example: `DEUTDEFF500`.

use super::country::COUNTRIES;

/// True for a code that names a country.
pub(super) fn is_valid(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    let [_, _, _, _, a, b, rest @ ..] = bytes else { return false };
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    matches!(rest.len(), 2 | 5)
        && bytes.iter().all(u8::is_ascii_alphanumeric)
        && bytes.iter().take(4).all(u8::is_ascii_alphabetic)
        && COUNTRIES.binary_search(&&country).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn the_country_must_exist() {
        for good in ["DEUTDEFF", "DEUTDEFF500", "NEDSZAJJXXX", "chasus33"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["DEUTZZFF", "DEUTDEFF5", "D3UTDEFF", "", "DEUTDEÉ"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
