//! Japan: individual number, "My Number" (MIC).
//!
//! Looks for: the check digit modulo 11. Misses: nothing known. Example: `6214 9832 0257`.

use super::numerals::{digits, is_varied, weighted};

/// Twelve digits, the last of which checks the others.
pub(super) fn is_my_number(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let rest = weighted(&d, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        is_varied(&d) && (if rest <= 1 { 0 } else { 11 - rest }) == u32::from(d[11])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_my_number, &["6214 9832 0257", "123456789018"], &["6214 9832 0258"]);
    }
}
