//! Vehicle identification numbers with the check digit of North America and China (ISO 3779, 49 CFR 565).
//!
//! Looks for: seventeen letters and digits without `I`, `O`, `Q`, whose ninth place checks the others. Misses: vehicles for
//! Europe, which have no check digit. Example: `1M8GDM9AXKP042788`.

/// True for a number whose check digit fits.
pub(super) fn is_valid(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    /// Values of `A` to `Z`; 0 is no letter of these.
    const LETTERS: [u32; 26] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9];
    let bytes = text.trim().as_bytes();
    let mut sum = 0;
    for (byte, weight) in bytes.iter().zip(WEIGHTS) {
        let value = match byte.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => u32::from(digit - b'0'),
            letter @ b'A'..=b'Z' => match LETTERS.get(usize::from(letter - b'A')) {
                Some(value @ 1..) => *value,
                _ => return false,
            },
            _ => return false,
        };
        sum += value * weight;
    }
    let check = b"0123456789X".get((sum % 11) as usize).copied();
    // Makers are told by letters; seventeen digits are some other number.
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    bytes.len() == 17 && letters >= 2 && bytes.get(8).map(u8::to_ascii_uppercase) == check
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn the_check_digit_must_fit() {
        for good in ["1M8GDM9AXKP042788", "5GZCZ43D13S812715", "1hgcm82633a004352"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "1M8GDM9A0KP042788",
            "1M8GDM9AXKP04278",
            "1M8GDM9AXKP0427888",
            "IM8GDM9AXKP042788",
            "11111111111111111",
            "",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
