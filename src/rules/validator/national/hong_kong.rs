//! Hong Kong: identity card (Immigration Department).
//!
//! Looks for: one or two letters, six digits, the check character in brackets. Misses: nothing known. Example: `A123456(3)`.

use super::numerals::{alphanumerics, base36, is_varied, values, weighted};

/// One or two letters, six digits, a check character.
pub(super) fn is_hkid(text: &str) -> bool {
    // A missing first letter counts as 36.
    let (first, rest) = match (alphanumerics::<8>(text), alphanumerics::<9>(text)) {
        (Some(rest), _) => (36, rest),
        (_, Some([first @ b'A'..=b'Z', rest @ ..])) => (base36(first), rest),
        _ => return false,
    };
    let [letter, number @ .., check] = rest;
    values::<6>(&number).is_some_and(|d| {
        let sum = first * 9 + base36(letter) * 8 + weighted(&d, &[7, 6, 5, 4, 3, 2]);
        let expected = match (11 - sum % 11) % 11 {
            10 => b'A',
            digit => b"0123456789"[digit as usize],
        };
        letter.is_ascii_uppercase() && is_varied(&d) && check == expected
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_character_must_fit() {
        judge(super::is_hkid, &["A123456(3)", "AB987654(3)", "G123456(A)"], &["A123456(4)", "1123456(3)"]);
    }
}
