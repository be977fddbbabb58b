//! Thailand: identity number (DOPA).
//!
//! Looks for: the check digit modulo 11. Misses: nothing known. Example: `7-1001-00445-63-9`.

use super::numerals::{digits, is_varied, weighted};

/// Thirteen digits, the last of which checks the others.
pub(super) fn is_id(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let rest = weighted(&d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        matches!(d[0], 1..=8) && is_varied(&d) && (11 - rest) % 10 == u32::from(d[12])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_id, &["7-1001-00445-63-9", "1-2345-45678-78-1"], &["7-1001-00445-63-4"]);
    }
}
