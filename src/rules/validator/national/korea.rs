//! Korea: resident and business registration numbers (MOIS, NTS).
//!
//! Looks for: date of birth, sex and century (residents; since October 2020 the rest is random); the check digit (firms).
//! Misses: nothing known. Examples: `971013-9019902`, `116-82-00276`.

use super::numerals::{digits, is_date, is_varied, number, pair, weighted};

/// Thirteen digits: date of birth, sex and century, six more.
pub(super) fn is_rrn(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let century = match d[6] {
            1 | 2 | 5 | 6 => 1900,
            3 | 4 | 7 | 8 => 2000,
            _ => 1800,
        };
        is_varied(&d[6..]) && is_date(century + pair(d[0], d[1]), pair(d[2], d[3]), pair(d[4], d[5]))
    })
}

/// Ten digits, the last of which checks the others.
pub(super) fn is_brn(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let sum = weighted(&d, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + u32::from(d[8]) * 5 / 10;
        number(&d[..3]) > 100 && is_varied(&d) && (10 - sum % 10) % 10 == u32::from(d[9])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn residents_have_a_date() {
        judge(
            super::is_rrn,
            &["971013-9019902", "850215-1234567"],
            &["971313-9019902", "010229-1234567", "850215-1111111"],
        );
    }

    #[test]
    fn firms_have_a_check_digit() {
        judge(super::is_brn, &["116-82-00276", "1168200276"], &["116-82-00277"]);
    }
}
