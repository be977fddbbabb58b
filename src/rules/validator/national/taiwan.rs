//! Taiwan: identity card and resident certificate (NIA).
//!
//! Looks for: the check digit, with the letter of the place counted as two. Misses: resident certificates with two letters.
//! Example: `A123456789`.

use super::numerals::{alphanumerics, is_varied, values, weighted};

/// A letter and nine digits.
pub(super) fn is_id(text: &str) -> bool {
    /// Codes from 10 on, in this order.
    const PLACES: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some([letter, number @ ..]) = alphanumerics::<10>(text) else { return false };
    let Some((_, place)) = PLACES.iter().zip(10..).find(|(place, _)| **place == letter) else { return false };
    values::<9>(&number).is_some_and(|d| {
        let sum: u32 = place / 10 + place % 10 * 9 + weighted(&d, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
        matches!(d[0], 1 | 2 | 8 | 9) && is_varied(&d) && sum.is_multiple_of(10)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_id, &["A123456789", "a800000014"], &["A123456780", "A323456789"]);
    }
}
