//! Iceland: identity number (Þjóðskrá).
//!
//! Looks for: a date (firms raise the day by 40), a check digit modulo 11, a digit for the century. Misses: system numbers of
//! foreigners. Example: `120174-3399`.

use super::numerals::{digits, is_short_date, pair, weighted};

/// Ten digits: date, serial, check digit, century.
pub(super) fn is_kennitala(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let check = (11 - weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        matches!(d[9], 0 | 8 | 9)
            && is_short_date(pair(d[4], d[5]), pair(d[2], d[3]), pair(d[0], d[1]) % 40)
            && check == u32::from(d[8])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_digit_must_fit() {
        judge(super::is_kennitala, &["120174-3399", "450401-3150"], &["120174-3389", "121374-3399", "120174-3391"]);
    }
}
