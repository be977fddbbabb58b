//! Ukraine: taxpayer registration number (State Tax Service).
//!
//! Looks for: the check digit. Misses: persons who refused a number. Example: `1759013776`.

use super::numerals::{digits, is_varied, weighted};

/// Ten digits, the last of which checks the others modulo 11.
pub(super) fn is_rnokpp(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        // The first weight is -1: ten, modulo 11.
        is_varied(&d) && weighted(&d, &[10, 5, 7, 9, 4, 6, 10, 5, 7]) % 11 % 10 == u32::from(d[9])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_rnokpp, &["1759013776"], &["1759013770"]);
    }
}
