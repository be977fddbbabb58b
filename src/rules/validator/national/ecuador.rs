//! Ecuador: identity card (Registro Civil).
//!
//! Looks for: province, kind, Luhn's check digit. Misses: nothing known. Example: `171430710-3`.

use super::numerals::{digits, luhn, pair};

/// Ten digits: province, kind, serial, check digit.
pub(super) fn is_ci(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| matches!(pair(d[0], d[1]), 1..=24 | 30 | 50) && d[2] <= 6 && luhn(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn province_and_check_digit_must_fit() {
        judge(super::is_ci, &["171430710-3", "0926687856"], &["1714307104", "2614307103"]);
    }
}
