//! Windows over tokens, and how a budget of windows is shared out.

use std::ops::Range;

use crate::base::Span;
use crate::model::WindowShape;

/// Windows over `count` tokens, as ranges of tokens. Each shares `overlap` tokens with the one before; the last one ends at
/// the last token and may be shorter. No token: one empty window. `train/windows.py` cuts in the same way.
pub(super) fn cover(count: usize, shape: WindowShape) -> Vec<Range<usize>> {
    let room = shape.tokens.saturating_sub(SPECIAL).max(1);
    let stride = stride(shape);
    let mut windows = Vec::with_capacity(count / stride + 1);
    let mut start = 0;
    loop {
        let end = count.min(start + room);
        windows.push(start..end);
        if end == count {
            return windows;
        }
        start += stride;
    }
}

/// Tokens from the start of one window to the start of the next.
pub(super) fn stride(shape: WindowShape) -> usize {
    shape.tokens.saturating_sub(SPECIAL + shape.overlap).max(1)
}

/// Which `budget` of `count` things are taken: the first, the last, and the rest evenly spread between them.
pub(super) fn spread(count: usize, budget: usize) -> Vec<usize> {
    match budget {
        _ if budget >= count => (0..count).collect(),
        0 => Vec::new(),
        1 => vec![0],
        _ => (0..budget).map(|index| index * (count - 1) / (budget - 1)).collect(),
    }
}

/// Shares `budget` out over `needs`: small needs are met in full, large ones get equal parts of what is left.
pub(super) fn share(needs: &[usize], budget: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&index| needs[index]);
    let mut grants = vec![0; needs.len()];
    let mut left = budget;
    for (done, index) in order.into_iter().enumerate() {
        // Rounded up, so that a budget smaller than the number of texts is spent and not rounded away.
        let part = left.div_ceil(needs.len() - done);
        grants[index] = needs[index].min(part);
        left -= grants[index];
    }
    grants
}

/// What `judged` leaves of `whole`, in order. `judged` may overlap and must be sorted by start.
pub(super) fn gaps(whole: Span, judged: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut gaps = Vec::new();
    let mut seen = whole.start;
    for span in judged {
        if span.start > seen {
            gaps.push(Span::new(seen, span.start));
        }
        seen = seen.max(span.end);
    }
    if seen < whole.end {
        gaps.push(Span::new(seen, whole.end));
    }
    gaps
}

/// The special tokens at both ends of a window.
pub(super) const SPECIAL: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPE: WindowShape = WindowShape { tokens: 10, overlap: 2 };

    #[test]
    fn windows_are_cut_as_in_training() {
        assert_eq!(cover(0, SHAPE), vec![0..0; 1]);
        assert_eq!(cover(8, SHAPE), vec![0..8; 1]);
        assert_eq!(cover(9, SHAPE), [0..8, 6..9]);
        assert_eq!(cover(20, SHAPE), [0..8, 6..14, 12..20]);
        assert_eq!(cover(21, SHAPE), [0..8, 6..14, 12..20, 18..21]);
    }

    #[test]
    fn a_budget_takes_the_first_the_last_and_some_between() {
        assert_eq!(spread(5, 5), [0, 1, 2, 3, 4]);
        assert_eq!(spread(5, 9), [0, 1, 2, 3, 4]);
        assert_eq!(spread(9, 3), [0, 4, 8]);
        assert_eq!(spread(9, 2), [0, 8]);
        assert_eq!(spread(9, 1), [0]);
        assert!(spread(9, 0).is_empty());
    }

    #[test]
    fn small_needs_are_met_before_large_ones() {
        assert_eq!(share(&[1, 100, 2, 100], 13), [1, 5, 2, 5]);
        assert_eq!(share(&[1, 2, 3], 6), [1, 2, 3]);
        assert_eq!(share(&[1, 1, 1, 1], 2), [1, 1, 0, 0]);
        assert_eq!(share(&[], 2), Vec::<usize>::new());
    }

    #[test]
    fn gaps_are_what_no_span_covers() {
        let spans = [Span::new(2, 4), Span::new(3, 6), Span::new(8, 9)];
        assert_eq!(gaps(Span::new(0, 10), spans), [Span::new(0, 2), Span::new(6, 8), Span::new(9, 10)]);
        assert_eq!(gaps(Span::new(0, 0), []), []);
        assert_eq!(gaps(Span::new(0, 4), [Span::new(0, 4)]), []);
    }

    proptest! {
        #[test]
        fn every_token_is_in_a_window_and_no_window_is_too_long(count in 0usize..5000, tokens in 8usize..300, part in 0usize..100) {
            let shape = WindowShape { tokens, overlap: (tokens - SPECIAL) / 2 * part / 100 };
            let windows = cover(count, shape);
            prop_assert_eq!(windows[0].start, 0);
            prop_assert_eq!(windows[windows.len() - 1].end, count);
            prop_assert!(windows.iter().all(|window| window.len() <= tokens - SPECIAL));
            // Neighbours share exactly the overlap.
            prop_assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start + shape.overlap));
        }

        #[test]
        fn a_share_spends_the_budget_and_no_more(needs in proptest::collection::vec(0usize..50, 0..20), budget in 0usize..300) {
            let grants = share(&needs, budget);
            prop_assert!(grants.iter().zip(&needs).all(|(grant, need)| grant <= need));
            prop_assert_eq!(grants.iter().sum::<usize>(), budget.min(needs.iter().sum()));
        }

        #[test]
        fn a_spread_is_sorted_distinct_and_holds_both_ends(count in 2usize..500, budget in 2usize..500) {
            let taken = spread(count, budget);
            prop_assert_eq!(taken.len(), budget.min(count));
            prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!((taken[0], taken[taken.len() - 1]), (0, count - 1));
        }
    }
}
