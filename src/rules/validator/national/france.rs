//! France: social security, business and tax numbers (INSEE, DGFiP).
//!
//! Looks for: the key modulo 97 with the letters of Corsica (NIR), Luhn's check digit (SIREN, SIRET), modulo 511 (tax number).
//! Misses: establishments of La Poste, whose check differs. Examples: `2 95 10 99 126 111 93`, `732 829 320`.

use super::numerals::{alphanumerics, digits, is_varied, luhn, number, pair, values};

/// Thirteen digits (2A and 2B for Corsica) and a key of two.
pub(super) fn is_nir(text: &str) -> bool {
    let Some(mut code) = alphanumerics::<15>(text) else { return false };
    // 2A counts as 19, 2B as 18.
    match (code[5], code[6]) {
        (b'2', b'A') => (code[5], code[6]) = (b'1', b'9'),
        (b'2', b'B') => (code[5], code[6]) = (b'1', b'8'),
        _ => {}
    }
    values::<15>(&code).is_some_and(|d| {
        let month = pair(d[3], d[4]);
        let (body, key) = d.split_at(13);
        matches!(d[0], 1..=4 | 7 | 8)
            && matches!(month, 1..=12 | 20..=42 | 50..=99)
            && 97 - number(body) % 97 == number(key)
    })
}

/// Nine digits with a correct check digit.
pub(super) fn is_siren(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| luhn(&d))
}

/// Fourteen digits that begin with a SIREN and have a correct check digit themselves.
pub(super) fn is_siret(text: &str) -> bool {
    digits::<14>(text).is_some_and(|d| luhn(&d) && luhn(&d[..9]))
}

/// Thirteen digits that begin with 0 to 3; the last three are the rest of the others modulo 511.
pub(super) fn is_spi(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let (body, key) = d.split_at(10);
        d[0] <= 3 && is_varied(&d) && number(body) % 511 == number(key)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_key_counts_corsica() {
        judge(
            super::is_nir,
            &["2 95 10 99 126 111 93", "253072B07300470", "253072A07300443", "1 85 05 78 006 084 91"],
            &["253072C07300443", "6546546546546703", "2 95 10 99 126 111 94"],
        );
    }

    #[test]
    fn businesses_have_a_check_digit() {
        judge(super::is_siren, &["732 829 320", "552 008 443"], &["732 829 321"]);
    }

    #[test]
    fn establishments_have_two() {
        judge(super::is_siret, &["732 829 320 00074", "73282932000074"], &["73282932000079", "73282932100074"]);
    }

    #[test]
    fn taxpayers_are_checked_modulo_511() {
        judge(super::is_spi, &["30 23 217 600 053", "0701987765493"], &["3023217600054"]);
    }
}
