//! Kuwait: civil number (PACI).
//!
//! Looks for: a date of birth behind the digit of the century, the check digit modulo 11. Misses: nothing known.

use super::numerals::{digits, is_short_date, pair, weighted};

/// Twelve digits: century, date of birth, serial, check digit.
pub(super) fn is_id(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let check = 11 - weighted(&d, &[2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
        matches!(d[0], 1..=3)
            && is_short_date(pair(d[1], d[2]), pair(d[3], d[4]), pair(d[5], d[6]))
            && check == u32::from(d[11])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digit_must_fit() {
        judge(super::is_id, &["285010100015"], &["285130100015"]);
    }
}
