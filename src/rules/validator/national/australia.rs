//! Australia: tax file, business, company and Medicare numbers (ATO, ASIC, Services Australia).
//!
//! Looks for: the weighted sums that the authorities publish. Misses: tax file numbers of eight digits. Examples: TFN
//! `123 456 782`, ABN `51 824 753 556`, ACN `004 085 616`, Medicare `2123 45670 1`.

use super::numerals::{digits, is_varied, weighted};

/// Nine digits whose weighted sum is divisible by 11.
pub(super) fn is_tfn(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| is_varied(&d) && weighted(&d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11))
}

/// Eleven digits whose weighted sum, one taken from the first, is divisible by 89.
pub(super) fn is_abn(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = weighted(&d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        d[0] > 0 && is_varied(&d) && sum >= 10 && (sum - 10).is_multiple_of(89)
    })
}

/// Nine digits, the last of which checks the others modulo 10.
pub(super) fn is_acn(text: &str) -> bool {
    digits::<9>(text)
        .is_some_and(|d| is_varied(&d) && (10 - weighted(&d, &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == u32::from(d[8]))
}

/// Ten digits (eleven with the place on the card) that begin with 2 to 6; the ninth checks the first eight.
pub(super) fn is_medicare(text: &str) -> bool {
    let ten = digits::<11>(text).and_then(|[ten @ .., _]| (ten.len() == 10).then_some(ten));
    digits::<10>(text).or(ten).is_some_and(|d| {
        matches!(d[0], 2..=6) && d[9] > 0 && weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(d[8])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn tax_file_numbers_are_checked_modulo_11() {
        judge(super::is_tfn, &["123 456 782", "876543210"], &["123 456 783", "111111111"]);
    }

    #[test]
    fn business_numbers_are_checked_modulo_89() {
        judge(super::is_abn, &["51 824 753 556", "53 004 085 616"], &["51 824 753 557"]);
    }

    #[test]
    fn company_numbers_have_a_check_digit() {
        judge(super::is_acn, &["004 085 616", "010 499 966"], &["004 085 617"]);
    }

    #[test]
    fn medicare_cards_have_a_check_digit() {
        judge(super::is_medicare, &["2123 45670 1", "21234567011"], &["2123 45671 1", "1123 45670 1"]);
    }
}
