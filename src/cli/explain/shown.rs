//! Text on its way to a terminal: invisible characters made visible, what is sensitive masked, places marked.

use crate::base::Span;
use crate::inspect::visible;
use crate::text::Map;

/// Characters of a text that are shown at most.
const SHOWN: usize = 2000;
/// Characters shown on either side of a marked place.
const AROUND: usize = 30;
/// Characters of a marked place that are shown.
const MARKED: usize = 90;

/// What must not be shown: spans of the text as sent, in order and apart.
#[derive(Debug, Default)]
pub(super) struct Hidden(Vec<Span>);

impl Hidden {
    pub(super) fn new(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable();
        let mut apart: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match apart.last_mut() {
                Some(last) if span.start <= last.end => *last = last.cover(span),
                _ => apart.push(span),
            }
        }
        Self(apart)
    }

    fn hides(&self, original: Span) -> bool {
        let before = self.0.partition_point(|span| span.start < original.end.max(original.start + 1));
        before.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|span| span.end > original.start)
    }

    /// Part of a reading, for people.
    pub(super) fn show(&self, text: &str, part: Span, map: &Map) -> String {
        let mut shown = String::new();
        for (number, (at, c)) in characters(text, part).enumerate() {
            if number == SHOWN {
                shown.push_str(&format!("… ({} bytes more)", part.end - at));
                break;
            }
            shown.push_str(&self.character(at, c, map));
        }
        shown
    }

    /// A place with what stands around it, and a line that marks it.
    pub(super) fn mark(&self, text: &str, place: Span, map: &Map) -> (String, String) {
        let head = text.get(..place.start).unwrap_or_default();
        let from = head.char_indices().rev().nth(AROUND).map_or(0, |(at, c)| at + c.len_utf8());
        let (mut line, mut marks) = (String::new(), String::new());
        let (mut marked, mut after) = (0, 0);
        if from > 0 {
            line.push('…');
            marks.push(' ');
        }
        for (at, c) in characters(text, Span::new(from, text.len())) {
            let inside = place.start <= at && at < place.end;
            marked += usize::from(inside);
            after += usize::from(at >= place.end);
            if marked > MARKED || after > AROUND {
                line.push('…');
                break;
            }
            let shown = self.character(at, c, map);
            let sign = if inside { '^' } else { ' ' };
            marks.extend(std::iter::repeat_n(sign, shown.chars().map(columns).sum()));
            line.push_str(&shown);
        }
        if place.is_empty() {
            marks.push('^');
        }
        (line, marks.trim_end().to_owned())
    }

    fn character(&self, at: usize, c: char, map: &Map) -> String {
        let end = at + c.len_utf8();
        if self.hides(map.to_original(Span::new(at, end))) {
            return "•".to_owned();
        }
        match c {
            '\n' => "⏎".to_owned(),
            '\t' => "⇥".to_owned(),
            c => visible(c.encode_utf8(&mut [0; 4])),
        }
    }
}

fn characters(text: &str, part: Span) -> impl Iterator<Item = (usize, char)> {
    let start = part.start;
    text.get(part.range()).unwrap_or_default().char_indices().map(move |(at, c)| (start + at, c))
}

/// Columns of a terminal that a character takes, near enough: two in the blocks of East Asian scripts and of emoji.
fn columns(c: char) -> usize {
    let wide = matches!(u32::from(c), 0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD);
    if wide { 2 } else { 1 }
}

/// A character as its code point, for example `U+200B`; with itself where it can be seen.
pub(super) fn code_points(text: &str) -> String {
    const LISTED: usize = 8;
    let count = text.chars().count();
    let one = |c: char| {
        let seen = visible(c.encode_utf8(&mut [0; 4]));
        let seen = if seen.chars().eq([c]) && !c.is_whitespace() { format!(" {seen}") } else { String::new() };
        format!("U+{:04X}{seen}", u32::from(c))
    };
    let mut listed: Vec<String> = text.chars().take(LISTED).map(one).collect();
    if count > LISTED {
        listed.push(format!("… {count} characters"));
    }
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::canonical;

    #[test]
    fn what_is_hidden_is_hidden_in_every_reading() {
        let text = "key \u{FF53}ecret\u{200B}s end";
        let at = text.find('\u{FF53}').unwrap();
        let hidden = Hidden::new(vec![Span::new(at, at + 8), Span::new(at + 5, text.find(" end").unwrap())]);
        let all = |text: &str| Span::new(0, text.len());
        assert_eq!(hidden.show(text, all(text), &Map::identity()), "key •••••••• end");
        let folded = canonical(text);
        assert_eq!(hidden.show(&folded.text, all(&folded.text), &folded.map), "key ••••••• end");
    }

    #[test]
    fn a_place_is_marked_under_what_is_seen() {
        let text = "a\u{200B}b needle\u{1b}[31m";
        let at = text.find("needle").unwrap();
        let (line, marks) = Hidden::default().mark(text, Span::new(at, at + 6), &Map::identity());
        assert_eq!(line, "a\\u{200b}b needle\\u{1b}[31m");
        assert_eq!(marks, "           ^^^^^^");
        let (line, marks) = Hidden::default().mark("日本 needle", Span::new(7, 13), &Map::identity());
        assert_eq!((line.as_str(), marks.as_str()), ("日本 needle", "     ^^^^^^"));
        let long = "x".repeat(200) + "needle" + &"y".repeat(200);
        let (line, marks) = Hidden::default().mark(&long, Span::new(200, 206), &Map::identity());
        assert_eq!(line.chars().count(), 1 + AROUND + 6 + AROUND + 1);
        assert_eq!(marks.find('^'), Some(1 + AROUND));
    }

    #[test]
    fn long_texts_are_cut_and_code_points_are_named() {
        let text = "x".repeat(SHOWN + 3);
        assert!(
            Hidden::default().show(&text, Span::new(0, text.len()), &Map::identity()).ends_with("x… (3 bytes more)")
        );
        assert_eq!(code_points("\u{200B}\u{456}"), "U+200B, U+0456 \u{456}");
        assert!(code_points(&"\u{200B}".repeat(9)).ends_with("… 9 characters"));
    }
}
