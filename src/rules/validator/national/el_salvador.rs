//! El Salvador: identity document (RNPN).
//!
//! Looks for: the check digit. Misses: nothing known. Example: `00016297-5`.

use super::numerals::{digits, is_varied, weighted};

/// Nine digits, the last of which checks the others.
pub(super) fn is_dui(text: &str) -> bool {
    digits::<9>(text)
        .is_some_and(|d| is_varied(&d) && (10 - weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 10) % 10 == u32::from(d[8]))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_dui, &["00016297-5"], &["00016297-6"]);
    }
}
