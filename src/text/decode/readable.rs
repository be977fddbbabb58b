//! Which decoded bytes are text that somebody could have meant.

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
/// the sentence. NUL bytes are let through, so that UTF-16 text of ASCII reads well once it is canonical.
pub(super) fn readable(bytes: &[u8]) -> Readable {
    if !bytes.iter().any(|byte| is_control(*byte))
        && let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains(is_noise)
    {
        return if says_something(text) { Readable::Whole(text.to_owned()) } else { Readable::Nothing };
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

/// True when a text has enough letters and digits to say something.
pub(super) fn says_something(text: &str) -> bool {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || c.is_alphanumeric()).nth(SIGNS_MIN - 1).is_some()
}

/// True when so many characters that make a piece may stand in a row. Quick, and right for nearly all noise.
fn has_piece(bytes: &[u8]) -> bool {
    let mut characters = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let length = match byte {
            0x80..=0xC1 | 0xF5.. => 0,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            byte => usize::from(!is_control(*byte)),
        };
        let rest = bytes.get(at + 1..at + length).unwrap_or_default();
        let is_whole = length > 0 && rest.len() + 1 == length && rest.iter().all(|byte| matches!(byte, 0x80..=0xBF));
        if is_whole {
            characters += 1;
            at += length;
        } else {
            characters = 0;
            at += 1;
        }
        if characters >= PIECE_MIN {
            return true;
        }
    }
    false
}

/// An ASCII character that is noise.
fn is_control(byte: u8) -> bool {
    matches!(byte, 0x01..=0x08 | 0x0B | 0x0C | 0x0E..=0x1F | 0x7F)
}

fn is_noise(c: char) -> bool {
    c.is_control() && !matches!(c, '\0' | '\t' | '\n' | '\r') || c == char::REPLACEMENT_CHARACTER
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
    }
}
