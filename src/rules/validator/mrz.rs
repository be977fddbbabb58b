//! Machine readable zones of passports, cards and visas (ICAO Doc 9303, parts 4 to 7).
//!
//! Looks for: the lines that hold number, dates and their check digits: the second line of a passport or visa (44) or a large
//! card (36), the first two lines of a small card (30 each). Misses: zones with a character read wrongly. Example:
//! `L898902C36UTO7408122F1204159ZE184226B<<<<<10`.

/// True for lines whose check digits fit.
pub(super) fn is_valid(text: &str) -> bool {
    let mut zone = [0; 60];
    let mut count = 0;
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let Some(place) = zone.get_mut(count) else { return false };
        *place = byte.to_ascii_uppercase();
        count += 1;
    }
    let fits = |from: usize, to: usize| {
        zone.get(from..to).zip(zone.get(to)).is_some_and(|(field, check)| *check == check_digit(field))
    };
    match count {
        36 | 44 => fits(0, 9) && fits(13, 19) && fits(21, 27),
        60 => fits(5, 14) && fits(30, 36) && fits(38, 44),
        _ => false,
    }
}

/// Weights 7, 3, 1; `<` is 0, `A` is 10.
fn check_digit(field: &[u8]) -> u8 {
    let sum: u32 = field
        .iter()
        .zip([7, 3, 1].iter().cycle())
        .map(|(byte, weight)| match byte {
            b'0'..=b'9' => u32::from(byte - b'0') * weight,
            b'A'..=b'Z' => (u32::from(byte - b'A') + 10) * weight,
            _ => 0,
        })
        .sum();
    b'0' + u8::try_from(sum % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn the_specimens_of_the_standard_pass() {
        for good in [
            "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
            "D231458907UTO7408122F1204159<<<<<<<6",
            "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "L898902C46UTO7408122F1204159ZE184226B<<<<<10",
            "L898902C36UTO7408132F1204159ZE184226B<<<<<10",
            "L898902C36UTO",
            "",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
