//! Ireland: personal public service number (Revenue), also the newer form of the VAT number.
//!
//! Looks for: seven digits, a check letter modulo 23, perhaps a second letter. Misses: VAT numbers given out before 2013.
//! Example: `6433435F`.

use super::numerals::{alphanumerics, is_varied, values, weighted};

/// Seven digits, their check letter, perhaps one letter more.
pub(super) fn is_pps(text: &str) -> bool {
    let (number, check, second) = match (alphanumerics::<8>(text), alphanumerics::<9>(text)) {
        (Some([number @ .., check]), _) => (number, check, 0),
        (_, Some([number @ .., check, second @ b'A'..=b'I'])) => (number, check, u32::from(second - b'A') + 1),
        (_, Some([number @ .., check, b'W'])) => (number, check, 0),
        _ => return false,
    };
    values::<7>(&number).is_some_and(|d| {
        let rest = (weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
        is_varied(&d) && b"WABCDEFGHIJKLMNOPQRSTUV".get(rest as usize) == Some(&check)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_letter_must_fit() {
        judge(
            super::is_pps,
            &["6433435F", "6433435FW", "6433435OA", "1234567T"],
            &["6433435E", "6433435VH", "643343F"],
        );
    }
}
