//! Czechia and Slovakia: birth number (Ministerstvo vnitra).
//!
//! Looks for: a date of birth (women's months are raised by 50, later by 70; men's by 20 when a day is full) and divisibility
//! by 11. Misses: numbers of nine digits, given out before 1954, which have no check digit. Example: `710319/2745`.

use super::numerals::{digits, is_short_date, number, pair};

/// Ten digits that begin with a date and are divisible by 11.
pub(super) fn is_rc(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let month = match pair(d[2], d[3]) {
            month @ 71..=82 => month - 70,
            month @ 51..=62 => month - 50,
            month @ 21..=32 => month - 20,
            month => month,
        };
        // For some years a rest of 10 was written as 0.
        let fits = number(&d).is_multiple_of(11) || (number(&d[..9]) % 11 == 10 && d[9] == 0);
        is_short_date(pair(d[0], d[1]), month, pair(d[4], d[5])) && fits
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_remainder_must_fit() {
        judge(super::is_rc, &["710319/2745", "715319/2739"], &["710319/2746", "711319/2745", "991231123"]);
    }
}
