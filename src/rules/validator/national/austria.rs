//! Austria: social insurance number (Dachverband der Sozialversicherungsträger).
//!
//! Looks for: the check digit at the fourth place and a date of birth. Misses: nothing known; months 13 to 15 are given to
//! persons whose dates are all taken. Example: `1237 010180`.

use super::numerals::{digits, is_short_date, pair, weighted};

/// Ten digits: serial, check digit, date of birth.
pub(super) fn is_svnr(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let month = pair(d[6], d[7]);
        let month = if (13..=15).contains(&month) { 1 } else { month };
        d[0] != 0
            && is_short_date(pair(d[8], d[9]), month, pair(d[4], d[5]))
            && weighted(&d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == u32::from(d[3])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_svnr, &["1237 010180"], &["2237 010180", "1237 013280"]);
    }
}
