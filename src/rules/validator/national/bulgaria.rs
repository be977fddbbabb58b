//! Bulgaria: uniform civil number (GRAO).
//!
//! Looks for: a date of birth (the month tells the century) and the check digit. Misses: personal numbers of foreigners.
//! Example: `752316 926 3`.

use super::numerals::{digits, is_date, pair, weighted};

/// Ten digits that begin with a date of birth.
pub(super) fn is_egn(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let month = pair(d[2], d[3]);
        let century = [1900, 1800, 2000].get((month / 20) as usize).copied().unwrap_or(0);
        is_date(century + pair(d[0], d[1]), month % 20, pair(d[4], d[5]))
            && weighted(&d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == u32::from(d[9])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digit_must_fit() {
        judge(super::is_egn, &["752316 926 3", "8032056031"], &["8032056030", "8019010008"]);
    }
}
