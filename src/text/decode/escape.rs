//! Backslash escapes of JSON (RFC 8259 §7), JavaScript, Python and C strings.

use super::hex::nibble;

/// The encoding's name.
pub(super) const NAME: &str = "escape";

/// One character, from a text that starts with `\`: how many bytes it takes, and what it is.
///
/// Any number of backslashes may stand before the letter: JSON inside JSON doubles them, and undoing each doubling as a
/// layer of its own would gain nothing.
pub(super) fn character(bytes: &[u8]) -> Option<(usize, char)> {
    let slashes = bytes.iter().take_while(|byte| **byte == b'\\').count();
    let last = bytes.get(slashes.checked_sub(1)?..)?;
    let outer = slashes - 1;
    let found = match last.get(1) {
        Some(b'u') => utf16_unit(last, b"\\u").or_else(|| braced(last)),
        Some(b'U') => code_point(last.get(2..10)?).map(|c| (10, c)),
        Some(b'x') => bytes_in_hex(last),
        Some(b'n') => Some((2, '\n')),
        Some(b't') => Some((2, '\t')),
        Some(b'r') => Some((2, '\r')),
        Some(quote @ (b'"' | b'\'' | b'/' | b'`')) => Some((2, char::from(*quote))),
        Some(b'0'..=b'3') => octal(last),
        _ => None,
    };
    match found {
        Some((length, c)) => Some((outer + length, c)),
        None if outer > 0 => Some((slashes, '\\')),
        None => None,
    }
}

/// One UTF-16 code unit in four hexadecimal digits after `prefix`, or a surrogate pair of two such.
pub(super) fn utf16_unit(bytes: &[u8], prefix: &[u8]) -> Option<(usize, char)> {
    let length = prefix.len() + 4;
    let unit = |bytes: &[u8]| hex_value(bytes.strip_prefix(prefix)?.get(..4)?);
    let first = unit(bytes)?;
    if let Some(c) = char::from_u32(first) {
        return Some((length, c));
    }
    let second = unit(bytes.get(length..)?)?;
    let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    char::decode_utf16(pair).next()?.ok().map(|c| (length * 2, c))
}

/// `\u{…}` with one to six digits.
fn braced(bytes: &[u8]) -> Option<(usize, char)> {
    let digits = bytes.strip_prefix(b"\\u{")?;
    let length = digits.iter().take(7).position(|byte| *byte == b'}')?;
    code_point(digits.get(..length)?).map(|c| (length + 4, c))
}

/// `\xHH`: a character of Latin-1, or the UTF-8 bytes of one character as several such escapes.
fn bytes_in_hex(bytes: &[u8]) -> Option<(usize, char)> {
    let byte = |index: usize| {
        let digits = bytes.get(index * 4..)?.strip_prefix(b"\\x")?.get(..2)?;
        u8::try_from(hex_value(digits)?).ok()
    };
    let first = byte(0)?;
    let mut utf8 = [first, 0, 0, 0];
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Some((4, char::from(first))),
    };
    for (index, slot) in utf8.iter_mut().enumerate().take(length).skip(1) {
        *slot = byte(index).unwrap_or_default();
    }
    let decoded =
        utf8.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    Some(decoded.map_or((4, char::from(first)), |c| (length * 4, c)))
}

/// `\NNN`: three octal digits.
fn octal(bytes: &[u8]) -> Option<(usize, char)> {
    let digits = bytes.get(1..4)?;
    let value = digits.iter().try_fold(0, |value, digit| Some(value * 8 + char::from(*digit).to_digit(8)?))?;
    char::from_u32(value).map(|c| (4, c))
}

fn code_point(digits: &[u8]) -> Option<char> {
    char::from_u32(hex_value(digits)?)
}

/// The value of one to eight hexadecimal digits.
fn hex_value(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| Some(value << 4 | u32::from(nibble(*digit)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, expected) in [
            (r"\u0041b", (6, 'A')),
            (r"\ud83d\ude42", (12, '🙂')),
            (r"\u{1F642}", (9, '🙂')),
            (r"\U0001F642", (10, '🙂')),
            (r"\x41", (4, 'A')),
            (r"\xe2\x82\xac", (12, '€')),
            (r"\xe4b", (4, 'ä')),
            (r"\101", (4, 'A')),
            (r"\n", (2, '\n')),
            (r#"\\\""#, (4, '"')),
            (r"\\\\u0041", (9, 'A')),
            (r"\\d", (2, '\\')),
        ] {
            assert_eq!(character(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in
            ["\\", r"\d", r"\u00g1", r"\u12", r"\ud83d", r"\ud83dx", r"\u{}", r"\u{1234567}", r"\U00", r"\x4", r"\19"]
        {
            assert_eq!(character(text.as_bytes()), None, "{text}");
        }
    }
}
