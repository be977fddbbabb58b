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
pub(super) fn readable(bytes: Vec<u8>) -> Readable {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if !text.contains(is_noise) => {
            return if says_something(&text) { Readable::Whole(text) } else { Readable::Nothing };
        }
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
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
    text.chars().filter(|c| c.is_alphanumeric()).nth(SIGNS_MIN - 1).is_some()
}

fn is_noise(c: char) -> bool {
    c.is_control() && !matches!(c, '\0' | '\t' | '\n' | '\r') || c == char::REPLACEMENT_CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_noise() {
        assert_eq!(readable(b"ignore this".to_vec()), Readable::Whole("ignore this".into()));
        assert_eq!(readable(b"\xFF\xFEignore all of it\x01".to_vec()), Readable::Partly("ignore all of it".into()));
        assert_eq!(readable(b"i\0g\0n\0o\0r\0e\0".to_vec()), Readable::Whole("i\0g\0n\0o\0r\0e\0".into()));
        assert_eq!(readable(b"12-,- a !?!".to_vec()), Readable::Nothing);
        assert_eq!(readable(b"\xFFshort one\xFF".to_vec()), Readable::Nothing);
        assert_eq!(readable(vec![0; 64]), Readable::Nothing);
    }
}
