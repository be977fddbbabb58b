//! Italy: tax code, VAT number and health card (Agenzia delle Entrate, TS).
//!
//! Looks for: the check letter over odd and even places and the coded date (tax code), Luhn's check digit (the others).
//! Misses: nothing known; digits that stand as letters after a clash are read. Examples: `RCCMNL83S18D969H`, `00743110157`.

use super::numerals::{alphanumerics, digits, is_short_date, luhn, pair};

/// Sixteen letters and digits with a date of birth in them and a check letter at the end.
pub(super) fn is_codice_fiscale(text: &str) -> bool {
    /// Values at odd places, for `0`-`9` and for `A`-`J`.
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some(code) = alphanumerics::<16>(text) else { return false };
    let [body @ .., check] = code;
    let sum: u32 = (0..)
        .zip(body)
        .map(|(index, byte)| {
            let value = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
            if index % 2 == 0 { ODD.get(usize::from(value)).copied().unwrap_or(0) } else { u32::from(value) }
        })
        .sum();
    let (Some(y1), Some(y2), Some(d1), Some(d2)) = (digit(code[6]), digit(code[7]), digit(code[9]), digit(code[10]))
    else {
        return false;
    };
    let month = b"ABCDEHLMPRST".iter().zip(1..).find(|(letter, _)| **letter == code[8]).map_or(0, |(_, month)| month);
    // Women's days are counted from 41.
    let day = pair(d1, d2);
    let day = if day > 40 { day - 40 } else { day };
    code.iter().take(6).all(u8::is_ascii_uppercase)
        && code[11].is_ascii_uppercase()
        && is_short_date(pair(y1, y2), month, day)
        && u32::from(check) == u32::from(b'A') + sum % 26
}

/// A digit, or the letter that stands for it when two persons would have the same code.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        _ => b"LMNPQRSTUV".iter().zip(0..).find(|(letter, _)| **letter == byte).map(|(_, digit)| digit),
    }
}

/// Eleven digits: a number, an office, a check digit.
pub(super) fn is_iva(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let office = pair(d[7], d[8]) * 10 + u32::from(d[9]);
        matches!(office, 1..=100 | 120 | 121 | 888 | 999) && luhn(&d)
    })
}

/// Twenty digits that begin with 80380 and have a correct check digit.
pub(super) fn is_tessera(text: &str) -> bool {
    digits::<20>(text).is_some_and(|d| d.starts_with(&[8, 0, 3, 8, 0]) && luhn(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_letter_must_fit() {
        judge(
            super::is_codice_fiscale,
            &["RCCMNL83S18D969H", "MRTMTT91D08F205J", "rssmra85t10a562s"],
            &["RCCMNL83S18D969", "RCCMNL83S18D969G", "RCCMNL83S38D969H", "RCCMNL83F18D969H"],
        );
    }

    #[test]
    fn companies_have_a_check_digit() {
        judge(super::is_iva, &["00743110157", "00743110157"], &["00743110158"]);
    }

    #[test]
    fn health_cards_begin_with_the_state() {
        judge(super::is_tessera, &["80380000301234567890"], &["80380000301234567892"]);
    }
}
