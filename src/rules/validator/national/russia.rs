//! Russia: taxpayer and insurance account numbers (FNS, SFR).
//!
//! Looks for: one check digit (firms) or two (persons) modulo 11; two check digits modulo 101. Misses: insurance numbers up
//! to 001-001-998, which have none. Examples: `500100732259`, `112-233-445 95`.

use super::numerals::{digits, is_varied, pair, weighted};

/// Ten digits (firms) or twelve (persons).
pub(super) fn is_inn(text: &str) -> bool {
    let check = |d: &[u8], weights: &[u32]| weighted(d, weights) % 11 % 10;
    digits::<10>(text).is_some_and(|d| is_varied(&d) && check(&d, &[2, 4, 10, 3, 5, 9, 4, 6, 8]) == u32::from(d[9]))
        || digits::<12>(text).is_some_and(|d| {
            is_varied(&d)
                && check(&d, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == u32::from(d[10])
                && check(&d, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == u32::from(d[11])
        })
}

/// Nine digits and two that check them.
pub(super) fn is_snils(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let check = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
        is_varied(&d) && check == pair(d[9], d[10])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn taxpayers_have_one_or_two_check_digits() {
        judge(super::is_inn, &["500100732259", "7707083893"], &["500100732258", "7707083894"]);
    }

    #[test]
    fn accounts_have_two_check_digits() {
        judge(super::is_snils, &["112-233-445 95", "087-654-303 00"], &["112-233-445 96"]);
    }
}
