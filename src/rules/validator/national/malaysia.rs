//! Malaysia: identity card, "MyKad" (JPN).
//!
//! Looks for: a date of birth and a place of birth. Misses: nothing; there is no check digit. Example: `770305-02-1234`.

use super::numerals::{digits, is_short_date, pair};

/// Twelve digits: date of birth, place of birth, serial.
pub(super) fn is_mykad(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        is_short_date(pair(d[0], d[1]), pair(d[2], d[3]), pair(d[4], d[5]))
            && matches!(pair(d[6], d[7]), 1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_place_must_exist() {
        judge(super::is_mykad, &["770305-02-1234", "890131065224"], &["771305-02-1234", "770305-17-1234"]);
    }
}
