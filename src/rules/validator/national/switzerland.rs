//! Switzerland: social insurance and enterprise numbers (ZAS, BFS).
//!
//! Looks for: the check digit of EAN-13 behind the country's 756; the check digit modulo 11. Misses: social insurance numbers
//! from before 2008. Examples: `756.9217.0769.85`, `CHE-100.155.212`.

use super::numerals::{alphanumerics, digits, is_varied, values, weighted};

/// Thirteen digits that begin with 756 and have the check digit of EAN-13.
pub(super) fn is_ahv(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let sum = weighted(&d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
        d.starts_with(&[7, 5, 6]) && is_varied(&d[3..]) && sum.is_multiple_of(10)
    })
}

/// `CHE` and nine digits, the last of which checks the others.
pub(super) fn is_uid(text: &str) -> bool {
    let Some([b'C', b'H', b'E', number @ ..]) = alphanumerics::<12>(text) else { return false };
    values::<9>(&number)
        .is_some_and(|d| is_varied(&d) && (11 - weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4]) % 11) % 11 == u32::from(d[8]))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn persons_begin_with_756() {
        judge(
            super::is_ahv,
            &["756.9217.0769.85", "7569217076985", "756.1234.5678.97"],
            &["756.9217.0769.84", "123.4567.8910.19"],
        );
    }

    #[test]
    fn enterprises_have_a_check_digit() {
        judge(super::is_uid, &["CHE-100.155.212", "che100155212"], &["CHE-100.155.213", "ABC-100.155.212"]);
    }
}
