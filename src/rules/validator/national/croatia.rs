//! Croatia: personal identification number (Porezna uprava).
//!
//! Looks for: ISO 7064 MOD 11,10. Misses: nothing. Example: `33392005961`.

use super::numerals::{digits, is_varied, mod_11_10};

/// Eleven digits, the last of which checks the others.
pub(super) fn is_oib(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| is_varied(&d) && mod_11_10(&d))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_check_digit_must_fit() {
        judge(super::is_oib, &["33392005961", "94577403194"], &["33392005962"]);
    }
}
