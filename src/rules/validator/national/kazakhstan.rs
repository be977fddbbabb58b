//! Kazakhstan: individual identification number.
//!
//! Looks for: a date of birth and the check digit modulo 11 with second weights. Misses: nothing known. Example: `800101300026`.

use super::numerals::{digits, is_short_date, pair, weighted};

/// Twelve digits that begin with a date of birth.
pub(super) fn is_iin(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let check = match weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11 {
            10 => weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11,
            check => check,
        };
        d[6] <= 8 && is_short_date(pair(d[0], d[1]), pair(d[2], d[3]), pair(d[4], d[5])) && check == u32::from(d[11])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digit_must_fit() {
        judge(super::is_iin, &["800101300026"], &["801301300026", "800101300021"]);
    }
}
