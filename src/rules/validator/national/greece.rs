//! Greece: tax and social security numbers (AADE, IDIKA).
//!
//! Looks for: powers of two modulo 11 (AFM), date of birth and Luhn's check digit (AMKA). Misses: nothing known. Examples:
//! `094259216`, `01013099997`.

use super::numerals::{digits, is_short_date, is_varied, luhn, pair, weighted};

/// Nine digits, weighted with powers of two.
pub(super) fn is_afm(text: &str) -> bool {
    digits::<9>(text)
        .is_some_and(|d| is_varied(&d) && weighted(&d, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == u32::from(d[8]))
}

/// Eleven digits: date of birth, serial, check digit.
pub(super) fn is_amka(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| is_short_date(pair(d[4], d[5]), pair(d[2], d[3]), pair(d[0], d[1])) && luhn(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn taxpayers_have_a_check_digit() {
        judge(super::is_afm, &["094259216", "023456780"], &["094259215"]);
    }

    #[test]
    fn social_security_holds_a_date() {
        judge(super::is_amka, &["01013099997"], &["01013099999", "01133099997"]);
    }
}
