//! China: resident identity number (GB 11643).
//!
//! Looks for: province, date of birth, check character (ISO 7064 MOD 11-2). Misses: the old form of fifteen digits. Example:
//! `11010519491231002X`.

use super::numerals::{alphanumerics, is_date, pair, values, weighted};

/// Seventeen digits and a check character.
pub(super) fn is_rid(text: &str) -> bool {
    let Some([body @ .., check]) = alphanumerics::<18>(text) else { return false };
    values::<17>(&body).is_some_and(|d| {
        let year = pair(d[6], d[7]) * 100 + pair(d[8], d[9]);
        let rest = weighted(&d, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
        matches!(pair(d[0], d[1]), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
            && (1850..2100).contains(&year)
            && is_date(year, pair(d[10], d[11]), pair(d[12], d[13]))
            && b"10X98765432".get(rest as usize) == Some(&check)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn province_date_and_check_must_fit() {
        judge(
            super::is_rid,
            &["11010519491231002X", "440524188001010014"],
            &["110105194912310029", "110105194913310029", "990105194912310020"],
        );
    }
}
