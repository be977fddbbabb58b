//! United Kingdom: health, tax and insurance numbers (NHS Data Dictionary, HMRC).
//!
//! Looks for: check digits modulo 11 (NHS, CHI with its date of birth, UTR), the prefixes that HMRC gives out (National
//! Insurance), modulo 97 (VAT). Misses: temporary National Insurance numbers. Examples: NHS `943 476 5919`, National
//! Insurance `AB 12 34 56 C`, VAT `GB 980 7806 84`.

use super::numerals::{alphanumerics, digits, is_short_date, is_varied, pair, values, weighted};

/// Ten digits, the last of which checks the others modulo 11. Also Northern Ireland's health and care number.
pub(super) fn is_nhs(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let check = 11 - weighted(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        is_varied(&d) && check % 11 == u32::from(d[9])
    })
}

/// An NHS number of Scotland: it begins with the date of birth.
pub(super) fn is_chi(text: &str) -> bool {
    is_nhs(text)
        && digits::<10>(text).is_some_and(|d| is_short_date(pair(d[4], d[5]), pair(d[2], d[3]), pair(d[0], d[1])))
}

/// Ten digits, the first of which checks the others.
pub(super) fn is_utr(text: &str) -> bool {
    /// The check digit for each remainder.
    const CHECK: [u8; 11] = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    digits::<10>(text).is_some_and(|d| {
        let [check, number @ ..] = d;
        let rest = weighted(&number, &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
        is_varied(&d) && CHECK.get(rest as usize) == Some(&check)
    })
}

/// Two letters of a prefix in use, six digits, a suffix `A` to `D`.
pub(super) fn is_nino(text: &str) -> bool {
    let Some([first, second, number @ .., suffix]) = alphanumerics::<9>(text) else { return false };
    values::<6>(&number).is_some_and(|d| is_varied(&d))
        && first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && !matches!(&[first, second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && (b'A'..=b'D').contains(&suffix)
}

/// Nine digits, the last two of which check the others modulo 97, in the old or the new way.
pub(super) fn is_vat(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_prefix("GB").or_else(|| text.strip_prefix("XI")).unwrap_or(text);
    digits::<9>(text).is_some_and(|d| {
        let rest = (weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) + pair(d[7], d[8])) % 97;
        is_varied(&d) && matches!(rest, 0 | 42)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn health_numbers_have_a_check_digit() {
        judge(super::is_nhs, &["943 476 5919", "4010232137"], &["943 476 5918", "9434765919 1", "1111111111"]);
    }

    #[test]
    fn scottish_ones_begin_with_a_date() {
        judge(super::is_chi, &["0101851235", "010101 2004"], &["943 476 5919"]);
    }

    #[test]
    fn taxpayers_have_a_check_digit() {
        judge(super::is_utr, &["1955839661", "19558 39661"], &["2955839661"]);
    }

    #[test]
    fn insurance_numbers_have_a_prefix_in_use() {
        judge(
            super::is_nino,
            &["AB 12 34 56 C", "JG103759A"],
            &["QQ123456C", "BG123456A", "AO123456A", "AB123456E", "AB000000C"],
        );
    }

    #[test]
    fn vat_numbers_are_checked_modulo_97() {
        judge(super::is_vat, &["GB 980 7806 84", "980780684"], &["980780685"]);
    }
}
