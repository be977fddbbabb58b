//! Uruguay: identity card (DNIC).
//!
//! Looks for: the check digit. Misses: numbers written without it. Example: `1.234.567-2`.

use super::numerals::{digits, is_varied, weighted};

/// Eight digits, the last of which checks the others.
pub(super) fn is_ci(text: &str) -> bool {
    digits::<8>(text)
        .is_some_and(|d| is_varied(&d) && (10 - weighted(&d, &[2, 9, 8, 7, 6, 3, 4]) % 10) % 10 == u32::from(d[7]))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_ci, &["1.234.567-2"], &["1.234.567-3"]);
    }
}
