//! US Social Security numbers (SSA, POMS RM 10201.035: numbers that are never given out).
//!
//! Looks for: nine digits with an area of 001–665 or 667–899, a group not 00, a serial not 0000, and not one of the
//! numbers known from advertisements. Misses: taxpayer numbers (area 9xx). Example: `536-22-8726`.

/// Numbers that were printed in advertisements and manuals: 078-05-1120, 123-45-6789, 219-09-9999, 457-55-5462.
const KNOWN: [u32; 4] = [78_051_120, 123_456_789, 219_099_999, 457_555_462];

/// True when the digits could be a number in use.
pub(super) fn is_plausible(text: &str) -> bool {
    let mut number = 0u32;
    let mut count = 0;
    for byte in text.bytes().filter(u8::is_ascii_digit) {
        count += 1;
        if count > 9 {
            return false;
        }
        number = number * 10 + u32::from(byte - b'0');
    }
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    count == 9 && !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0 && !KNOWN.contains(&number)
}

#[cfg(test)]
mod tests {
    use super::is_plausible;

    #[test]
    fn numbers_never_given_out_fail() {
        for good in ["536-22-8726", "001 01 0001", "899991234"] {
            assert!(is_plausible(good), "{good}");
        }
        for bad in [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "536-00-8726",
            "536-22-0000",
            "078-05-1120",
            "123-45-6789",
            "53622872",
            "5362287261",
        ] {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
