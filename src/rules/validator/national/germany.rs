//! Germany: tax, identity card, pension and health insurance numbers (BZSt, BMI, DRV, GKV).
//!
//! Looks for: ISO 7064 MOD 11,10 and the rule about repeated digits (tax number), weights 7-3-1 (cards), the sums of digit
//! sums (pension, health). Misses: tax numbers of the Länder, which differ. Examples: `36 574 261 809`, `T22000129 3`,
//! `65 180539 W 001`.

use super::numerals::{
    alphanumerics, digits, is_short_date, is_varied, mod_11_10, pair, values, weighted_alphanumerics,
};

/// Eleven digits: one digit of the first ten stands twice or three times, the last is the check digit.
pub(super) fn is_steuer_id(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let mut counts = [0; 10];
        for digit in d.iter().take(10) {
            if let Some(count) = counts.get_mut(usize::from(*digit)) {
                *count += 1;
            }
        }
        let repeated = counts.iter().filter(|count| **count > 1).count();
        d[0] != 0 && repeated == 1 && counts.iter().all(|count| *count <= 3) && mod_11_10(&d)
    })
}

/// Nine letters and digits and a check digit.
pub(super) fn is_ausweis(text: &str) -> bool {
    let Some([number @ .., check @ b'0'..=b'9']) = alphanumerics::<10>(text) else { return false };
    let sum = weighted_alphanumerics(&number, &[7, 3, 1, 7, 3, 1, 7, 3, 1]);
    number.iter().any(u8::is_ascii_digit) && sum % 10 == u32::from(check - b'0') && sum > 0
}

/// Area, date of birth, letter, serial, check digit.
pub(super) fn is_rvnr(text: &str) -> bool {
    let Some([front @ .., letter @ b'A'..=b'Z', s1, s2, check]) = alphanumerics::<12>(text) else { return false };
    let (Some(d), Some([s1, s2, check])) = (values::<8>(&front), values::<3>(&[s1, s2, check])) else { return false };
    // From 51 on, the day says that number, date and letter had been given out already.
    let day = pair(d[2], d[3]) % 50;
    let month = pair(d[4], d[5]);
    let letter = letter - b'A' + 1;
    let all = [d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], letter / 10, letter % 10, s1, s2];
    is_short_date(pair(d[6], d[7]), month, day)
        && cross_sums(&all, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]) % 10 == u32::from(check)
}

/// A letter, eight digits, a check digit.
pub(super) fn is_kvnr(text: &str) -> bool {
    let Some([letter @ b'A'..=b'Z', number @ ..]) = alphanumerics::<10>(text) else { return false };
    let letter = letter - b'A' + 1;
    values::<9>(&number).is_some_and(|[a, b, c, d, e, f, g, h, check]| {
        let all = [letter / 10, letter % 10, a, b, c, d, e, f, g, h];
        is_varied(&all[2..]) && cross_sums(&all, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == u32::from(check)
    })
}

/// The sum of the digit sums of the products.
fn cross_sums(digits: &[u8], weights: &[u32]) -> u32 {
    let products = digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight);
    products.map(|product| product / 10 + product % 10).sum()
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn tax_numbers_repeat_one_digit() {
        judge(
            super::is_steuer_id,
            &["36 574 261 809", "86095742719"],
            &["36 574 261 808", "12345678903", "11111111111"],
        );
    }

    #[test]
    fn cards_have_a_check_digit() {
        judge(super::is_ausweis, &["T22000129 3", "L01X00T471"], &["T22000129 4", "LLLLLLLLL0"]);
    }

    #[test]
    fn pension_numbers_hold_a_date() {
        judge(super::is_rvnr, &["65 180539 W 001", "15070649C103"], &["65 180539 W 002", "65 181339 W 001"]);
    }

    #[test]
    fn health_numbers_have_a_check_digit() {
        judge(super::is_kvnr, &["A123456780", "T555558879"], &["A123456781", "1123456780"]);
    }
}
