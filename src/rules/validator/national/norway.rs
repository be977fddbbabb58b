//! Norway: national identity number, with D and H numbers (Skatteetaten).
//!
//! Looks for: a date of birth and two check digits modulo 11. Misses: numbers from 2032 on, whose first check digit will be
//! looser. Example: `15108695088`.

use super::numerals::{digits, is_short_date, pair, weighted};

/// Eleven digits: date, serial, two check digits.
pub(super) fn is_fnr(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        // D numbers raise the day by 40, H numbers the month.
        let (day, month) = (pair(d[0], d[1]) % 40, pair(d[2], d[3]) % 40);
        let check = |weights: &[u32]| (11 - weighted(&d, weights) % 11) % 11;
        is_short_date(pair(d[4], d[5]), month, day)
            && check(&[3, 7, 6, 1, 8, 9, 4, 5, 2]) == u32::from(d[9])
            && check(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == u32::from(d[10])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digits_must_fit() {
        judge(super::is_fnr, &["15108695088", "151086 95088"], &["15108695077", "15148695088"]);
    }
}
