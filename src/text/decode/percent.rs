//! Percent-encoding (RFC 3986 §2.1), of UTF-8 bytes; and the old `%uHHHH` form.

use super::escape::utf16_unit;
use super::hex::nibble;

/// The encoding's name.
pub(super) const NAME: &str = "percent";

/// One character, from a text that starts with `%`: how many bytes it takes, and what it is.
pub(super) fn character(bytes: &[u8]) -> Option<(usize, char)> {
    if let Some(found) = utf16_unit(bytes, b"%u").or_else(|| utf16_unit(bytes, b"%U")) {
        return Some(found);
    }
    let first = byte(bytes)?;
    let length = match first {
        0x00..=0x7F => return Some((3, char::from(first))),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let mut utf8 = [0; 4];
    for (index, slot) in utf8.iter_mut().take(length).enumerate() {
        *slot = byte(bytes.get(index * 3..)?)?;
    }
    let text = std::str::from_utf8(utf8.get(..length)?).ok()?;
    text.chars().next().map(|c| (length * 3, c))
}

fn byte(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    Some(nibble(*high)? << 4 | nibble(*low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_utf8_and_utf16_forms_are_read() {
        assert_eq!(character(b"%41bc"), Some((3, 'A')));
        assert_eq!(character(b"%e2%82%ac"), Some((9, '€')));
        assert_eq!(character("%F0%9F%99%82".as_bytes()), Some((12, '🙂')));
        assert_eq!(character(b"%u20ac"), Some((6, '€')));
        for text in ["%", "%4", "%4g", "% 41", "%80", "%C3", "%C3%41", "%C3x", "%ED%A0%80", "%u12", "100% sure"] {
            assert_eq!(character(text.as_bytes()), None, "{text}");
        }
    }
}
