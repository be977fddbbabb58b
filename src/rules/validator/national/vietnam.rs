//! Vietnam: citizen identity card (Bộ Công an).
//!
//! Looks for: province or country of birth, sex and century. Misses: nothing; there is no check digit. Example: `001099012345`.

use super::numerals::{digits, is_varied, number};

/// Twelve digits: province, sex and century, year, serial.
pub(super) fn is_cccd(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let century = d[3];
        matches!(number(&d[..3]), 1..=96) && century <= 3 && is_varied(&d[6..])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn the_province_must_exist() {
        judge(super::is_cccd, &["001099012345", "079203012345"], &["000099012345", "097099012345", "001999012345"]);
    }
}
