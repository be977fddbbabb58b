//! Mexico: population, tax and social security numbers and the bank account code (RENAPO, SAT, IMSS, Banxico).
//!
//! Looks for: a date of birth and a check character (CURP, RFC of a person), Luhn's check digit (social security), weights 3-7-1
//! (account). Misses: tax numbers with `Ñ` or `&`; those of firms. Examples: `BOXW310820HNERXN09`, `GODE561231GR8`.

use super::numerals::{alphanumerics, base36, digits, is_short_date, is_varied, luhn, pair, values};

/// Eighteen letters and digits: name, date of birth, sex, state, name, two more.
pub(super) fn is_curp(text: &str) -> bool {
    let Some(code) = alphanumerics::<18>(text) else { return false };
    let [body @ .., check] = code;
    // The alphabet has Ñ behind N.
    let sum: u32 =
        body.iter().zip((2..=18).rev()).map(|(byte, weight)| (base36(*byte) + u32::from(*byte > b'N')) * weight).sum();
    has_date(&code) && u32::from(check) == u32::from(b'0') + (10 - sum % 10) % 10
}

/// Thirteen letters and digits: name, date of birth, three more.
pub(super) fn is_rfc(text: &str) -> bool {
    let Some(code) = alphanumerics::<13>(text) else { return false };
    let [body @ .., check] = code;
    // The alphabet has & behind N.
    let sum: u32 =
        body.iter().zip((2..=13).rev()).map(|(byte, weight)| (base36(*byte) + u32::from(*byte > b'N')) * weight).sum();
    has_date(&code) && b"0123456789A".get(((11 - sum % 11) % 11) as usize) == Some(&check)
}

/// Four letters, then year, month and day.
fn has_date(code: &[u8]) -> bool {
    let (Some(letters), Some(date)) = (code.get(..4), code.get(4..10).and_then(values::<6>)) else { return false };
    letters.iter().all(u8::is_ascii_uppercase)
        && is_short_date(pair(date[0], date[1]), pair(date[2], date[3]), pair(date[4], date[5]))
}

/// Eleven digits, the last of which checks the others.
pub(super) fn is_nss(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| luhn(&d))
}

/// Eighteen digits: bank, place, account, check digit.
pub(super) fn is_clabe(text: &str) -> bool {
    digits::<18>(text).is_some_and(|d| {
        let [body @ .., check] = d;
        let sum: u32 =
            body.iter().zip([3, 7, 1].iter().cycle()).map(|(digit, weight)| u32::from(*digit) * weight % 10).sum();
        is_varied(&d) && (10 - sum % 10) % 10 == u32::from(check)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn persons_have_a_date() {
        judge(
            super::is_curp,
            &["BOXW310820HNERXN09", "HEGG560427MVZRRL04"],
            &["BOXW310820HNERXN08", "BOXW311320HNERXN09"],
        );
    }

    #[test]
    fn taxpayers_have_one_too() {
        judge(super::is_rfc, &["GODE561231GR8"], &["GODE561231GR9", "GODE561331GR8"]);
    }

    #[test]
    fn workers_have_a_check_digit() {
        judge(super::is_nss, &["92919084431"], &["92919084432"]);
    }

    #[test]
    fn accounts_have_a_check_digit() {
        judge(super::is_clabe, &["032180000118359719"], &["032180000118359718"]);
    }
}
