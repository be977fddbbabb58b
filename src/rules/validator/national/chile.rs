//! Chile: identity and tax number (Registro Civil, SII).
//!
//! Looks for: seven or eight digits and the check digit modulo 11, which may be `K`. Misses: nothing known. Example:
//! `12.531.909-2`.

use super::numerals::{alphanumerics, is_varied, values, weighted};

/// Seven or eight digits and a check digit.
pub(super) fn is_rut(text: &str) -> bool {
    let padded = alphanumerics::<8>(text).map(|[a, b, c, d, e, f, g, h]| [b'0', a, b, c, d, e, f, g, h]);
    let Some([body @ .., check]) = padded.or_else(|| alphanumerics::<9>(text)) else { return false };
    values::<8>(&body).is_some_and(|d| {
        let rest = weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        is_varied(&d) && b"0K987654321".get(rest as usize) == Some(&check)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(
            super::is_rut,
            &["12.531.909-2", "76086428-5", "7.654.321-6", "20.347.878-K"],
            &["12.531.909-3", "11.111.111-1"],
        );
    }
}
