//! The citizen number of Yugoslavia, still given out in Bosnia, Montenegro, North Macedonia, Serbia and Slovenia.
//!
//! Looks for: date of birth, region, check digit modulo 11. Misses: nothing known. Example: `0101006500006`.

use super::numerals::{digits, is_date, pair, weighted};

/// Thirteen digits: day, month, three digits of the year, region, serial, check digit.
pub(super) fn is_jmbg(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let check = 11 - weighted(&d, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        let year = u32::from(d[4]) * 100 + pair(d[5], d[6]);
        let year = if year >= 850 { 1000 + year } else { 2000 + year };
        year < 2100
            && is_date(year, pair(d[2], d[3]), pair(d[0], d[1]))
            && (if check >= 10 { 0 } else { check }) == u32::from(d[12])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digit_must_fit() {
        judge(super::is_jmbg, &["0101006500006", "0112976330008"], &["0101006500007", "0113006500006"]);
    }
}
