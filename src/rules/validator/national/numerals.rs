//! What national numbers share: digits out of their separators, weighted sums, common check systems, dates.

/// Exactly so many digits, whatever punctuation and spaces stand between them. A letter among them is refused.
pub(super) fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut all = [0; N];
    let mut count = 0;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => {
                *all.get_mut(count)? = byte - b'0';
                count += 1;
            }
            b'A'..=b'Z' | b'a'..=b'z' => return None,
            _ => {}
        }
    }
    (count == N).then_some(all)
}

/// Exactly so many ASCII letters and digits, letters in upper case, without what stands between them.
pub(super) fn alphanumerics<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut all = [0; N];
    let mut count = 0;
    for byte in text.bytes().filter(u8::is_ascii_alphanumeric) {
        *all.get_mut(count)? = byte.to_ascii_uppercase();
        count += 1;
    }
    (count == N).then_some(all)
}

/// ASCII digits to their values; `None` if something else is among them.
pub(super) fn values<const N: usize>(ascii: &[u8]) -> Option<[u8; N]> {
    let ascii: &[u8; N] = ascii.try_into().ok()?;
    ascii.iter().all(u8::is_ascii_digit).then(|| ascii.map(|byte| byte - b'0'))
}

/// The sum of products; the shorter of the two ends it.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// The digits as a number. For at most 19 of them.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}

/// The number that two digits make.
pub(super) fn pair(tens: u8, ones: u8) -> u32 {
    u32::from(tens) * 10 + u32::from(ones)
}

/// A weighted sum of values up to 35: digits as they are, `A` is 10.
pub(super) fn weighted_alphanumerics(ascii: &[u8], weights: &[u32]) -> u32 {
    ascii.iter().zip(weights).map(|(byte, weight)| base36(*byte) * weight).sum()
}

/// `0` to `9` are 0 to 9, `A` to `Z` are 10 to 35.
pub(super) fn base36(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

/// The sum of Luhn's system (ISO/IEC 7812-1, annex B): 0 modulo 10 for a number with a correct check digit.
pub(super) fn luhn_sum(digits: &[u8]) -> u32 {
    digits.iter().rev().enumerate().fold(0, |sum, (index, digit)| {
        let digit = u32::from(*digit);
        sum + match (index % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        }
    })
}

/// Luhn's system, for digits that are not all the same.
pub(super) fn luhn(digits: &[u8]) -> bool {
    is_varied(digits) && luhn_sum(digits).is_multiple_of(10)
}

/// ISO/IEC 7064 MOD 11,10: the last digit checks the others.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let rest = body.iter().fold(10, |rest, digit| {
        let sum = (rest + u32::from(*digit)) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - rest) % 10 == u32::from(*last)
}

/// Verhoeff's system: the last digit checks the others.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    /// The permutation, applied once more for every place to the left.
    const STEP: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut check = 0;
    for (index, digit) in digits.iter().rev().enumerate() {
        let mut digit = *digit;
        for _ in 0..index % 8 {
            digit = STEP.get(usize::from(digit)).copied().unwrap_or(0);
        }
        check = dihedral(check, digit);
    }
    check == 0
}

/// The product in the dihedral group of order ten.
fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - b) % 5 + 5,
        (false, false) => (5 + a - b) % 5,
    }
}

/// True if at least two digits differ: `0000000000` passes many systems and is nobody's.
pub(super) fn is_varied(digits: &[u8]) -> bool {
    digits.windows(2).any(|pair| pair[0] != pair[1])
}

/// True for a day of the calendar. A year of two digits is written as the one of the century that is meant.
pub(super) fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// True for a day of the calendar of which only two digits of the year are known: 29 February of year 00 is one.
pub(super) fn is_short_date(year: u32, month: u32, day: u32) -> bool {
    is_date(year % 100 + 2000, month, day)
}

/// For the tests of the countries: every good number passes, no bad one does.
#[cfg(test)]
pub(super) fn judge(check: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
    for good in good {
        assert!(check(good), "{good}");
    }
    for bad in bad {
        assert!(!check(bad), "{bad}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_taken_out_of_their_separators() {
        assert_eq!(digits::<4>(" 1-2.3/4"), Some([1, 2, 3, 4]));
        assert_eq!(digits::<4>("12345"), None);
        assert_eq!(digits::<4>("123"), None);
        assert_eq!(digits::<4>("12a34"), None);
        assert_eq!(alphanumerics::<3>("a-1 é b"), Some(*b"A1B"));
        assert_eq!(values::<2>(b"1a"), None);
    }

    #[test]
    fn the_systems_accept_their_published_examples() {
        // 7992739871-3: Luhn's patent as Wikipedia has it; 236-3: Verhoeff; 0794-5: ISO/IEC 7064.
        assert!(luhn(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3]));
        assert!(!luhn(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 4]));
        assert!(verhoeff(&[2, 3, 6, 3]));
        assert!(!verhoeff(&[2, 3, 6, 4]));
        assert!(mod_11_10(&[0, 7, 9, 4, 5]));
        assert!(!mod_11_10(&[0, 7, 9, 4, 6]));
    }

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        assert!(is_date(2000, 2, 29));
        assert!(!is_date(1900, 2, 29));
        assert!(is_short_date(0, 2, 29));
        assert!(!is_date(2023, 4, 31));
        assert!(!is_date(2023, 13, 1));
        assert!(!is_date(2023, 1, 0));
    }
}
