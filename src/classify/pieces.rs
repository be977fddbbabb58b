//! Cutting a text into pieces that are tokenised apart, so that neither memory nor time grows with one text's length.

use crate::base::Span;

/// Longest piece in bytes.
pub(super) const PIECE_BYTES: usize = 8 * 1024;

/// Cuts a text into pieces of at most `size` bytes (8 or more), before white space where there is some in a piece's second half: the
/// tokenizer splits there anyway, so nothing changes. Elsewhere a cut falls between two characters of one very long word.
pub(super) fn pieces(text: &str, size: usize) -> Vec<Span> {
    let mut pieces = Vec::with_capacity(text.len() / size + 1);
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let end = start + first_cut(rest, size);
        pieces.push(Span::new(start, end));
        start = end;
    }
    pieces
}

fn first_cut(rest: &str, size: usize) -> usize {
    if rest.len() <= size {
        return rest.len();
    }
    let mut limit = size;
    while !rest.is_char_boundary(limit) {
        limit -= 1;
    }
    let head = rest.get(..limit).unwrap_or(rest);
    let space = head.char_indices().rev().take_while(|&(at, _)| at > size / 2).find(|&(_, c)| c.is_whitespace());
    space.map_or(head.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_text_is_one_piece_and_an_empty_one_none() {
        assert_eq!(pieces("", PIECE_BYTES), []);
        let whole = "a".repeat(PIECE_BYTES);
        assert_eq!(pieces(&whole, PIECE_BYTES), [Span::new(0, PIECE_BYTES)]);
    }

    #[test]
    fn a_cut_falls_before_white_space_where_it_can() {
        let text = format!("{} {}", "a".repeat(PIECE_BYTES - 10), "b".repeat(20));
        assert_eq!(
            pieces(&text, PIECE_BYTES),
            [Span::new(0, PIECE_BYTES - 10), Span::new(PIECE_BYTES - 10, text.len())]
        );
        let word = "ä".repeat(PIECE_BYTES);
        assert_eq!(pieces(&word, PIECE_BYTES), [Span::new(0, PIECE_BYTES), Span::new(PIECE_BYTES, 2 * PIECE_BYTES)]);
    }

    proptest! {
        #[test]
        fn pieces_follow_one_another_without_a_gap(parts in proptest::collection::vec("[a-z \u{e4}\u{1F600}]{0,40}", 0..40), times in 1usize..60, size in 8usize..PIECE_BYTES) {
            let text = parts.concat().repeat(times);
            let cut = pieces(&text, size);
            let mut seen = 0;
            for piece in &cut {
                prop_assert_eq!(piece.start, seen);
                prop_assert!((1..=size).contains(&piece.len()));
                prop_assert!(text.get(piece.range()).is_some());
                seen = piece.end;
            }
            prop_assert_eq!(seen, text.len());
        }
    }
}
