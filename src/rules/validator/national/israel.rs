//! Israel: identity number (Population and Immigration Authority).
//!
//! Looks for: nine digits with Luhn's check digit. Misses: numbers written without their leading zeros. Example: `3933742-3`.

use super::numerals::{digits, luhn};

/// Nine digits, the last of which checks the others.
pub(super) fn is_id(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| luhn(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_id, &["03933742-3"], &["03933742-4", "3933742"]);
    }
}
