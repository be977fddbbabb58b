//! Denmark: personal number (CPR-kontoret).
//!
//! Looks for: a date of birth. Misses: nothing; since 2007 there is no check digit to rely on. Example: `211062-5629`.

use super::numerals::{digits, is_short_date, pair};

/// Ten digits that begin with a date.
pub(super) fn is_cpr(text: &str) -> bool {
    digits::<10>(text)
        .is_some_and(|d| d[6..] != [0; 4] && is_short_date(pair(d[4], d[5]), pair(d[2], d[3]), pair(d[0], d[1])))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_date_must_be_one() {
        judge(super::is_cpr, &["211062-5629", "0101804532"], &["211362-5629", "320101-1234", "010180-0000"]);
    }
}
