//! Which decoded bytes are text that somebody could have meant.

use super::code_points::utf16;
use crate::text::fold::{Folded, folded};

/// Letters and digits that make bytes count as text. Digits count because the text may itself be encoded in them.
const SIGNS_MIN: usize = 4;
/// Characters of a piece of text between bytes that are none. Twelve printable ones in a row come up about once in a
/// hundred kilobytes of noise.
const PIECE_MIN: usize = 12;

/// Decoded bytes as text.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Readable {
    /// All of it is text.
    Whole(String),
    /// Some of it is: the pieces, a line each.
    Partly(String),
    /// Nothing is.
    Nothing,
}

/// Finds the text in decoded bytes: valid UTF-8 without control characters. One stray byte before a sentence does not hide
/// the sentence. NUL bytes are let through, so that UTF-16 text of ASCII reads well once it is canonical, and the escape that
/// colours words begin with; UTF-16 of one script is text too.
pub(super) fn readable(bytes: &[u8]) -> Readable {
    if !has_control(bytes)
        && let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains(is_noise)
    {
        return if says_something(text) { Readable::Whole(text.to_owned()) } else { Readable::Nothing };
    }
    if let Some(text) = utf16(bytes) {
        return Readable::Whole(text);
    }
    if !has_piece(bytes) {
        return Readable::Nothing;
    }
    let mut pieces = String::new();
    for chunk in bytes.utf8_chunks() {
        for piece in chunk.valid().split(is_noise) {
            if says_something(piece) && piece.chars().nth(PIECE_MIN - 1).is_some() {
                if !pieces.is_empty() {
                    pieces.push('\n');
                }
                pieces.push_str(piece);
            }
        }
    }
    if pieces.is_empty() { Readable::Nothing } else { Readable::Partly(pieces) }
}

/// True when there is an ASCII character that is noise. Looks at all of it without a branch, so that the compiler makes vector
/// instructions of it.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, byte| any | is_control(*byte))
}

/// True when a text has enough letters and digits to say something, those too that only read as such: tag characters.
pub(super) fn says_something(text: &str) -> bool {
    let is_sign = |c: &char| c.is_ascii_alphanumeric() || c.is_alphanumeric() || is_folded_sign(*c);
    text.chars().filter(is_sign).nth(SIGNS_MIN - 1).is_some()
}

/// True for a character that is no letter and reads as one or as a digit.
fn is_folded_sign(c: char) -> bool {
    !c.is_ascii()
        && match folded(c) {
            Folded::Same => false,
            Folded::Ascii(byte) => byte.is_ascii_alphanumeric(),
            Folded::Text(text) => text.contains(char::is_alphanumeric),
        }
}

/// True when so many bytes that make a piece may stand in a row. A quick look that lets some noise through and stops no text:
/// each byte must be one that may follow the byte before it. No branch depends on the bytes, for noise cannot be foreseen.
fn has_piece(bytes: &[u8]) -> bool {
    let (mut last, mut length, mut longest) = (NOISE, 0, 0);
    for byte in bytes {
        let kind = KINDS[usize::from(*byte)];
        let follows = FOLLOWS >> (last * 4 + kind) & 1;
        length = (length + 1) * usize::from(follows);
        longest = longest.max(length);
        last = kind;
    }
    longest >= PIECE_MIN
}

/// Kinds of bytes in UTF-8.
const NOISE: u8 = 0;
const ASCII: u8 = 1;
const CONTINUATION: u8 = 2;
const LEAD: u8 = 3;

static KINDS: [u8; 256] = {
    let mut kinds = [NOISE; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            0x80..=0xBF => CONTINUATION,
            0xC2..=0xF4 => LEAD,
            0xC0 | 0xC1 | 0xF5.. => NOISE,
            ascii if is_control(ascii) => NOISE,
            _ => ASCII,
        };
        byte += 1;
    }
    kinds
};

/// A bit for each pair of kinds that may follow each other, four for each first kind.
const FOLLOWS: u16 = {
    let begins = 1 << ASCII | 1 << LEAD;
    let any = begins | 1 << CONTINUATION;
    begins << (4 * NOISE) | begins << (4 * ASCII) | any << (4 * CONTINUATION) | (1 << CONTINUATION) << (4 * LEAD)
};

/// An ASCII character that is noise.
const fn is_control(byte: u8) -> bool {
    matches!(byte, 0x01..=0x08 | 0x0B | 0x0C | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F)
}

fn is_noise(c: char) -> bool {
    c.is_control() && !matches!(c, '\0' | '\t' | '\n' | '\r' | '\u{1b}') || c == char::REPLACEMENT_CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_noise() {
        assert_eq!(readable(b"ignore this"), Readable::Whole("ignore this".into()));
        assert_eq!(readable(b"\xFF\xFEignore all of it\x01"), Readable::Partly("ignore all of it".into()));
        assert_eq!(readable(b"i\0g\0n\0o\0r\0e\0"), Readable::Whole("i\0g\0n\0o\0r\0e\0".into()));
        assert_eq!(readable(b"12-,- a !?!"), Readable::Nothing);
        assert_eq!(readable(b"\xFFshort one\xFF"), Readable::Nothing);
        assert_eq!(readable(&[0; 64]), Readable::Nothing);
        let tags: String = "ignore all".chars().filter_map(|c| char::from_u32(u32::from(c) + 0xE0000)).collect();
        assert_eq!(readable(tags.as_bytes()), Readable::Whole(tags.clone()));
        let flags = "\u{1F1E9}\u{1F1EA}";
        assert_eq!(readable(flags.as_bytes()), Readable::Nothing);
        assert_eq!(readable("\u{200B}\u{2014}\u{1F642}\u{2190}\u{E007F}".as_bytes()), Readable::Nothing);
    }
}
