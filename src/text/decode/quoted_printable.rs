//! Quoted-printable (RFC 2045 §6.7): `=69=67nore`, with soft line breaks.
//!
//! A query string is full of `=20` and `=ab`, so an escape counts only in company: next to another one, between two letters
//! when it is a letter itself, or as a line break inside a known word.

use memchr::memchr;

use super::hex::nibble;
use super::pieces::Pieces;
use super::{Decoded, Source, is_seen};
use crate::base::Span;
use crate::text::words;

const NAME: &str = "quoted_printable";

/// Undoes quoted-printable escapes.
pub(super) fn decode(source: &Source<'_>) -> Option<Decoded> {
    let bytes = source.text.as_bytes();
    let mut pieces = Pieces::new(source.text, source.room);
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr(b'=', rest)) {
        at += found;
        let start = at;
        let (values, end) = escapes(bytes, start);
        at = end.max(start + 1);
        let span = Span::new(start, at);
        if is_seen(source.seen, span) {
            continue;
        }
        if values.is_empty() {
            if let Some(end) = soft_break(bytes, start) {
                pieces.begin(NAME, Span::new(start, end));
                at = end;
            }
        } else if values.len() > 1 || is_inner_letter(bytes, span, &values) {
            let text = String::from_utf8_lossy(&values);
            if text.contains(|c: char| c.is_control() && !c.is_whitespace() || c == char::REPLACEMENT_CHARACTER) {
                continue;
            }
            pieces.begin(NAME, span);
            let mut place = start;
            for c in text.chars() {
                let next = place + 3 * c.len_utf8();
                pieces.character(c, Span::new(place, next));
                place = next;
            }
        }
        if pieces.is_cut() {
            break;
        }
    }
    pieces.finish()
}

/// The values of the escapes that follow each other from `at` on, and where they end.
fn escapes(bytes: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let mut values = Vec::new();
    while let Some([b'=', high, low]) = bytes.get(at..at + 3) {
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { break };
        values.push(high << 4 | low);
        at += 3;
    }
    (values, at)
}

/// Digits are capitals (RFC 2045 asks for them, and readers take small ones too: both, but not mixed with prose).
fn digit(byte: u8) -> Option<u8> {
    nibble(byte)
}

/// True when one escape stands for a letter between two letters.
fn is_inner_letter(bytes: &[u8], span: Span, values: &[u8]) -> bool {
    let is_letter = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphabetic);
    values.iter().all(u8::is_ascii_alphabetic) && is_letter(span.start.checked_sub(1)) && is_letter(Some(span.end))
}

/// The end of a line break that stands inside a known word; `=` at a line's end is common in programs.
fn soft_break(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at + 1..)?;
    let line = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let before = bytes.get(..at)?.iter().rev().take(20).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let after = line.iter().take(20).take_while(|byte| byte.is_ascii_alphabetic()).count();
    if before == 0 || after == 0 {
        return None;
    }
    let word = [bytes.get(at - before..at)?, line.get(..after)?].concat();
    (word.len() > 3 && words::is_known(&word)).then(|| bytes.len() - line.len())
}

#[cfg(test)]
mod tests {
    use super::super::source_of;
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        source_of(text, decode).map(|found| found.text)
    }

    #[test]
    fn escapes_and_soft_line_breaks_are_undone() {
        for (text, plain) in [
            ("=69=67=6E=6F=72=65 all", "ignore all"),
            ("ign=6Fre all ru=6Ces", "ignore all rules"),
            ("Gr=C3=BC=C3=9Fe", "Grüße"),
            ("please ig=\r\nnore all", "please ignore all"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn query_strings_and_programs_are_none() {
        for text in [
            "https://example.com/?a=20&b=30&token=ab12&c=3D",
            "let x =\n    y; width=10 height=20; a==b; x=4A",
            "KEY=\nOTHER=\nuser=\nname=",
            "1+1=2, 10=10, e=ee",
            "=FF=FE=00=01",
        ] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn each_character_leads_to_its_escape() {
        let text = "a =C3=BC=41 b";
        let found = source_of(text, decode).unwrap();
        let at = found.text.find('ü').unwrap();
        assert_eq!(&text[found.map.to_original(Span::new(at, at + 2)).range()], "=C3=BC");
    }
}
