//! Dominican Republic: identity and electoral card (JCE).
//!
//! Looks for: Luhn's check digit. Misses: some thousands of cards that were given out without a correct one. Example:
//! `001-1391820-5`.

use super::numerals::{digits, luhn};

/// Eleven digits, the last of which checks the others.
pub(super) fn is_cedula(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| luhn(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_cedula, &["001-1391820-5", "22400022111"], &["001-1391820-6"]);
    }
}
