//! Peru: taxpayer number (SUNAT).
//!
//! Looks for: the kinds that are given out and the check digit modulo 11. Misses: nothing known. Example: `20512333797`.

use super::numerals::{digits, pair, weighted};

/// Eleven digits that begin with 10, 15, 16, 17 or 20.
pub(super) fn is_ruc(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        matches!(pair(d[0], d[1]), 10 | 15 | 16 | 17 | 20)
            && (11 - weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10 == u32::from(d[10])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn kind_and_check_digit_must_fit() {
        judge(super::is_ruc, &["20512333797", "20100070970"], &["20512333798", "30512333797"]);
    }
}
