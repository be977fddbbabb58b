//! Portugal: tax, social security and citizen card numbers (AT, Segurança Social, AMA).
//!
//! Looks for: check digits modulo 11 (tax), modulo 10 with prime weights (social security), Luhn's system over letters (card).
//! Misses: nothing known. Examples: `501 964 843`, `00000000 0 ZZ4`.

use super::numerals::{alphanumerics, base36, digits, is_varied, pair, weighted};

/// Nine digits of a kind that is given out, the last of which checks the others.
pub(super) fn is_nif(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let check = 11 - weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        let kind = matches!(d[0], 1 | 2 | 3 | 5 | 6 | 8 | 9) || matches!(pair(d[0], d[1]), 45 | 70..=79);
        kind && is_varied(&d) && (if check >= 10 { 0 } else { check }) == u32::from(d[8])
    })
}

/// Eleven digits that begin with 1 or 2, weighted with the prime numbers.
pub(super) fn is_niss(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = weighted(&d, &[29, 23, 19, 17, 13, 11, 7, 5, 3, 2]);
        matches!(d[0], 1 | 2) && is_varied(&d) && 9 - sum % 10 == u32::from(d[10])
    })
}

/// Eight digits, a check digit, two letters or digits, a check digit over all.
pub(super) fn is_cc(text: &str) -> bool {
    let Some(code) = alphanumerics::<12>(text) else { return false };
    let sum = code.iter().zip([2, 1].iter().cycle()).fold(0, |sum, (byte, weight)| {
        let value = base36(*byte) * weight;
        sum + if *weight == 2 && value > 9 { value - 9 } else { value }
    });
    code.iter().take(9).all(u8::is_ascii_digit) && code[11].is_ascii_digit() && sum % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn tax_numbers_have_a_check_digit() {
        judge(super::is_nif, &["501 964 843", "501964843"], &["501 964 842", "401964843"]);
    }

    #[test]
    fn social_security_is_weighted_with_primes() {
        judge(super::is_niss, &["12345678902"], &["12345678901", "32345678902"]);
    }

    #[test]
    fn citizen_cards_have_a_check_digit() {
        judge(super::is_cc, &["00000000 0 ZZ4", "00000000 1 ZZ2"], &["00000000 0 ZZ3"]);
    }
}
