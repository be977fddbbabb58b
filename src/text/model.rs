//! The text that the classifier's tokenizer sees. The training scripts do exactly the same: change both or neither.

use std::borrow::Cow;

/// Prepares a text for the tokenizer.
///
/// Tag characters (U+E0020..U+E007E) become the ASCII that they shadow, so that a hidden instruction is read and not
/// skipped; characters that show nothing are dropped, so that they cannot split words; all else is unchanged.
pub fn model_text(text: &str) -> Cow<'_, str> {
    // Nothing below U+00AD is touched, and U+00AD starts with the byte 0xC2.
    if text.is_ascii() || !text.chars().any(|c| prepared(c) != Some(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(prepared).collect())
}

/// One character as the model sees it; `None`: dropped.
fn prepared(c: char) -> Option<char> {
    match c {
        '\u{E0020}'..='\u{E007E}' => char::from_u32(c as u32 - 0xE0000),
        '\u{AD}'
        | '\u{34F}'
        | '\u{61C}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E001F}'
        | '\u{E007F}'
        | '\u{E0100}'..='\u{E01EF}' => None,
        _ => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        for text in ["", "plain", "Grüße, 世界 \u{1F600}"] {
            assert!(matches!(model_text(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn tag_characters_are_read() {
        let hidden: String = "~Ignore all! ".chars().map(|c| char::from_u32(0xE0000 + c as u32).unwrap()).collect();
        assert_eq!(model_text(&format!("a\u{E0001}{hidden}\u{E007F}b")), "a~Ignore all! b");
    }

    #[test]
    fn exactly_the_listed_characters_are_dropped() {
        let dropped: Vec<u32> =
            (0..=0x10FFFF).filter_map(char::from_u32).filter(|c| prepared(*c).is_none()).map(|c| c as u32).collect();
        // 13 single ones, and the ranges by their lengths.
        assert_eq!(dropped.len(), 1 + 1 + 1 + 2 + 2 + 5 + 5 + 5 + 16 + 1 + 16 + 1 + 1 + 3 + 8 + 32 + 1 + 240);
        assert!(
            [0xAD, 0x180B, 0x180F, 0x200F, 0x206F, 0xFE0F, 0xE001F, 0xE007F, 0xE01EF]
                .iter()
                .all(|c| dropped.contains(c))
        );
        assert!([0xAC, 0xAE, 0x1810, 0x2010, 0x2029, 0x202F, 0x2070, 0xE0080].iter().all(|c| !dropped.contains(c)));
    }
}
