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
        // These count all their backslashes: what follows has as many.
        Some(b'x' | b'0'..=b'3') if byte(last).is_some() => return of_bytes(bytes, slashes),
        Some(b'n') => Some((2, '\n')),
        // Shells write so what colours a terminal.
        Some(b'e') if last.get(2) == Some(&b'[') => Some((2, '\u{1b}')),
        Some(b't') => Some((2, '\t')),
        Some(b'r') => Some((2, '\r')),
        Some(quote @ (b'"' | b'\'' | b'/' | b'`')) => Some((2, char::from(*quote))),
        Some(b'1' | b'4'..=b'7') => short_octal(last),
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

/// Bytes as `\xHH` or `\NNN`, each after so many backslashes: the UTF-8 bytes of one character, or one character of Latin-1.
fn of_bytes(bytes: &[u8], slashes: usize) -> Option<(usize, char)> {
    let unit = slashes + 3;
    let value = |index: usize| {
        let escape = bytes.get(index * unit..(index + 1) * unit)?;
        let (head, last) = escape.split_at_checked(slashes - 1)?;
        byte(last).filter(|_| head.iter().all(|slash| *slash == b'\\'))
    };
    let first = value(0)?;
    let mut utf8 = [first, 0, 0, 0];
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Some((unit, char::from(first))),
    };
    for (index, slot) in utf8.iter_mut().enumerate().take(length).skip(1) {
        *slot = value(index).unwrap_or_default();
    }
    let decoded =
        utf8.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    Some(decoded.map_or((unit, char::from(first)), |c| (length * unit, c)))
}

/// `\xHH`, or `\NNN` with three octal digits.
fn byte(escape: &[u8]) -> Option<u8> {
    let value = match escape.get(1)? {
        b'x' => hex_value(escape.get(2..4)?)?,
        _ => octal_value(escape.get(1..4)?)?,
    };
    u8::try_from(value).ok()
}

/// `\NN`: two octal digits, for a blank, a line end, or what is printed before the letters; all letters have three.
fn short_octal(bytes: &[u8]) -> Option<(usize, char)> {
    let c = char::from_u32(octal_value(bytes.get(1..3)?)?)?;
    // `\12` and `\120` are different ones, where there are letters beside `\401`.
    let is_alone = c >= ' ' || !bytes.get(3).is_some_and(u8::is_ascii_digit);
    (is_alone && matches!(c, '\t' | '\n' | '\r' | ' '..)).then_some((3, c))
}

fn octal_value(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 8 + char::from(*digit).to_digit(8)?))
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
            (r"\40b", (3, ' ')),
            (r"\401", (3, ' ')),
            (r"\72", (3, ':')),
            (r"\12\", (3, '\n')),
            (r"\320\270\320", (8, 'и')),
            (r"\345\277\275x", (12, '忽')),
            (r"\\xd0\\xb8", (10, 'и')),
            (r"\\\\xd0\\\\270", (14, 'и')),
            (r"\xd0\\xb8", (4, 'Ð')),
            (r"\320", (4, 'Ð')),
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
        for text in [
            "\\",
            r"\d",
            r"\u00g1",
            r"\u12",
            r"\ud83d",
            r"\ud83dx",
            r"\u{}",
            r"\u{1234567}",
            r"\U00",
            r"\x4",
            r"\19",
            r"\1",
            r"\16",
            r"\2",
            r"\38",
            r"\80",
            r"\7",
            r"\1a",
        ] {
            assert_eq!(character(text.as_bytes()), None, "{text}");
        }
    }
}
