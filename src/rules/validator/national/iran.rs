//! Iran: national code (Sabt-e Ahval).
//!
//! Looks for: the check digit modulo 11. Misses: nothing known. Example: `0499370899`.

use super::numerals::{digits, is_varied, weighted};

/// Ten digits, the last of which checks the others.
pub(super) fn is_id(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let rest = weighted(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        is_varied(&d) && (if rest < 2 { rest } else { 11 - rest }) == u32::from(d[9])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_id, &["0499370899", "0790419904"], &["0499370898"]);
    }
}
