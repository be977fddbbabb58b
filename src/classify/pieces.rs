//! Cutting a text into pieces that are tokenised apart, so that neither memory nor time grows with one text's length.

use crate::base::Span;

/// Longest piece in bytes.
pub(super) const PIECE_BYTES: usize = 8 * 1024;

/// Cuts a text into pieces of at most [`PIECE_BYTES`], before white space where there is some in a piece's second half: the
/// tokenizer splits there anyway, so nothing changes. Elsewhere a cut falls between two characters of one very long word.
pub(super) fn pieces(text: &str) -> Vec<Span> {
    let mut pieces = Vec::with_capacity(text.len() / PIECE_BYTES + 1);
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let end = start + first_cut(rest);
        pieces.push(Span::new(start, end));
        start = end;
    }
    pieces
}

fn first_cut(rest: &str) -> usize {
    if rest.len() <= PIECE_BYTES {
        return rest.len();
    }
    let mut limit = PIECE_BYTES;
    while !rest.is_char_boundary(limit) {
        limit -= 1;
    }
    let head = rest.get(..limit).unwrap_or(rest);
    let space = head.char_indices().rev().take_while(|&(at, _)| at > PIECE_BYTES / 2).find(|&(_, c)| c.is_whitespace());
    space.map_or(head.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_text_is_one_piece_and_an_empty_one_none() {
        assert_eq!(pieces(""), []);
        let whole = "a".repeat(PIECE_BYTES);
        assert_eq!(pieces(&whole), [Span::new(0, PIECE_BYTES)]);
    }

    #[test]
    fn a_cut_falls_before_white_space_where_it_can() {
        let text = format!("{} {}", "a".repeat(PIECE_BYTES - 10), "b".repeat(20));
        assert_eq!(pieces(&text), [Span::new(0, PIECE_BYTES - 10), Span::new(PIECE_BYTES - 10, text.len())]);
        let word = "ä".repeat(PIECE_BYTES);
        assert_eq!(pieces(&word), [Span::new(0, PIECE_BYTES), Span::new(PIECE_BYTES, 2 * PIECE_BYTES)]);
    }

    proptest! {
        #[test]
        fn pieces_follow_one_another_without_a_gap(parts in proptest::collection::vec("[a-z \u{e4}\u{1F600}]{0,40}", 0..40), times in 1usize..60) {
            let text = parts.concat().repeat(times);
            let cut = pieces(&text);
            let mut seen = 0;
            for piece in &cut {
                prop_assert_eq!(piece.start, seen);
                prop_assert!((1..=PIECE_BYTES).contains(&piece.len()));
                prop_assert!(text.get(piece.range()).is_some());
                seen = piece.end;
            }
            prop_assert_eq!(seen, text.len());
        }
    }
}
