//! Romania: personal numeric code (Ministerul Afacerilor Interne).
//!
//! Looks for: sex and century, date of birth, county, check digit. Misses: nothing known. Example: `1630615123457`.

use super::numerals::{digits, is_short_date, pair, weighted};

/// Thirteen digits with a date, a county and a check digit modulo 11.
pub(super) fn is_cnp(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let rest = weighted(&d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        d[0] != 0
            && is_short_date(pair(d[1], d[2]), pair(d[3], d[4]), pair(d[5], d[6]))
            && matches!(pair(d[7], d[8]), 1..=48 | 51 | 52 | 70 | 80..=83)
            && (if rest == 10 { 1 } else { rest }) == u32::from(d[12])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_county_and_check_digit_must_fit() {
        judge(super::is_cnp, &["1630615123457"], &["1630615123458", "1631315123457", "8800101221145"]);
    }
}
