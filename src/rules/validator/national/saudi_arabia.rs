//! Saudi Arabia: national identity and residence (Iqama) numbers (Absher).
//!
//! Looks for: ten digits that begin with 1 (citizens) or 2 (residents) with Luhn's check digit. Misses: nothing known. Example:
//! `1010101010` has the wrong one, `1101798278` the right one.

use super::numerals::{digits, luhn};

/// Ten digits, the last of which checks the others.
pub(super) fn is_id(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| matches!(d[0], 1 | 2) && luhn(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_id, &["1101798278", "2000000006"], &["1101798279", "3101798274"]);
    }
}
