//! Estonia, Latvia, Lithuania: personal codes.
//!
//! Looks for: sex and century, date of birth, check digit modulo 11 with second weights (Estonia, Lithuania); date and check
//! digit (Latvia). Misses: Latvian codes given out since 2017, which hold nothing to check. Examples: `36805280109`,
//! `33309240064`, `161175-19997`.

use super::numerals::{digits, is_short_date, pair, weighted};

/// Eleven digits as Estonia and Lithuania form them.
pub(super) fn is_code(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let check = match weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
            10 => weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
            check => check,
        };
        matches!(d[0], 1..=8)
            && is_short_date(pair(d[1], d[2]), pair(d[3], d[4]), pair(d[5], d[6]))
            && check == u32::from(d[10])
    })
}

/// Eleven digits as Latvia formed them until 2017: date, century, serial, check digit.
pub(super) fn is_latvian(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let check = (weighted(&d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]) + 1) % 11 % 10;
        d[6] <= 2 && is_short_date(pair(d[4], d[5]), pair(d[2], d[3]), pair(d[0], d[1])) && check == u32::from(d[10])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn estonia_and_lithuania_share_a_form() {
        judge(super::is_code, &["36805280109", "33309240064", "38703181745"], &["36805280108", "36813280109"]);
    }

    #[test]
    fn latvia_has_its_own() {
        judge(super::is_latvian, &["161175-19997"], &["161175-19998", "161375-19997"]);
    }
}
