//! Hungary: tax, social security and personal numbers (NAV, NEAK, BM).
//!
//! Looks for: check digits modulo 11 and modulo 10, dates of birth. Misses: nothing known. Examples: `8071592153`,
//! `111 111 110`.

use super::numerals::{digits, is_short_date, is_varied, pair, weighted};

/// Ten digits that begin with 8 and are checked modulo 11.
pub(super) fn is_ado(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        d[0] == 8 && is_varied(&d) && weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == u32::from(d[9])
    })
}

/// Nine digits, weighted with 3 and 7.
pub(super) fn is_taj(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| is_varied(&d) && weighted(&d, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == u32::from(d[8]))
}

/// Eleven digits: sex and century, date of birth, serial, check digit; the weights were turned round in 1997.
pub(super) fn is_szemelyi(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let check = |weights: &[u32]| weighted(&d, weights) % 11 == u32::from(d[10]);
        d[0] != 0
            && is_short_date(pair(d[1], d[2]), pair(d[3], d[4]), pair(d[5], d[6]))
            && (check(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) || check(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn taxpayers_begin_with_8() {
        judge(super::is_ado, &["8071592153"], &["8071592152", "7071592153"]);
    }

    #[test]
    fn social_security_has_a_check_digit() {
        judge(super::is_taj, &["111111110", "123456788"], &["123456789"]);
    }

    #[test]
    fn persons_have_a_date() {
        judge(super::is_szemelyi, &["1 810914 1231"], &["1 811314 1231", "1 810914 1237"]);
    }
}
