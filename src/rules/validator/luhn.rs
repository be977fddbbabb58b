//! The Luhn check digit (ISO/IEC 7812-1, annex B).
//!
//! Looks for: 12 to 19 digits, spaces and hyphens between them ignored, whose check digit fits. Misses: nothing that a
//! card scheme issues. One in ten random numbers passes. Example: `4111 1111 1111 1111`.

/// True for the digits of a possible payment card.
pub(super) fn is_valid(text: &str) -> bool {
    let (mut sum, mut count) = (0u32, 0u32);
    let mut first = None;
    let mut same = true;
    for byte in text.bytes().rev() {
        match byte {
            b'0'..=b'9' => {
                let digit = u32::from(byte - b'0');
                same &= *first.get_or_insert(digit) == digit;
                let doubled = digit * 2;
                sum += match count % 2 {
                    0 => digit,
                    _ if doubled > 9 => doubled - 9,
                    _ => doubled,
                };
                count += 1;
                // Longer than any card; also bounds the sum.
                if count > 19 {
                    return false;
                }
            }
            b' ' | b'-' | b'.' | b'\t' | b'\n' | b'\r' => {}
            _ => return false,
        }
    }
    count >= 12 && !same && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn the_schemes_test_numbers_pass_and_a_changed_digit_fails() {
        for good in ["4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "6011111111111117"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in
            ["4111111111111112", "0000000000000000", "41111111111", "4111x11111111111", "", "42424242424242424242"]
        {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
