//! Sri Lanka: identity card (Department for Registration of Persons).
//!
//! Looks for: the day of the year (women's are raised by 500), in the old form with its letter or the new one of twelve digits.
//! Misses: the check digit, whose rule is not published. Example: `853400937V`.

use super::numerals::{digits, is_varied, pair};

/// Nine digits and `V` or `X`, or twelve digits that begin with the year.
pub(super) fn is_nic(text: &str) -> bool {
    let text = text.trim();
    let day = |a: u8, b: u8, c: u8| matches!(u32::from(a) * 100 + pair(b, c), 1..=366 | 501..=866);
    let old = text.strip_suffix(['V', 'v', 'X', 'x']).and_then(digits::<9>);
    old.is_some_and(|d| is_varied(&d) && day(d[2], d[3], d[4]))
        || digits::<12>(text)
            .is_some_and(|d| matches!(pair(d[0], d[1]) * 100 + pair(d[2], d[3]), 1900..=2030) && day(d[4], d[5], d[6]))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_day_must_exist() {
        judge(super::is_nic, &["853400937V", "198534000937"], &["854000937V", "853400937", "188534000937"]);
    }
}
