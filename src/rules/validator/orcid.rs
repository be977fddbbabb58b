//! ISO 7064 MOD 11-2 over sixteen characters: ORCID iDs and ISNIs (ISO 27729), which name one person each.
//!
//! Looks for: fifteen digits and the check character, which may be `X`. Misses: nothing. Example: `0000-0002-1825-0097`.

/// True for a number whose check character fits.
pub(super) fn is_valid(text: &str) -> bool {
    let mut characters = text.bytes().filter(u8::is_ascii_alphanumeric);
    let mut rest = 0;
    for _ in 0..15 {
        let Some(digit @ b'0'..=b'9') = characters.next() else { return false };
        rest = (rest + u32::from(digit - b'0')) * 2 % 11;
    }
    let check = (12 - rest) % 11;
    let expected = if check == 10 { b'X' } else { b"0123456789".get(check as usize).copied().unwrap_or(b'X') };
    characters.next().is_some_and(|last| last.to_ascii_uppercase() == expected) && characters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn the_check_character_must_fit() {
        for good in ["0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["0000-0002-1825-0098", "0000-0002-1825-009", "0000-0002-1825-00970", "", "X000-0002-1825-0097"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
