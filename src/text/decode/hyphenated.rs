//! Words with a hyphen and a line end inside: `igno-\nre`.
//!
//! Text that was set in lines is full of them, and means the whole word: it is read so where it is a known one, or of another
//! script.

use memchr::memmem;

use super::Source;
use super::split_scripts::is_without_blanks;
use crate::base::Span;
use crate::text::words;

/// Letters of the shortest word.
const LETTERS_MIN: usize = 4;
/// The same in another script, where a letter may be a syllable.
const OTHER_LETTERS_MIN: usize = 3;
/// Letters of the longest word of another script.
const OTHER_LETTERS_MAX: usize = 24;
/// Bytes of a part of a word.
const PART_MAX: usize = 4 * OTHER_LETTERS_MAX;
/// Blanks that a line begins with.
const INDENT_MAX: usize = 16;

/// The words in parts, in order.
pub(super) fn words_of(source: &Source<'_>) -> Vec<Span> {
    let bytes = source.text.as_bytes();
    let breaks = memmem::find_iter(bytes, b"-\n").chain(memmem::find_iter(bytes, b"-\r\n"));
    let mut breaks: Vec<usize> = breaks.filter(|at| may_part(bytes, *at)).collect();
    breaks.sort_unstable();
    let mut words = Vec::new();
    let mut done = 0;
    for at in breaks {
        if at < done {
            continue;
        }
        let head = bytes.get(done..at).unwrap_or_default();
        let before = head.iter().rev().take(PART_MAX).take_while(|byte| is_letter(**byte)).count();
        let mut end = at;
        // More parts than letters there are none.
        for _ in 0..OTHER_LETTERS_MAX {
            let Some(next) = part_after(bytes, end) else { break };
            end = next;
        }
        done = end.max(at);
        words.extend(Some(Span::new(at - before, end)).filter(|word| is_word(source.text, *word)));
    }
    words
}

/// True for a break with a letter on both sides, or a blank behind it.
fn may_part(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|byte| is_letter(*byte))
        && part_after(bytes, at).is_some()
}

/// The end of the part of a word that goes on behind the break at a hyphen.
fn part_after(bytes: &[u8], hyphen: usize) -> Option<usize> {
    let rest = bytes.get(hyphen..)?.strip_prefix(b"-")?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let indent = rest.iter().take(INDENT_MAX).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = rest.get(indent..)?;
    let letters = rest.iter().take(PART_MAX).take_while(|byte| is_letter(**byte)).count();
    (letters > 0).then_some(bytes.len() - rest.len() + letters)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

/// True when the letters of a span are a known word, or a word of another script.
fn is_word(text: &str, span: Span) -> bool {
    let Some(text) = text.get(span.range()) else { return false };
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    if text.is_ascii() {
        let mut joined = [0; words::LETTERS_MAX];
        let mut length = 0;
        for byte in text.bytes().filter(u8::is_ascii_alphabetic) {
            let Some(slot) = joined.get_mut(length) else { return false };
            *slot = byte;
            length += 1;
        }
        return length >= LETTERS_MIN && joined.get(..length).is_some_and(words::is_known);
    }
    (OTHER_LETTERS_MIN..=OTHER_LETTERS_MAX).contains(&letters().take(OTHER_LETTERS_MAX + 1).count())
        && text.chars().all(|c| c.is_alphabetic() && !is_without_blanks(c) || c == '-' || c.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::super::source_of;
    use super::super::split::decode;
    use super::*;
    use crate::text::canonical::canonical;

    fn joined(text: &str) -> Option<String> {
        source_of(&canonical(text).text, decode).map(|found| found.text)
    }

    #[test]
    fn words_over_two_lines_are_put_together() {
        for (text, plain) in [
            ("please igno-\nre all", "please ignore all"),
            ("for-\nget the ru-\r\n  les", "forget the rules"),
            ("in-\nstruc-\n\ttions", "instructions"),
            ("забудь пра-\nвила", "забудь правила"),
            ("πληροφο-\nρίες για", "πληροφορίες για"),
        ] {
            let plain = canonical(plain).text.into_owned();
            assert_eq!(joined(text).as_deref(), Some(plain.as_str()), "{text}");
        }
    }

    #[test]
    fn lists_rules_and_unknown_words_are_none() {
        for text in [
            "one -\ntwo",
            "well-\n- known",
            "--\n--",
            "a-\n\nb",
            "x-\ny",
            "zyx-\nwvu",
            "忽略-\n之前",
            "12-\n13",
            "end-\n",
            "-\nignore",
        ] {
            assert_eq!(joined(text), None, "{text}");
        }
    }

    #[test]
    fn the_word_leads_to_both_lines() {
        let text = "é igno-\n  re it";
        let read = canonical(text);
        let found = source_of(&read.text, decode).unwrap();
        let at = found.text.find("ignore").unwrap();
        let middle = found.map.to_original(Span::new(at, at + 6));
        assert_eq!(&text[read.map.to_original(middle).range()], "igno-\n  re");
    }
}
