//! Canonical text: what a reader sees, whatever characters it is spelled with; with a map back to the bytes as sent.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use crate::base::Span;
use crate::text::fold::{Folded, folded};
use crate::text::map::{Builder, Map};
use crate::text::words;

/// Letters of the shortest word behind which a soft hyphen may stand for a blank.
const PARTED_LETTERS_MIN: usize = 3;

/// A text in canonical form.
#[derive(Clone, Debug)]
pub struct Canonical<'a> {
    /// The canonical text; borrowed when it is the text as sent.
    pub text: Cow<'a, str>,
    /// From the canonical text to the text as sent.
    pub map: Map,
    /// Places in the canonical text where a character vanished that shows nothing and may stand for a blank.
    pub gaps: Vec<usize>,
}

/// Puts a text into canonical form.
///
/// One pass, linear time; no allocation when nothing changes. Because [`fold_char`](crate::text::fold_char) looks at one character alone,
/// `canonical(a) + canonical(b) == canonical(a + b)` for every split of a text, and a stream may be folded chunk by chunk.
pub fn canonical(text: &str) -> Canonical<'_> {
    let mut changed: Option<(String, Builder)> = None;
    // Text from `done` to `at` is the same in both forms and not yet copied.
    let (mut done, mut at) = (0, 0);
    let mut gaps: Vec<usize> = Vec::new();
    loop {
        at += text.as_bytes().get(at..).map_or(0, unchanged_prefix);
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        let start = at;
        at += c.len_utf8();
        let folded = folded(c);
        if folded == Folded::Same {
            continue;
        }
        let (out, map) = changed.get_or_insert_with(|| (String::with_capacity(text.len()), Builder::default()));
        if done < start {
            out.push_str(text.get(done..start).unwrap_or_default());
            map.copied(start - done, done);
        }
        let length = match folded {
            Folded::Same => 0,
            Folded::Ascii(byte) => {
                out.push(char::from(byte));
                1
            }
            Folded::Text(text) => {
                out.push_str(text);
                text.len()
            }
        };
        map.unit(length, Span::new(start, at));
        let last = gaps.last().copied();
        if length == 0 && last != Some(out.len()) && may_part(c, out.get(last.unwrap_or(0)..).unwrap_or_default()) {
            gaps.push(out.len());
        }
        done = at;
    }
    let Some((mut out, mut map)) = changed else {
        return Canonical { text: Cow::Borrowed(text), map: Map::identity(), gaps };
    };
    out.push_str(text.get(done..).unwrap_or_default());
    map.copied(text.len() - done, done);
    Canonical { text: Cow::Owned(out), map: map.finish(text.len()), gaps }
}

/// True for what shows nothing at all, so that a writer may have put it in the place of a blank. Accents do show, the joiners
/// of other scripts stand inside of words, and soft hyphens do where no known word ends. `before`: text since the last one.
fn may_part(c: char, before: &str) -> bool {
    match c {
        '\u{AD}' => {
            let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            word.len() >= PARTED_LETTERS_MIN && words::is_known(word.as_bytes())
        }
        '\u{200C}' | '\u{200D}' => before.ends_with(|c: char| c.is_ascii_alphanumeric()),
        '\u{34F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => true,
        _ => !is_combining_mark(c),
    }
}

/// Length of a prefix that is the same in canonical form.
#[inline]
fn unchanged_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        at += match rest.first() {
            None => return at,
            Some(0..0x80) => match plain_ascii_prefix(rest) {
                0 => return at,
                length => length,
            },
            // U+4000 to U+9FFF, and U+B000 to U+CFFF: Han ideographs and Hangul syllables, three bytes each.
            Some(0xE4..=0xE9 | 0xEB | 0xEC) => 3,
            Some(_) => return at,
        };
    }
}

/// Length of the prefix of ASCII without dropped controls. Thirty-two bytes at a time, without a branch in between, so that
/// the compiler makes vector instructions of it: this is the path of clean text.
fn plain_ascii_prefix(bytes: &[u8]) -> usize {
    // Printable, or tab to carriage return.
    let plain = |byte: &u8| byte.wrapping_sub(b' ') < 0x5F || byte.wrapping_sub(b'\t') < 5;
    let mut at = 0;
    for chunk in bytes.as_chunks::<32>().0 {
        if !chunk.iter().fold(true, |all, byte| all & plain(byte)) {
            break;
        }
        at += 32;
    }
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|byte| plain(byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::text::fold_char;

    fn folded(text: &str) -> String {
        canonical(text).text.into_owned()
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
            "ᶦᵍⁿᵒʳᵉ ₐₗₗ",
            "Iᘜᑎoᖇᗴ ᗩᒪᒪ",
            "i₲₦ØɌɆ ₳ⱠⱠ",
            "ɨɢռօʀɛ ǟʟʟ",
            "ɩɡпσгҽ αӏӏ",
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
    fn what_is_skipped_unread_is_the_same_in_canonical_form() {
        for c in (0..=0x10FFFF).filter_map(char::from_u32) {
            let text = c.to_string();
            let skipped = unchanged_prefix(text.as_bytes());
            assert!(skipped == 0 || (skipped == text.len() && folded(&text) == text), "U+{:04X}", c as u32);
        }
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
        fn texts_fold_as_their_characters_do(text in proptest::collection::vec("[ -~]{0,70}|[가-힣一-龥㐀-䶿]{1,9}|[а-яé]{1,9}|\\PC|\\pC", 0..9)) {
            let text = text.concat();
            let mut plain = String::new();
            text.chars().for_each(|c| fold_char(c, &mut plain));
            assert_eq!(folded(&text), plain);
        }

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
