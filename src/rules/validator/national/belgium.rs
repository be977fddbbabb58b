//! Belgium: national register number (with the BIS numbers of others) and identity card (IBZ).
//!
//! Looks for: the check modulo 97, for both centuries, and a date. Misses: nothing known. Example: `85.07.30-033.28`.

use super::numerals::{digits, is_varied, number, pair};

/// Eleven digits: date of birth, serial, check.
pub(super) fn is_nn(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let (body, check) = (number(&d[..9]), number(&d[9..]));
        // BIS numbers add 20 or 40 to the month; an unknown date has month or day 0.
        let (month, day) = (pair(d[2], d[3]) % 20, pair(d[4], d[5]));
        is_varied(&d)
            && pair(d[2], d[3]) < 60
            && month <= 12
            && day <= 31
            && [body, body + 2_000_000_000].iter().any(|body| 97 - body % 97 == check)
    })
}

/// Twelve digits, the last two of which are the rest of the others modulo 97.
pub(super) fn is_eid(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let rest = number(&d[..10]) % 97;
        is_varied(&d) && (if rest == 0 { 97 } else { rest }) == number(&d[10..])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn persons_are_checked_in_their_century() {
        judge(
            super::is_nn,
            &["85.07.30-033.28", "17 07 30 033 84"],
            &["85.07.30-033.29", "17 07 30 033 01", "85.73.30-033.28"],
        );
    }

    #[test]
    fn cards_have_two_check_digits() {
        judge(super::is_eid, &["591-1917064-58"], &["591-1917064-59"]);
    }
}
