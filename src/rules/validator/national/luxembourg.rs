//! Luxembourg: national identification number (CTIE).
//!
//! Looks for: a date of birth, Luhn's and Verhoeff's check digits. Misses: numbers of firms. Example: `1983012112338`.

use super::numerals::{digits, is_date, luhn, pair, verhoeff};

/// Thirteen digits: date of birth, serial, two check digits over the first eleven.
pub(super) fn is_matricule(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let [a, b, c, d4, e, f, g, h, i, j, k, first, second] = d;
        let year = pair(a, b) * 100 + pair(c, d4);
        (1850..2100).contains(&year)
            && is_date(year, pair(e, f), pair(g, h))
            && luhn(&[a, b, c, d4, e, f, g, h, i, j, k, first])
            && verhoeff(&[a, b, c, d4, e, f, g, h, i, j, k, second])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn both_check_digits_must_fit() {
        judge(super::is_matricule, &["1983012112338"], &["1983012112348", "1983132112338"]);
    }
}
