//! Argentina: tax or labour number and uniform bank key (ARCA, BCRA).
//!
//! Looks for: the kinds that are given out and the check digit modulo 11; two check digits (bank key). Misses: nothing known.
//! Examples: `20-05536168-2`, `28505909 40090418135201`.

use super::numerals::{digits, is_varied, pair, weighted};

/// Eleven digits: kind, document, check digit.
pub(super) fn is_cuit(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let check = match 11 - weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
            11 => 0,
            10 => 9,
            check => check,
        };
        matches!(pair(d[0], d[1]), 20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55) && check == u32::from(d[10])
    })
}

/// Twenty-two digits: bank and branch with a check digit, account with another.
pub(super) fn is_cbu(text: &str) -> bool {
    digits::<22>(text).is_some_and(|d| {
        let check = |digits: &[u8], weights: &[u32]| (10 - weighted(digits, weights) % 10) % 10;
        is_varied(&d)
            && check(&d, &[7, 1, 3, 9, 7, 1, 3]) == u32::from(d[7])
            && check(&d[8..], &[3, 9, 7, 1, 3, 9, 7, 1, 3, 9, 7, 1, 3]) == u32::from(d[21])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn taxpayers_have_a_check_digit() {
        judge(super::is_cuit, &["20-05536168-2", "20267565393"], &["20267565392", "21267565393"]);
    }

    #[test]
    fn accounts_have_two() {
        judge(super::is_cbu, &["2850590940090418135201"], &["2850590940090418135202", "2850590840090418135201"]);
    }
}
