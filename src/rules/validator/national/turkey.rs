//! Turkey: identity and tax numbers (NVİ, GİB).
//!
//! Looks for: two check digits (identity), one (tax). Misses: nothing known. Examples: `17291716060`, `4540536920`.

use super::numerals::{digits, is_varied, weighted};

/// Eleven digits, the last two of which check the others.
pub(super) fn is_tckn(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let odd = weighted(&d, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
        let even = weighted(&d, &[0, 1, 0, 1, 0, 1, 0, 1]);
        d[0] != 0
            && is_varied(&d)
            && (odd * 7 + 40 - even) % 10 == u32::from(d[9])
            && (odd + even + u32::from(d[9])) % 10 == u32::from(d[10])
    })
}

/// Ten digits, the last of which checks the others.
pub(super) fn is_vkn(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let sum: u32 = d
            .iter()
            .take(9)
            .zip((1..=9).rev())
            .map(|(digit, place)| match (u32::from(*digit) + place) % 10 {
                0 => 0,
                shifted => match shifted * (1 << place) % 9 {
                    0 => 9,
                    rest => rest,
                },
            })
            .sum();
        is_varied(&d) && (10 - sum % 10) % 10 == u32::from(d[9])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn identities_have_two_check_digits() {
        judge(super::is_tckn, &["17291716060", "10000000146"], &["17291716050", "01234567890"]);
    }

    #[test]
    fn taxpayers_have_one() {
        judge(super::is_vkn, &["4540536920"], &["4540536921"]);
    }
}
