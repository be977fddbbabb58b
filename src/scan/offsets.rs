//! From places in a stream's canonical reading back to its original bytes, for the part that is still undecided.

/// A character that folding changed.
#[derive(Clone, Copy, Debug)]
struct Fold {
    canonical: usize,
    canonical_len: usize,
    original: usize,
    original_len: usize,
}

/// The map. Text that folding left alone costs nothing; each changed character costs one entry until it is decided.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    folds: Vec<Fold>,
    /// A place before all folds at which both readings correspond: canonical, original.
    anchor: (usize, usize),
}

impl Offsets {
    /// Notes that a character of the original became so many bytes of canonical text. All offsets are absolute.
    pub(super) fn fold(&mut self, canonical: usize, canonical_len: usize, original: usize, original_len: usize) {
        // A run of characters that left nothing is one gap: hostile text may hold a megabyte of them.
        if canonical_len == 0
            && let Some(last) = self.folds.last_mut()
            && last.canonical_len == 0
            && last.canonical == canonical
            && last.original + last.original_len == original
        {
            last.original_len += original_len;
            return;
        }
        self.folds.push(Fold { canonical, canonical_len, original, original_len });
    }

    /// First original byte of the character that a canonical byte came from.
    pub(super) fn start(&self, canonical: usize) -> usize {
        self.producer(canonical).0
    }

    /// One past the last original byte of the character that the canonical byte before `canonical` came from.
    pub(super) fn end(&self, canonical: usize) -> usize {
        canonical.checked_sub(1).map_or(0, |last| self.producer(last).1)
    }

    /// The end of the last character that folding changed, canonical and original: from there on both readings are the same.
    pub(super) fn last(&self) -> (usize, usize) {
        let last = self.folds.last();
        last.map_or(self.anchor, |last| (last.canonical + last.canonical_len, last.original + last.original_len))
    }

    /// Forgets folds before a canonical place that nobody will ask for again.
    pub(super) fn forget_before(&mut self, canonical: usize) {
        let gone = self.folds.partition_point(|fold| fold.canonical + fold.canonical_len < canonical);
        if let Some(last) = gone.checked_sub(1).and_then(|last| self.folds.get(last)) {
            self.anchor = (last.canonical + last.canonical_len, last.original + last.original_len);
            self.folds.drain(..gone);
        }
    }

    fn producer(&self, canonical: usize) -> (usize, usize) {
        let before = self.folds.partition_point(|fold| fold.canonical <= canonical);
        let last = before.checked_sub(1).and_then(|last| self.folds.get(last));
        let (from, original) = match last {
            Some(fold) if canonical < fold.canonical + fold.canonical_len => {
                return (fold.original, fold.original + fold.original_len);
            }
            Some(fold) => (fold.canonical + fold.canonical_len, fold.original + fold.original_len),
            None => self.anchor,
        };
        let start = original + canonical.saturating_sub(from);
        (start, start + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::Offsets;
    use crate::base::Span;
    use crate::text::{canonical, fold_char};

    proptest! {
        /// The same spans as the map of the whole text, also after forgetting what lies before.
        #[test]
        fn agrees_with_the_whole_map(text in "([a-c]|[\u{200B}\u{AD}]|[ﬁｅéа]|[中\u{301}]|\u{E0041}){0,24}") {
            let whole = canonical(&text);
            let mut offsets = Offsets::default();
            let mut out = String::new();
            for (at, c) in text.char_indices() {
                let before = out.len();
                fold_char(c, &mut out);
                if out.get(before..) != Some(c.encode_utf8(&mut [0; 4])) {
                    offsets.fold(before, out.len() - before, at, c.len_utf8());
                }
            }
            prop_assert_eq!(&out, &whole.text);
            let places: Vec<usize> = out.char_indices().map(|(at, _)| at).chain([out.len()]).collect();
            for (index, start) in places.iter().enumerate() {
                offsets.forget_before(*start);
                for end in &places[index + 1..] {
                    let span = Span::new(offsets.start(*start), offsets.end(*end));
                    prop_assert_eq!(span, whole.map.to_original(Span::new(*start, *end)), "{:?} {}..{}", text, start, end);
                }
            }
        }
    }
}
