//! Finland: personal identity code (DVV).
//!
//! Looks for: a date of birth, a sign for the century (also those added in 2023), a check character modulo 31. Misses:
//! nothing. Example: `131052-308T`.

use super::numerals::{is_short_date, number, pair, values};

/// Date, sign of the century, serial, check character.
pub(super) fn is_hetu(text: &str) -> bool {
    /// The check character for each remainder.
    const CHECK: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let Ok([date @ .., sign, s1, s2, s3, check]) = <[u8; 11]>::try_from(text.trim().as_bytes()) else { return false };
    let (Some(d), Some(serial)) = (values::<6>(&date), values::<3>(&[s1, s2, s3])) else { return false };
    let all = number(&d) * 1000 + number(&serial);
    b"+-ABCDEFUVWXY".contains(&sign.to_ascii_uppercase())
        && number(&serial) >= 2
        && is_short_date(pair(d[4], d[5]), pair(d[2], d[3]), pair(d[0], d[1]))
        && CHECK.get((all % 31) as usize) == Some(&check.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn date_and_check_character_must_fit() {
        judge(
            super::is_hetu,
            &["131052-308T", "131052A308T", "131052-308t"],
            &["131052-308U", "131352-308T", "310252-308Y", "131052Z308T"],
        );
    }
}
