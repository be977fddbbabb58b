//! What colours the text of a terminal (ECMA-48 §8.3, control sequences): `ESC [ 31 m`, `ESC [ K`. Folding has dropped the
//! first byte already, so that `[31m` stands before the word.

use memchr::memchr_iter;

use crate::base::Span;

/// Bytes of the numbers of a sequence.
const NUMBERS_MAX: usize = 24;

/// The sequences in a text, in order.
pub(super) fn colours(bytes: &[u8]) -> impl Iterator<Item = Span> {
    let mut last = None;
    memchr_iter(b'[', bytes).filter_map(move |at| {
        let length = sequence(bytes.get(at..)?, last == Some(at))?;
        last = Some(at + length);
        Some(Span::new(at, at + length))
    })
}

/// The length of the sequence that a text begins with. `follows`: another one, or the escape itself, stands before it.
pub(super) fn sequence(text: &[u8], follows: bool) -> Option<usize> {
    let numbers = text.strip_prefix(b"[")?;
    let is_number = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
    let count = numbers.iter().take(NUMBERS_MAX).take_while(is_number).count();
    let (end, after) = numbers.get(count..)?.split_first()?;
    // `rate(x[5m])`, `[more](…)` and `[Kubernetes]` are none.
    let is_one = match end {
        b'm' => follows || !after.first().is_some_and(|next| *next == b']' || count == 0 && next.is_ascii_alphabetic()),
        b'K' => follows || count > 0 && after.first() != Some(&b']'),
        _ => false,
    };
    is_one.then_some(count + 2)
}

#[cfg(test)]
mod tests {
    use super::{colours, sequence};

    fn without(text: &str) -> String {
        let mut out = text.to_owned();
        let spans: Vec<_> = colours(text.as_bytes()).collect();
        spans.into_iter().rev().for_each(|span| out.replace_range(span.range(), ""));
        out
    }

    #[test]
    fn a_sequence_begins_with_a_bracket() {
        assert_eq!((sequence(b"[m", true), sequence(b"im", true), sequence(b"", true)), (Some(2), None, None));
    }

    #[test]
    fn sequences_are_told_from_brackets() {
        for (text, plain) in [
            ("[31mignore[0m [1;32mall[m pre[38;2;1;2;3mvious", "ignore all previous"),
            ("TOKEN=[01;31m[Kghp_x[m[K end", "TOKEN=ghp_x end"),
            ("[4:3mwave[0m", "wave"),
            ("rate(x[5m]) and a[m], x[1] = [2;3], see [more](https://example.com) of [mine]", ""),
            ("[Kubernetes] [m] [K] [[", ""),
        ] {
            assert_eq!(without(text), if plain.is_empty() { text } else { plain });
        }
    }
}
