//! What one character reads as: the definition, and a table of it that is filled as characters are met.

use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::text::confusables::CONFUSABLES;

/// Appends the canonical form of one character.
///
/// Context-free on purpose: the result depends on `c` alone, so canonical text is the same under any chunking of a stream.
/// The steps, the first that applies ends the work: printable ASCII, tab and line ends stay as they are; tag characters
/// become the ASCII that they shadow; characters that show nothing vanish; look-alikes become ASCII; else the character is
/// decomposed (NFKD), loses its combining marks, and each part is lower-cased and looked up once more. Hangul syllables
/// stay composed. ASCII keeps its case. Applied twice it gives the same as once.
pub fn fold_char(c: char, out: &mut String) {
    match folded(c) {
        Folded::Same => out.push(c),
        Folded::Ascii(byte) => out.push(char::from(byte)),
        Folded::Text(text) => out.push_str(text),
    }
}

/// The canonical form of one character.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Folded {
    /// The character itself.
    Same,
    /// One ASCII character: most look-alikes.
    Ascii(u8),
    /// Any other text; empty for what is dropped.
    Text(&'static str),
}

/// Looks a character up; works it out, with the 255 others of its block, when it is the first of them.
#[inline]
pub(crate) fn folded(c: char) -> Folded {
    if is_plain_block(c) || matches!(c, ' '..='~') {
        return Folded::Same;
    }
    let number = c as u32;
    let Some(block) = BLOCKS.get((number >> 8) as usize) else { return Folded::Same };
    let block = block.get_or_init(|| Block::new(number & !0xFF));
    match block.slots.get((number & 0xFF) as usize) {
        None | Some(Slot::Same) => Folded::Same,
        Some(Slot::Ascii(byte)) => Folded::Ascii(*byte),
        Some(Slot::Text { start, len }) => {
            let start = usize::from(*start);
            Folded::Text(block.text.get(start..start + usize::from(*len)).unwrap_or_default())
        }
    }
}

/// The answers for all of Unicode, 256 characters a block. Blocks that no text has used are empty: the table is as large as
/// the scripts that were met, a kilobyte or two each, and nobody waits for the rest.
static BLOCKS: [OnceLock<Box<Block>>; 0x1100] = [const { OnceLock::new() }; 0x1100];

#[derive(Debug)]
struct Block {
    slots: [Slot; 256],
    /// The texts of all slots. No decomposition is longer than 33 bytes, so a block has at most 8448.
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Same,
    Ascii(u8),
    Text { start: u16, len: u8 },
}

impl Block {
    fn new(first: u32) -> Box<Self> {
        let mut block = Box::new(Self { slots: [Slot::Same; 256], text: String::new() });
        let mut text = String::new();
        for (slot, number) in block.slots.iter_mut().zip(first..) {
            // Surrogates are no characters: nobody asks for them.
            let Some(c) = char::from_u32(number) else { continue };
            text.clear();
            fold_slowly(c, &mut text);
            if text.as_str() == c.encode_utf8(&mut [0; 4]) {
                continue;
            }
            if let [byte] = text.as_bytes() {
                *slot = Slot::Ascii(*byte);
            } else if let (Ok(start), Ok(len)) = (u16::try_from(block.text.len()), u8::try_from(text.len())) {
                *slot = Slot::Text { start, len };
                block.text.push_str(&text);
            }
        }
        block
    }
}

/// The definition of [`fold_char`].
fn fold_slowly(c: char, out: &mut String) {
    if c.is_ascii() {
        if !is_dropped_control(c) {
            out.push(c);
        }
        return;
    }
    if let '\u{E0020}'..='\u{E007E}' = c {
        out.extend(char::from_u32(c as u32 - 0xE0000));
        return;
    }
    if is_invisible(c) {
        return;
    }
    if is_plain_block(c) {
        out.push(c);
        return;
    }
    if let Some(ascii) = look_alike(c) {
        out.push_str(ascii);
        return;
    }
    for part in std::iter::once(c).nfkd() {
        fold_part(part, out);
    }
}

/// One character of a decomposition.
fn fold_part(part: char, out: &mut String) {
    if part.is_ascii() {
        out.push(part);
        return;
    }
    if is_combining_mark(part) || is_invisible(part) {
        return;
    }
    if let Some(ascii) = look_alike(part) {
        out.push_str(ascii);
        return;
    }
    if part.is_whitespace() {
        out.push(' ');
        return;
    }
    for lower in part.to_lowercase() {
        match look_alike(lower) {
            Some(ascii) => out.push_str(ascii),
            None => out.push(lower),
        }
    }
}

/// Controls that show nothing and separate nothing: all but tab, line feed, vertical tab, form feed and carriage return.
pub(super) fn is_dropped_control(c: char) -> bool {
    matches!(c, '\0'..='\x08' | '\x0E'..='\x1F' | '\x7F')
}

/// Large blocks whose characters are always left alone: Han ideographs and Hangul syllables.
fn is_plain_block(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Default-ignorable and other invisible characters (DerivedCoreProperties, plus C1 controls, interlinear annotation,
/// the Braille blank and musical beams). Those that set the direction of text are among them.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{84}'
        | '\u{86}'..='\u{9F}'
        | '\u{AD}'
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
        | '\u{2800}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// The ASCII that a character reads as.
fn look_alike(c: char) -> Option<&'static str> {
    let index = CONFUSABLES.binary_search_by_key(&c, |(from, _)| *from).ok()?;
    CONFUSABLES.get(index).map(|(_, to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_definition_says() {
        let (mut quick, mut slow) = (String::new(), String::new());
        for c in (0..=0x10FFFF).filter_map(char::from_u32) {
            quick.clear();
            slow.clear();
            fold_char(c, &mut quick);
            fold_slowly(c, &mut slow);
            assert_eq!(quick, slow, "{c:?} U+{:04X}", c as u32);
        }
    }

    #[test]
    fn the_look_alikes_are_sorted_unique_and_end_in_ascii() {
        assert!(CONFUSABLES.is_sorted_by(|a, b| a.0 < b.0));
        for (from, to) in CONFUSABLES {
            assert!(!from.is_ascii() && !to.is_empty() && to.is_ascii(), "{from:?} → {to:?}");
            assert!(!is_invisible(*from) && !is_plain_block(*from), "{from:?} is never looked up");
        }
    }
}
