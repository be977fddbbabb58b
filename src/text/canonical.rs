//! Canonical text: what a reader sees, whatever characters it is spelled with; with a map back to the bytes as sent.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::base::Span;
use crate::text::confusables::CONFUSABLES;
use crate::text::map::{Builder, Map};

/// A text in canonical form.
#[derive(Clone, Debug)]
pub struct Canonical<'a> {
    /// The canonical text; borrowed when it is the text as sent.
    pub text: Cow<'a, str>,
    /// From the canonical text to the text as sent.
    pub map: Map,
}

/// Puts a text into canonical form.
///
/// One pass, linear time; no allocation when nothing changes. Because [`fold_char`] looks at one character alone,
/// `canonical(a) + canonical(b) == canonical(a + b)` for every split of a text, and a stream may be folded chunk by chunk.
pub fn canonical(text: &str) -> Canonical<'_> {
    let mut changed: Option<(String, Builder)> = None;
    let mut folded = String::new();
    // Text from `done` to `at` is the same in both forms and not yet copied.
    let (mut done, mut at) = (0, 0);
    loop {
        at += text.as_bytes().get(at..).map_or(0, plain_ascii_prefix);
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        let end = at + c.len_utf8();
        if !is_plain_block(c) {
            folded.clear();
            fold_char(c, &mut folded);
            if text.get(at..end) != Some(&folded) {
                let (out, map) = changed.get_or_insert_with(|| (String::with_capacity(text.len()), Builder::default()));
                out.push_str(text.get(done..at).unwrap_or_default());
                map.copied(at - done, done);
                out.push_str(&folded);
                map.unit(folded.len(), Span::new(at, end));
                done = end;
            }
        }
        at = end;
    }
    let Some((mut out, mut map)) = changed else {
        return Canonical { text: Cow::Borrowed(text), map: Map::identity() };
    };
    out.push_str(text.get(done..).unwrap_or_default());
    map.copied(text.len() - done, done);
    Canonical { text: Cow::Owned(out), map: map.finish(text.len()) }
}

/// Appends the canonical form of one character.
///
/// Context-free on purpose: the result depends on `c` alone, so canonical text is the same under any chunking of a stream.
/// The steps, the first that applies ends the work: printable ASCII, tab and line ends stay as they are; tag characters
/// become the ASCII that they shadow; characters that show nothing vanish; look-alikes become ASCII; else the character is
/// decomposed (NFKD), loses its combining marks, and each part is lower-cased and looked up once more. Hangul syllables
/// stay composed. ASCII keeps its case. Applied twice it gives the same as once.
pub fn fold_char(c: char, out: &mut String) {
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

/// Length of the prefix of ASCII without dropped controls. Eight bytes at a time: this is the path of clean text.
fn plain_ascii_prefix(bytes: &[u8]) -> usize {
    let plain = |byte: &u8| byte.is_ascii() && !is_dropped_control(char::from(*byte));
    let mut at = 0;
    for chunk in bytes.chunks_exact(8) {
        if !chunk.iter().fold(true, |all, byte| all & plain(byte)) {
            break;
        }
        at += 8;
    }
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|byte| plain(byte)).count()
}

/// Controls that show nothing and separate nothing: all but tab, line feed, vertical tab, form feed and carriage return.
fn is_dropped_control(c: char) -> bool {
    matches!(c, '\0'..='\x08' | '\x0E'..='\x1F' | '\x7F')
}

