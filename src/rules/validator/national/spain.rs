//! Spain: identity, company, social security and bank account numbers (Ministerio del Interior, AEAT, TGSS).
//!
//! Looks for: the check letter modulo 23 (DNI, NIE), the control of company numbers, modulo 97 (social security), the two
//! check digits of the old account code. Misses: NIF of persons without DNI (K, L, M). Examples: `54362315K`, `X-2482300-W`.

use super::numerals::{alphanumerics, digits, is_varied, luhn_sum, number, values, weighted};

/// The letter for each remainder.
const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Eight digits and the letter that checks them.
pub(super) fn is_dni(text: &str) -> bool {
    let Some([number @ .., letter]) = alphanumerics::<9>(text) else { return false };
    values::<8>(&number).is_some_and(|d| is_varied(&d) && has_letter(&d, letter))
}

/// `X`, `Y` or `Z`, seven digits and the letter that checks them.
pub(super) fn is_nie(text: &str) -> bool {
    let Some([kind @ b'X'..=b'Z', number @ .., letter]) = alphanumerics::<9>(text) else { return false };
    values::<7>(&number).is_some_and(|[a, b, c, d, e, f, g]| has_letter(&[kind - b'X', a, b, c, d, e, f, g], letter))
}

fn has_letter(digits: &[u8], letter: u8) -> bool {
    LETTERS.get((number(digits) % 23) as usize) == Some(&letter)
}

/// A letter for the kind of company, seven digits, a control that is a digit or a letter.
pub(super) fn is_cif(text: &str) -> bool {
    let Some([kind, number @ .., control]) = alphanumerics::<9>(text) else { return false };
    values::<7>(&number).is_some_and(|d| {
        let check = (10 - luhn_sum(&[d[0], d[1], d[2], d[3], d[4], d[5], d[6], 0]) % 10) % 10;
        let digit = u32::from(control) == u32::from(b'0') + check;
        let letter = b"JABCDEFGHI".get(check as usize) == Some(&control);
        match kind {
            b'A' | b'B' | b'E' | b'H' => digit,
            b'N' | b'P' | b'Q' | b'R' | b'S' | b'W' => letter,
            b'C' | b'D' | b'F' | b'G' | b'J' | b'U' | b'V' => digit || letter,
            _ => false,
        }
    })
}

/// Twelve digits: province, number, and two that check both modulo 97.
pub(super) fn is_nss(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let (province, serial, check) = (number(&d[..2]), number(&d[2..10]), number(&d[10..]));
        let whole = if serial < 10_000_000 { province * 10_000_000 } else { province * 100_000_000 };
        matches!(province, 1..=53 | 66) && is_varied(&d) && (whole + serial) % 97 == check
    })
}

/// Twenty digits: bank and branch, two check digits, account.
pub(super) fn is_ccc(text: &str) -> bool {
    digits::<20>(text).is_some_and(|d| {
        let check = |digits: &[u8], weights: &[u32]| match 11 - weighted(digits, weights) % 11 {
            10 => 1,
            11 => 0,
            digit => digit,
        };
        is_varied(&d)
            && check(&d[..8], &[4, 8, 5, 10, 9, 7, 3, 6]) == u32::from(d[8])
            && check(&d[10..], &[1, 2, 4, 8, 5, 10, 9, 7, 3, 6]) == u32::from(d[9])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn persons_have_a_check_letter() {
        judge(super::is_dni, &["54362315K", "54362315-k", "12345678Z"], &["54362315Z", "54362315", "5436231AK"]);
    }

    #[test]
    fn foreigners_have_one_too() {
        judge(super::is_nie, &["X-2482300-W", "x2482300w", "Y7245931W"], &["X2482300A", "A2482300W"]);
    }

    #[test]
    fn companies_have_a_control() {
        judge(super::is_cif, &["J99216582", "A13585625", "B-58378431"], &["J99216583", "M-1234567-L", "K99216582"]);
    }

    #[test]
    fn social_security_is_checked_modulo_97() {
        judge(super::is_nss, &["28 12345678 40"], &["281234567841", "991234567840"]);
    }

    #[test]
    fn accounts_have_two_check_digits() {
        judge(super::is_ccc, &["1234-1234-16 1234567890", "2100 0418 45 0200051332"], &["1234-1234-17 1234567890"]);
    }
}
