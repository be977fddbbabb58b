//! International telephone numbers with their country code (ITU-T E.164, E.164.1).
//!
//! Looks for: a `+` or `00`, a country code that is assigned, a length that this country uses. Misses: satellite and other
//! global services. Example: `+44 20 7946 0958`.

/// Country codes of one, two or three digits with the fewest and most digits that follow. Others: 7 to 12.
const LENGTHS: [(u32, usize, usize); 24] = [
    (1, 10, 10),
    (7, 10, 10),
    (20, 8, 10),
    (27, 9, 9),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (36, 8, 9),
    (39, 6, 11),
    (41, 9, 9),
    (43, 7, 13),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 10),
    (47, 8, 8),
    (48, 9, 9),
    (49, 7, 11),
    (52, 10, 10),
    (55, 10, 11),
    (61, 9, 9),
    (65, 8, 8),
    (86, 10, 11),
    (91, 10, 10),
];

/// True for a number that could be dialled from abroad.
pub(super) fn is_plausible(text: &str) -> bool {
    let text = text.trim_start();
    let Some(rest) = text.strip_prefix('+').or_else(|| text.strip_prefix("00")) else { return false };
    // The trunk zero in brackets is not dialled: +44 (0)20.
    let rest = rest.replacen("(0)", "", 1);
    let mut digits = [0; 15];
    let mut count = 0;
    for byte in rest.bytes().filter(u8::is_ascii_digit) {
        let Some(place) = digits.get_mut(count) else { return false };
        *place = byte - b'0';
        count += 1;
    }
    let Some(digits) = digits.get(..count).filter(|digits| digits.len() >= 8) else { return false };
    let code = |length: usize| digits.iter().take(length).fold(0, |code, digit| code * 10 + u32::from(*digit));
    let length = match digits {
        [1 | 7, ..] => 1,
        [2, 0 | 7, ..] | [3, 0..=4 | 6 | 9, ..] | [4, 0 | 1 | 3..=9, ..] => 2,
        [5, 1..=8, ..] | [6, 0..=6, ..] | [8, 1 | 2 | 4 | 6, ..] | [9, 0..=5 | 8, ..] => 2,
        [2, 1..=6 | 8 | 9, ..] | [3, 5 | 7 | 8, ..] | [4, 2, ..] | [5, 0 | 9, ..] | [6, 7..=9, ..] => 3,
        [8, 5 | 8, ..] | [9, 6 | 7 | 9, ..] => 3,
        _ => return false,
    };
    let known = LENGTHS.iter().find(|(known, ..)| *known == code(length));
    let (least, most) = known.map_or((7, 12), |(_, least, most)| (*least, *most));
    let national = digits.get(length..).unwrap_or_default();
    let varied = national.windows(2).any(|pair| pair[0] != pair[1]);
    let dialable = match (length, digits) {
        // North America: area and exchange begin with 2 to 9.
        (1, [1, area, _, _, exchange, ..]) => *area >= 2 && *exchange >= 2,
        _ => true,
    };
    varied && dialable && (least..=most).contains(&national.len())
}

#[cfg(test)]
mod tests {
    use super::is_plausible;

    #[test]
    fn code_and_length_must_belong_together() {
        for good in [
            "+44 20 7946 0958",
            "+1-212-555-0147",
            "+4930901820",
            "0033 1 70 18 99 00",
            "+44 (0)20 7946 0958",
            "+972 2 123 4567",
        ] {
            assert!(is_plausible(good), "{good}");
        }
        for bad in [
            "+5000000",
            "+157987855577943",
            "+1 112 555 0147",
            "+0 123 456 789",
            "+210 12345",
            "+44 000000000",
            "44 20 7946 0958",
            "",
        ] {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
