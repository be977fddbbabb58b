//! Egypt: national number (Civil Status Organization).
//!
//! Looks for: century, date of birth, governorate. Misses: the check digit, whose rule is not published. Example:
//! `29001010112345`.

use super::numerals::{digits, is_short_date, pair};

/// Fourteen digits: century, date of birth, governorate, serial, check digit.
pub(super) fn is_id(text: &str) -> bool {
    digits::<14>(text).is_some_and(|d| {
        matches!(d[0], 2 | 3)
            && is_short_date(pair(d[1], d[2]), pair(d[3], d[4]), pair(d[5], d[6]))
            && matches!(pair(d[7], d[8]), 1..=4 | 11..=19 | 21..=29 | 31..=35 | 88)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_governorate_must_exist() {
        judge(
            super::is_id,
            &["29001010112345", "30105150112345"],
            &["29013010112345", "29001010912345", "19001010112345"],
        );
    }
}
