//! Canada: social insurance, business and health card numbers (CRA, Ontario, British Columbia).
//!
//! Looks for: Luhn's check digit (SIN, business number, Ontario health card), modulo 11 (British Columbia). Misses: health
//! numbers of the provinces without a check digit. Examples: SIN `046 454 286`, business number `123026635 RC 0001`.

use super::numerals::{alphanumerics, digits, is_varied, luhn, values, weighted};

/// Nine digits with a correct check digit; none begins with 8, and 0 is for the tax office's own use.
pub(super) fn is_sin(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| d[0] != 8 && luhn(&d))
}

/// Nine digits with a correct check digit, a programme of two letters, an account of four digits.
pub(super) fn is_bn(text: &str) -> bool {
    let Some([number @ .., a, b, _, _, _, _]) = alphanumerics::<15>(text) else { return false };
    values::<9>(&number).is_some_and(|d| luhn(&d)) && a == b'R' && b.is_ascii_uppercase()
}

/// Ten digits with a correct check digit, as on Ontario's card; a version code of two letters may follow.
pub(super) fn is_ohip(text: &str) -> bool {
    let text = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    digits::<10>(text).is_some_and(|d| d[0] != 0 && luhn(&d))
}

/// Ten digits that begin with 9 and are checked modulo 11.
pub(super) fn is_phn(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let [first, number @ .., check] = d;
        let rest = weighted(&number, &[2, 4, 8, 5, 10, 9, 7, 3]) % 11;
        first == 9 && is_varied(&number) && (11 - rest) % 11 == u32::from(check)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn insurance_numbers_have_a_check_digit() {
        judge(super::is_sin, &["046 454 286", "130692544"], &["046 454 287", "800000002", "123456789"]);
    }

    #[test]
    fn business_numbers_name_a_programme() {
        judge(super::is_bn, &["123026635 RC 0001", "12302 6635RC0001"], &["123456783RC0001", "123026635XX0001"]);
    }

    #[test]
    fn ontarios_health_cards_have_a_check_digit() {
        judge(super::is_ohip, &["9876543217", "9876 543 217 AB"], &["9876543218"]);
    }

    #[test]
    fn british_columbias_begin_with_9() {
        judge(super::is_phn, &["9698 658 215"], &["9698658216", "9736A19146"]);
    }
}
