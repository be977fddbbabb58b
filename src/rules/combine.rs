//! Combined patterns: parts and the gaps between them, as one expression of bounded length. The engine, streams and
//! redaction know of regexes only.
//!
//! What a gap of words is must be cheap to track: whoever reads a byte knows whether it is of a word or between words, so an
//! automaton is in one place of the gap at a time, however the gap began.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Repetition};

use crate::base::limits::rules as limits;

/// What may lie between two parts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gap {
    /// So many bytes at most.
    Bytes(u32),
    /// So many words at most, with blanks and punctuation around them.
    Words(u32),
}

/// The parts in any order.
pub(super) fn near(parts: &[Hir], gap: Gap) -> Hir {
    let orders = orders(parts.len());
    Hir::alternation(
        orders
            .into_iter()
            .map(|order| sequence(&order.iter().filter_map(|part| parts.get(*part).cloned()).collect::<Vec<_>>(), gap))
            .collect(),
    )
}

/// The parts in this order.
pub(super) fn sequence(parts: &[Hir], gap: Gap) -> Hir {
    let between = between(gap);
    let mut all = Vec::with_capacity(parts.len() * 2);
    for part in parts {
        if !all.is_empty() {
            all.push(between.clone());
        }
        all.push(part.clone());
    }
    Hir::concat(all)
}

/// One part, so many times.
pub(super) fn count(part: &Hir, times: usize, gap: Gap) -> Hir {
    sequence(&vec![part.clone(); times], gap)
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for shorter in orders(last) {
        for at in (0..=shorter.len()).rev() {
            let mut order = shorter.clone();
            order.insert(at, last);
            all.push(order);
        }
    }
    all
}

fn between(gap: Gap) -> Hir {
    match gap {
        Gap::Bytes(most) => lazy(0, most, bytes([(0, 255)])),
        Gap::Words(most) => {
            let length = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
            let blanks = |least| lazy(least, length(limits::GAP_BLANK_BYTES), blank());
            let word = || lazy(1, length(limits::GAP_WORD_BYTES), letter());
            let Some(more) = most.checked_sub(1) else { return blanks(0) };
            let more = lazy(0, more, Hir::concat(vec![blanks(1), word()]));
            Hir::concat(vec![blanks(0), lazy(0, 1, Hir::concat(vec![word(), more, blanks(0)]))])
        }
    }
}

/// ASCII letters, digits, `_`, and every byte of a character that is not ASCII.
fn letter() -> Hir {
    bytes([(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z'), (128, 255)])
}

/// Every other ASCII character.
fn blank() -> Hir {
    bytes([(0, b'/'), (b':', b'@'), (b'[', b'^'), (b'`', b'`'), (b'{', 127)])
}

/// Parts begin and end with characters, so that bytes between them are whole characters too.
fn bytes<const N: usize>(ranges: [(u8, u8); N]) -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new(ranges.map(|(from, to)| ClassBytesRange::new(from, to)))))
}

