//! South Africa: identity number (Department of Home Affairs).
//!
//! Looks for: date of birth, citizenship, Luhn's check digit. Misses: nothing known. Example: `7503305044089`.

use super::numerals::{digits, is_short_date, luhn, pair};

/// Thirteen digits: date of birth, serial, citizen or resident, a digit no longer used, check digit.
pub(super) fn is_id(text: &str) -> bool {
    digits::<13>(text)
        .is_some_and(|d| is_short_date(pair(d[0], d[1]), pair(d[2], d[3]), pair(d[4], d[5])) && d[10] <= 2 && luhn(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digit_must_fit() {
        judge(
            super::is_id,
            &["7503305044089", "800101 5009 087"],
            &["7503305044088", "8001015009088", "7513305044089"],
        );
    }
}
