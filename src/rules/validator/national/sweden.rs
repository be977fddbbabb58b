//! Sweden: personal number, with coordination numbers (Skatteverket).
//!
//! Looks for: a date of birth (the day of a coordination number is raised by 60) and Luhn's check digit. Misses: numbers of
//! firms. Example: `880320-0016`.

use super::numerals::{digits, is_short_date, luhn, pair};

/// Ten digits, or twelve with the century.
pub(super) fn is_personnummer(text: &str) -> bool {
    let short = digits::<12>(text).and_then(|d| {
        let [a, b, ten @ ..] = d;
        matches!(pair(a, b), 18..=20).then_some(ten)
    });
    digits::<10>(text).or(short).is_some_and(|d| {
        let day = pair(d[4], d[5]);
        is_short_date(pair(d[0], d[1]), pair(d[2], d[3]), if day > 60 { day - 60 } else { day }) && luhn(&d)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digit_must_fit() {
        judge(
            super::is_personnummer,
            &["880320-0016", "19880320-0016", "121212+1212", "811228-9874"],
            &["880320-0018", "881320-0016", "21880320-0016"],
        );
    }
}
