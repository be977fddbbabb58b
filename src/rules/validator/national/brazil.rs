//! Brazil: tax, health, driving, voting and social integration numbers (Receita Federal, SUS, Senatran, TSE, Caixa).
//!
//! Looks for: two check digits modulo 11 (one for PIS), letters in company numbers from 2026 on, the sum of the health card.
//! Misses: nothing known. Examples: CPF `390.533.447-05`, CNPJ `16.727.230/0001-97`.

use super::numerals::{alphanumerics, digits, is_varied, pair, weighted};

/// Eleven digits, the last two of which check the others.
pub(super) fn is_cpf(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let first = (weighted(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10) % 11 % 10;
        let second = (weighted(&d, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10) % 11 % 10;
        is_varied(&d) && first == u32::from(d[9]) && second == u32::from(d[10])
    })
}

/// Twelve letters or digits and two check digits.
pub(super) fn is_cnpj(text: &str) -> bool {
    let Some(code) = alphanumerics::<14>(text) else { return false };
    // A character counts as its place in ASCII behind `0`.
    let values = code.map(|byte| byte - b'0');
    let check = |weights: &[u32]| match weighted(&values, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    values[12] < 10
        && values[13] < 10
        && is_varied(&values)
        && check(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(values[12])
        && check(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(values[13])
}

/// Eleven digits, the last two of which check the others; the first check may lower the second.
pub(super) fn is_cnh(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let first = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11;
        let second = weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11;
        let (first, lowered) = if first == 10 { (0, 2) } else { (first, 0) };
        let second = if second == 10 { 0 } else { (second + 11 - lowered) % 11 };
        is_varied(&d) && first == u32::from(d[9]) && second == u32::from(d[10])
    })
}

/// Eleven digits, the last of which checks the others.
pub(super) fn is_pis(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let check = 11 - weighted(&d, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        is_varied(&d) && (if check >= 10 { 0 } else { check }) == u32::from(d[10])
    })
}

/// Twelve digits: serial, state, two check digits.
pub(super) fn is_titulo(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let state = pair(d[8], d[9]);
        // In São Paulo and Minas Gerais a check digit of 0 is written as 1.
        let check = |sum: u32| match sum % 11 {
            10 => 0,
            0 if state <= 2 => 1,
            rest => rest,
        };
        let first = check(weighted(&d, &[2, 3, 4, 5, 6, 7, 8, 9]));
        let second = check(weighted(&d[8..], &[7, 8]) + first * 9);
        matches!(state, 1..=28) && is_varied(&d) && first == u32::from(d[10]) && second == u32::from(d[11])
    })
}

/// Fifteen digits whose weighted sum is divisible by 11.
pub(super) fn is_cns(text: &str) -> bool {
    digits::<15>(text).is_some_and(|d| {
        let sum = weighted(&d, &[15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        matches!(d[0], 1 | 2 | 7 | 8 | 9) && is_varied(&d) && sum.is_multiple_of(11)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn persons_have_two_check_digits() {
        judge(super::is_cpf, &["390.533.447-05", "52998224725"], &["231.002.999-00", "390.533.447-06", "11111111111"]);
    }

    #[test]
    fn firms_have_two_and_may_have_letters() {
        judge(
            super::is_cnpj,
            &["16.727.230/0001-97", "12.ABC.345/01DE-35"],
            &["16.727.230.0001-98", "16.727.230/0001=9Z"],
        );
    }

    #[test]
    fn drivers_have_two() {
        judge(super::is_cnh, &["62472927637", "98765432109"], &["62472927638"]);
    }

    #[test]
    fn workers_have_one() {
        judge(super::is_pis, &["120.68374.03-1", "12056412847"], &["12056412848"]);
    }

    #[test]
    fn voters_have_two() {
        judge(super::is_titulo, &["004356870906", "102385010671"], &["004356870907", "102385010672"]);
    }

    #[test]
    fn patients_have_a_sum() {
        judge(super::is_cns, &["898000000043208", "700000000000005"], &["898000000043209"]);
    }
}
