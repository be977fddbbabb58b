//! Indonesia: population and tax numbers (Dukcapil, DJP).
//!
//! Looks for: province and date of birth (women's days are raised by 40); Luhn's check digit in the ninth place (tax). Misses:
//! tax numbers of sixteen digits, which are population numbers. Examples: `3171011708450001`, `01.312.166.0-091.000`.

use super::numerals::{digits, is_short_date, luhn, pair};

/// Sixteen digits: province, regency, district, date of birth, serial.
pub(super) fn is_nik(text: &str) -> bool {
    digits::<16>(text).is_some_and(|d| {
        let day = pair(d[6], d[7]);
        let day = if day > 40 { day - 40 } else { day };
        matches!(pair(d[0], d[1]), 11..=21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97)
            && pair(d[2], d[3]) > 0
            && is_short_date(pair(d[10], d[11]), pair(d[8], d[9]), day)
            && d[12..] != [0; 4]
    })
}

/// Fifteen digits, the ninth of which checks the first eight.
pub(super) fn is_npwp(text: &str) -> bool {
    digits::<15>(text).is_some_and(|d| luhn(&d[..9]))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn province_and_date_must_exist() {
        judge(
            super::is_nik,
            &["3171011708450001", "3171015708450001"],
            &["9971011708450001", "3171013208450001", "3171011708450000"],
        );
    }

    #[test]
    fn taxpayers_have_a_check_digit() {
        judge(super::is_npwp, &["01.312.166.0-091.000"], &["01.312.166.1-091.000"]);
    }
}
