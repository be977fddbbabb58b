//! Netherlands: citizen service number (RvIG).
//!
//! Looks for: nine digits that pass the test of eleven. Misses: old ones written with eight digits. Example: `111222333`.

use super::numerals::{digits, is_varied, weighted};

/// Nine digits whose weighted sum, the last taken away, is divisible by 11.
pub(super) fn is_bsn(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let sum = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]) + 11 - u32::from(d[8]);
        is_varied(&d) && sum.is_multiple_of(11)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_test_of_eleven() {
        judge(super::is_bsn, &["111222333", "1112.22.333", "123456782"], &["111252333", "999999999"]);
    }
}
