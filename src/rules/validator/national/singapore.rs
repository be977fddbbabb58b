//! Singapore: identity cards and numbers of foreigners (ICA).
//!
//! Looks for: the check letter of the series S, T, F, G and M. Misses: nothing known. Example: `S1234567D`.

use super::numerals::{alphanumerics, is_varied, values, weighted};

/// A letter for the series, seven digits, a check letter.
pub(super) fn is_nric(text: &str) -> bool {
    let Some([series, number @ .., check]) = alphanumerics::<9>(text) else { return false };
    let (offset, letters) = match series {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    values::<7>(&number).is_some_and(|d| {
        let rest = (weighted(&d, &[2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
        is_varied(&d) && letters.get(rest as usize) == Some(&check)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_letter_must_fit() {
        judge(
            super::is_nric,
            &["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M5043078W"],
            &["S1234567A", "A1234567D"],
        );
    }
}