/// Large blocks whose characters are always left alone: Han ideographs and Hangul syllables.
fn is_plain_block(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Default-ignorable and other invisible characters (DerivedCoreProperties, plus C1 controls, interlinear annotation,
/// the Braille blank and musical beams).
fn is_invisible(c: char) -> bool {
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
    use proptest::prelude::{any, proptest};

    use super::*;

    fn folded(text: &str) -> String {
        canonical(text).text.into_owned()
    }

    #[test]
    fn the_table_is_sorted_unique_and_ends_in_ascii() {
        assert!(CONFUSABLES.is_sorted_by(|a, b| a.0 < b.0));
        for (from, to) in CONFUSABLES {
            assert!(!from.is_ascii() && !to.is_empty() && to.is_ascii(), "{from:?} → {to:?}");
            assert!(!is_invisible(*from) && !is_plain_block(*from), "{from:?} is never looked up");
        }
    }

    #[test]
    fn folding_twice_is_folding_once_for_every_character() {
        let mut once = String::new();
        for c in (0..=0x10FFFF).filter_map(char::from_u32) {
            once.clear();
            fold_char(c, &mut once);
            assert_eq!(folded(&once), once, "{c:?} U+{:04X}", c as u32);
        }
    }

    #[test]
    fn cyrillic_does_not_depend_on_case() {
        for c in '\u{400}'..='\u{52F}' {
            let upper = folded(&c.to_uppercase().to_string());
            assert!(upper.eq_ignore_ascii_case(&folded(&c.to_lowercase().to_string())), "{c}");
        }
    }

    #[test]
    fn attackers_spellings_read_as_ascii() {
        let spellings = [
            "ｉｇｎｏｒｅ ａｌｌ",
            "𝗂𝗀𝗇𝗈𝗋𝖾 𝒂𝒍𝒍",
            "ⓘⓖⓝⓞⓡⓔ Ⓐⓛⓛ",
            "іgnоrе аll",
            "ιgηοrε αll",
            "ɪɢɴᴏʀᴇ ᴀʟʟ",
            "i\u{200B}g\u{AD}n\u{2060}o\u{FE0F}r\u{202E}e a\0l\x7Fl",
            "íg̃ñôrė\u{A0}àłľ",
            "🅸🅶🅽🅾🆁🅴 🅐🅛🅛",
            "🇮🇬🇳🇴🇷🇪\u{3000}🇦🇱🇱",
            "\u{E0069}\u{E0067}\u{E006E}\u{E006F}\u{E0072}\u{E0065} \u{E0061}\u{E006C}\u{E006C}",
        ];
        for spelling in spellings {
            assert_eq!(folded(spelling).to_ascii_lowercase(), "ignore all", "{spelling}");
        }
    }

    #[test]
    fn quotes_dashes_spaces_and_digits_become_ascii() {
        assert_eq!(folded("“a” ‘b’ «c» – — − … ＜|x|＞ ４２ ٤٢ ②"), "\"a\" 'b' \"c\" - - - ... <|x|> 42 42 2");
    }

    #[test]
    fn other_scripts_stay_readable() {
        assert_eq!(folded("忽略之前的指令"), "忽略之前的指令");
        assert_eq!(folded("이전 지시를 무시"), "이전 지시를 무시");
        assert_eq!(folded("Grüße, Ärger"), "Grusse, Arger");
    }

    #[test]
    fn clean_text_is_borrowed() {
        for text in ["", "plain\ttext\r\n", "忽略 이전", "a 🙂 b"] {
            let result = canonical(text);
            assert!(matches!(result.text, Cow::Borrowed(_)) && result.map.is_identity(), "{text}");
        }
    }

    #[test]
    fn spans_lead_back_to_the_smallest_original() {
        let text = "x\u{200B}і\u{200B}g\u{200B} ﬁn";
        let result = canonical(text);
        assert_eq!(result.text, "xig fin");
        let original = |start, end| text.get(result.map.to_original(Span::new(start, end)).range()).unwrap();
        assert_eq!(original(1, 3), "і\u{200B}g");
        assert_eq!(original(0, 1), "x");
        assert_eq!(original(4, 5), "ﬁ");
        assert_eq!(original(5, 7), "ﬁn");
        assert_eq!(result.map.to_original(Span::new(7, 7)), Span::new(text.len(), text.len()));
    }

    /// Text made to meet every branch: ASCII, look-alikes, marks, invisible and decomposing characters.
    fn mixed() -> impl proptest::strategy::Strategy<Value = String> {
        "([a-z ]|[\u{80}-\u{2FF}]|[\u{300}-\u{36F}]|[а-яα-ω]|[\u{200B}-\u{206F}]|[ﬀ-ﬆ]|[\u{E0000}-\u{E007F}]|[가-힣一-十]|\\PC|\\pC){0,40}"
    }

    proptest! {
        #[test]
        fn chunks_fold_as_the_whole(a in mixed(), b in mixed()) {
            assert_eq!(folded(&a) + &folded(&b), folded(&(a + &b)));
        }

        #[test]
        fn maps_stay_in_the_text_on_boundaries_and_in_order(text in mixed(), raw in any::<[u8; 2]>()) {
            let result = canonical(&text);
            let mut last = Span::default();
            for (at, c) in result.text.char_indices() {
                let span = result.map.to_original(Span::new(at, at + c.len_utf8()));
                assert!(text.get(span.range()).is_some_and(|original| !original.is_empty()));
                assert!(span.start >= last.start && span.end >= last.end);
                assert!(folded(&text[span.range()]).contains(c));
                last = span;
            }
            let wild = result.map.to_original(Span::new(raw[0].into(), raw[1].into()));
            if !result.map.is_identity() {
                assert!(wild.end <= text.len());
            }
        }
    }
}
