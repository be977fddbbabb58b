//! New Zealand: tax number and health index (Inland Revenue, HISO 10046).
//!
//! Looks for: check digits modulo 11 with their second weights (IRD), check digit or letter of the old and the new health
//! index. Misses: nothing known. Sources disagree whether the new index is checked modulo 23 or 24; both pass. Examples: IRD
//! `49-091-850`, NHI `ZAC5361`.

use super::numerals::{alphanumerics, digits, is_varied, number, weighted};

/// Eight or nine digits from 10 million to 200 million whose check digit fits.
pub(super) fn is_ird(text: &str) -> bool {
    let padded = digits::<8>(text).map(|[a, b, c, d, e, f, g, h]| [0, a, b, c, d, e, f, g, h]);
    padded.or_else(|| digits::<9>(text)).is_some_and(|d| {
        let check = |weights: &[u32; 8]| (11 - weighted(&d, weights) % 11) % 11;
        let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
        let digit = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
        is_varied(&d) && (10_000_000..200_000_000).contains(&number(&d)) && digit == u32::from(d[8])
    })
}

/// Three letters and four digits, or three letters, two digits, two letters.
pub(super) fn is_nhi(text: &str) -> bool {
    /// No `I`, no `O`; `A` is 1.
    const LETTERS: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let place = |byte: u8| LETTERS.iter().zip(1..).find(|(letter, _)| **letter == byte).map_or(0, |(_, place)| place);
    let Some(code) = alphanumerics::<7>(text) else { return false };
    let sum = code.iter().zip([7, 6, 5, 4, 3, 2]).map(|(byte, weight)| match byte {
        b'0'..=b'9' => u32::from(byte - b'0') * weight,
        letter => place(*letter) * weight,
    });
    let sum: u32 = sum.sum();
    let (prefix, rest) = code.split_at(3);
    if !prefix.iter().all(|byte| place(*byte) > 0) {
        return false;
    }
    match rest {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', check @ b'0'..=b'9'] => {
            !sum.is_multiple_of(11) && (11 - sum % 11) % 10 == u32::from(check - b'0')
        }
        [b'0'..=b'9', b'0'..=b'9', letter, check] if place(*letter) > 0 => {
            [23, 24].iter().any(|modulus| modulus - sum % modulus == place(*check))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn tax_numbers_have_a_check_digit() {
        judge(super::is_ird, &["49-091-850", "49098576", "136-410-132"], &["49-091-851", "136410133", "9125568"]);
    }

    #[test]
    fn both_forms_of_the_health_index() {
        judge(super::is_nhi, &["ZAC5361", "ALU18KZ", "ZBN77VL"], &["ZAC5362", "ZIC5361", "ALU18KA"]);
    }
}
