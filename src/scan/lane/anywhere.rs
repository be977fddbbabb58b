//! Patterns of which nothing is known but the bytes that they begin with: where may one begin?
//!
//! First bytes are put into eight groups by what may follow them. Two tables say of a byte which group it is of, and which
//! groups it may follow: where these meet, the pairs of bytes themselves are asked.

use super::is_word_start;
use super::marks::Marks;
use crate::rules::firsts::Firsts;
use crate::rules::frequency;

/// Immutable.
#[derive(Debug)]
pub(super) struct Anywhere {
    marks: Marks,
    /// Of each byte, its group as a bit.
    firsts: Box<[u8; 256]>,
    /// Of each byte, the groups behind which it may stand.
    seconds: Box<[u8; 256]>,
}

/// Bits of a byte.
const GROUPS: usize = 8;

/// Places that are asked in one go.
const BLOCK: usize = 64;

impl Anywhere {
    /// `None` where nothing begins.
    pub(super) fn new(marks: Marks) -> Option<Self> {
        let mut rows: Vec<(Firsts, Vec<u8>)> = Vec::new();
        for first in 0..=u8::MAX {
            let row = marks.row(first);
            match rows.iter_mut().find(|(other, _)| *other == row) {
                _ if row.len() == 0 => {}
                Some((_, firsts)) => firsts.push(first),
                None => rows.push((row, vec![first])),
            }
        }
        if rows.is_empty() {
            return None;
        }
        // The rarest share the last group.
        let often = |firsts: &[u8]| firsts.iter().map(|byte| frequency::of(&[*byte])).sum::<f64>();
        rows.sort_by(|a, b| often(&b.1).total_cmp(&often(&a.1)));
        let (mut firsts, mut seconds) = (Box::new([0; 256]), Box::new([0; 256]));
        for (group, (row, bytes)) in rows.iter().enumerate() {
            let bit = 1 << group.min(GROUPS - 1);
            bytes.iter().for_each(|byte| firsts[usize::from(*byte)] |= bit);
            (0..=u8::MAX).filter(|byte| row.holds(*byte)).for_each(|byte| seconds[usize::from(byte)] |= bit);
        }
        Some(Self { marks, firsts, seconds })
    }

    /// Calls `found` with each place from `from` on where one may begin.
    pub(super) fn places(&self, text: &[u8], from: usize, mut found: impl FnMut(usize)) {
        let firsts = text.get(from..).unwrap_or_default();
        let seconds = firsts.get(1..).unwrap_or_default();
        for (block, (firsts, seconds)) in (from..).step_by(BLOCK).zip(firsts.chunks(BLOCK).zip(seconds.chunks(BLOCK))) {
            // Hardly a place is one, and nobody could guess which: without a branch for each of them it is faster.
            let is_met =
                |first: u8, second: u8| self.firsts[usize::from(first)] & self.seconds[usize::from(second)] != 0;
            let mut met = 0u64;
            let ((firsts, last), (seconds, very_last)) = (firsts.as_chunks::<8>(), seconds.as_chunks::<8>());
            for (eight, (firsts, seconds)) in firsts.iter().zip(seconds).enumerate() {
                let bits =
                    (0..8).fold(0, |bits, place| bits | u64::from(is_met(firsts[place], seconds[place])) << place);
                met |= bits << (8 * eight);
            }
            let done = BLOCK.min(8 * firsts.len().min(seconds.len()));
            let last = firsts.get(done / 8..).unwrap_or_default().iter().flatten().chain(last);
            for (place, (first, second)) in (done..).zip(last.zip(very_last)) {
                met |= u64::from(is_met(*first, *second)) << place;
            }
            while met != 0 {
                let at = block + met.trailing_zeros() as usize;
                if let [first, second, ..] = *text.get(at..).unwrap_or_default()
                    && (self.marks.plain.holds(first, second)
                        || (self.marks.at_word_start.holds(first, second) && is_word_start(text, at)))
                {
                    found(at);
                }
                met &= met - 1;
            }
        }
        // Of the last byte nobody knows what follows.
        if let Some((last, before)) = firsts.split_last()
            && let at = from + before.len()
            && (self.marks.plain.row(*last).len() > 0
                || (self.marks.at_word_start.row(*last).len() > 0 && is_word_start(text, at)))
        {
            found(at);
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.marks.memory() + self.firsts.len() + self.seconds.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;
    use crate::scan::confirm;

    proptest! {
        /// The same places as by asking at each of them.
        #[test]
        fn finds_what_asking_everywhere_finds(
            pairs in proptest::collection::vec(("[a-h !]", "[a-d ]", proptest::bool::ANY), 1..40),
            text in "[a-h !]{0,150}",
            from in 0usize..4,
        ) {
            let mut marks = Marks::default();
            let byte = |text: &str| text.as_bytes()[0];
            for (first, second, at_word_start) in &pairs {
                marks.of(*at_word_start && confirm::is_word(byte(first))).put(byte(first), byte(second));
            }
            let text = text.as_bytes();
            let begins = |at: &usize| pairs.iter().any(|(first, second, at_word_start)| {
                byte(first) == text[*at]
                    && text.get(at + 1).is_none_or(|next| *next == byte(second))
                    && (!at_word_start || !confirm::is_word(text[*at]) || is_word_start(text, *at))
            });
            let expected: Vec<usize> = (from..text.len()).filter(begins).collect();
            let mut found = Vec::new();
            Anywhere::new(marks).unwrap().places(text, from, |at| found.push(at));
            prop_assert_eq!(found, expected);
        }
    }
}
