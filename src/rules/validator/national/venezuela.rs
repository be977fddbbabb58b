//! Venezuela: tax number (SENIAT).
//!
//! Looks for: a letter for the kind of person and the check digit. Misses: nothing known. Example: `V-11470283-4`.

use super::numerals::{alphanumerics, is_varied, values, weighted};

/// A letter, eight digits, a check digit.
pub(super) fn is_rif(text: &str) -> bool {
    let Some([kind, number @ ..]) = alphanumerics::<10>(text) else { return false };
    let kind = match kind {
        b'V' => 4,
        b'E' => 8,
        b'J' | b'C' => 12,
        b'P' => 16,
        b'G' => 20,
        _ => return false,
    };
    values::<9>(&number).is_some_and(|d| {
        let rest = (weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2]) + kind) % 11;
        is_varied(&d) && b"00987654321".get(rest as usize).map(|digit| digit - b'0') == Some(d[8])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn kind_and_check_digit_must_fit() {
        judge(super::is_rif, &["V-11470283-4", "J-07013380-5"], &["V-11470283-3", "A-11470283-4"]);
    }
}
