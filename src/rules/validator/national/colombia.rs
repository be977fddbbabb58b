//! Colombia: tax number (DIAN).
//!
//! Looks for: nine or ten digits behind which stands the check digit. Misses: numbers written without it. Example:
//! `213.123.432-1`.

use super::numerals::{digits, is_varied, weighted};

/// Nine or ten digits and a check digit.
pub(super) fn is_nit(text: &str) -> bool {
    let nine = digits::<10>(text).map(|[a, b, c, d, e, f, g, h, i, j]| [0, a, b, c, d, e, f, g, h, i, j]);
    nine.or_else(|| digits::<11>(text)).is_some_and(|d| {
        let check = match weighted(&d, &[43, 41, 37, 29, 23, 19, 17, 13, 7, 3]) % 11 {
            rest @ (0 | 1) => rest,
            rest => 11 - rest,
        };
        is_varied(&d) && check == u32::from(d[10])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_nit, &["213.123.432-1", "860.002.964-4"], &["213.123.432-5", "2131234325"]);
    }
}