/// As few as will do: a match ends at the nearest part.
fn lazy(min: u32, max: u32, sub: Hir) -> Hir {
    Hir::repetition(Repetition { min, max: Some(max), greedy: false, sub: Box::new(sub) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};
    use regex_automata::meta::{self, Regex};

    use super::*;

    fn literal(text: &str) -> Hir {
        Hir::literal(text.as_bytes())
    }

    fn build(hir: &Hir) -> Regex {
        meta::Builder::new().build_from_hir(hir).unwrap()
    }

    fn found(regex: &Regex, text: &str) -> Option<String> {
        regex.find(text).map(|found| text[found.range()].to_owned())
    }

    #[test]
    fn orders_are_all_orders() {
        assert_eq!(orders(1), [[0]]);
        assert_eq!(orders(2), [[0, 1], [1, 0]]);
        let mut three = orders(3);
        three.sort();
        three.dedup();
        assert_eq!(three.len(), 6);
        assert_eq!(orders(3).first().unwrap(), &[0, 1, 2]);
    }

    #[test]
    fn gaps_are_counted_in_words_or_bytes() {
        let two = build(&sequence(&[literal("<a>"), literal("<b>")], Gap::Words(2)));
        for text in [
            "<a><b>",
            "<a> <b>",
            "<a> one <b>",
            "<a> one, two <b>",
            "<a>one<b>",
            "<a> für größe <b>",
            "<a>忽略 之前<b>",
        ] {
            assert_eq!(found(&two, text).as_deref(), Some(text), "{text}");
        }
        for text in ["<a> one two three <b>", "<a> don't <x> <b>", "<b> <a>"] {
            assert_eq!(found(&two, text), None, "{text}");
        }
        let none = build(&sequence(&[literal("<a>"), literal("<b>")], Gap::Words(0)));
        assert!(none.is_match("<a> - <b>") && !none.is_match("<a> x <b>"));
        let bytes = build(&sequence(&[literal("<a>"), literal("<b>")], Gap::Bytes(4)));
        assert!(bytes.is_match("<a>ää<b>") && !bytes.is_match("<a>ääx<b>"));
    }

    #[test]
    fn a_word_and_a_run_of_blanks_hold_so_many_bytes() {
        let two = build(&sequence(&[literal("<a>"), literal("<b>")], Gap::Words(2)));
        let word = |bytes| format!("<a>{}<b>", "x".repeat(bytes));
        let blanks = |bytes| format!("<a>y{}z<b>", " ".repeat(bytes));
        assert!(two.is_match(&word(limits::GAP_WORD_BYTES)) && !two.is_match(&word(limits::GAP_WORD_BYTES + 1)));
        assert!(two.is_match(&blanks(limits::GAP_BLANK_BYTES)) && !two.is_match(&blanks(limits::GAP_BLANK_BYTES + 1)));
    }

    #[test]
    fn near_takes_the_parts_as_they_come_and_count_repeats() {
        let near = build(&near(&["one", "two", "six"].map(literal), Gap::Words(1)));
        for text in ["one two six", "six two one", "two x six, one"] {
            assert_eq!(found(&near, text).as_deref(), Some(text), "{text}");
        }
        assert!(!near.is_match("one two two") && !near.is_match("one x y two six"));
        let three = build(&count(&literal("no"), 3, Gap::Words(1)));
        assert_eq!(found(&three, "no no, no! no").as_deref(), Some("no no, no"));
        assert!(!three.is_match("no no"));
    }

    /// The definition, word for word.
    fn words_between(text: &str) -> Option<usize> {
        let is_letter = |c: &char| !c.is_ascii() || c.is_ascii_alphanumeric() || *c == '_';
        let characters: Vec<char> = text.chars().collect();
        let runs: Vec<&[char]> = characters.chunk_by(|a, b| is_letter(a) == is_letter(b)).collect();
        let bytes = |run: &[char]| run.iter().map(|c| c.len_utf8()).sum::<usize>();
        let (words, blanks): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.first().is_some_and(is_letter));
        let fits = words.iter().all(|run| bytes(run) <= limits::GAP_WORD_BYTES)
            && blanks.iter().all(|run| bytes(run) <= limits::GAP_BLANK_BYTES);
        fits.then_some(words.len())
    }

    proptest! {
        #[test]
        fn a_gap_is_what_its_definition_says(gap in "([a-c]{1,4}|[ .,]{1,3}|é|忽略|a{29,35}| {14,18}){0,9}", most in 0u32..5) {
            let regex = build(&sequence(&[literal("<<"), literal(">>")], Gap::Words(most)));
            let text = format!("<<{gap}>>");
            let expected = words_between(&gap).is_some_and(|words| words <= most as usize);
            prop_assert_eq!(regex.is_match(&text), expected);
        }
    }
}
