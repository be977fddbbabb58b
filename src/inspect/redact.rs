//! From redacting findings to edits of the message.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::base::Span;
use crate::inspect::subject::Edit;
use crate::rules::Effect;
use crate::verdict::{Action, Finding};

/// What stands for a matched text whose rule names no mask.
const DEFAULT_MASK: &str = "[redacted]";

/// One replacement: the bytes it covers, and whose mask stands there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mask {
    /// All bytes that are replaced.
    pub cover: Span,
    /// The finding that named the mask.
    from: Span,
    pub with: Arc<str>,
    /// The name of the token that stands there instead, where the text can be put back.
    pub token: Option<Arc<str>>,
}

impl Mask {
    pub(super) fn new(span: Span, with: &str) -> Self {
        Self { cover: span, from: span, with: with.into(), token: None }
    }

    /// Joins two overlapping replacements. The mask is that of the finding that starts first, then of the longer one, then
    /// the first in the alphabet: whatever order they are found in, the same text comes out. Text that one of them takes out
    /// for good is not put back.
    pub(super) fn join(self, other: Self) -> Self {
        let cover = self.cover.cover(other.cover);
        let order = |mask: &Self| (mask.from.start, Reverse(mask.from.end), Arc::clone(&mask.with));
        let is_kept = self.token.is_some() && other.token.is_some();
        let first = if order(&self) <= order(&other) { self } else { other };
        Self { cover, token: first.token.filter(|_| is_kept), ..first }
    }
}

/// The mask that a match demands, if its rule redacts.
pub(super) fn mask(effect: &Effect, span: Span) -> Option<Mask> {
    if effect.action != Some(Action::Redact) {
        return None;
    }
    Some(Mask { token: effect.token.as_deref().map(Into::into), ..Mask::new(span, &shown(effect)) })
}

/// What stands for a match that is taken out for good.
pub(super) fn shown(effect: &Effect) -> String {
    match (&effect.mask, &effect.token) {
        (Some(mask), _) => mask.clone(),
        (None, Some(name)) => format!("[{name}]"),
        (None, None) => DEFAULT_MASK.to_owned(),
    }
}

/// The mask that a finding in a reply demands. Nothing there is put back.
pub(super) fn of(finding: &Finding) -> Option<Mask> {
    let redacts = finding.action == Some(Action::Redact);
    redacts.then(|| Mask::new(finding.span, finding.mask.as_deref().unwrap_or(DEFAULT_MASK)))
}

/// The edits that masks demand, each given with its passage: ordered and apart. `with`: what stands in a mask's place.
pub(super) fn edits(
    masks: impl IntoIterator<Item = (usize, Mask)>,
    mut with: impl FnMut(usize, &Mask) -> String,
) -> Vec<Edit> {
    let mut masks: Vec<(usize, Mask)> = masks.into_iter().collect();
    masks.sort_by_key(|(passage, mask)| (*passage, mask.cover));
    let mut joined: Vec<(usize, Mask)> = Vec::new();
    for (passage, mask) in masks {
        match joined.pop() {
            Some((before, earlier)) if before == passage && mask.cover.start < earlier.cover.end => {
                joined.push((passage, earlier.join(mask)));
            }
            earlier => joined.extend(earlier.into_iter().chain([(passage, mask)])),
        }
    }
    joined.into_iter().map(|(passage, mask)| Edit { passage, span: mask.cover, with: with(passage, &mask) }).collect()
}

/// The text between `from` and `to` with the edits applied; spans are absolute, `text` starts at `from`. Every edit lies
/// wholly inside.
pub(super) fn apply<'e>(text: &str, from: usize, edits: impl Iterator<Item = (Span, &'e str)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, with) in edits {
        let (start, end) = (span.start.saturating_sub(from), span.end.saturating_sub(from));
        out.push_str(text.get(at..start).unwrap_or_default());
        out.push_str(with);
        at = end.max(at);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_finding_does_not_show() {
        let masks = [Mask::new(Span::new(2, 6), "B"), Mask::new(Span::new(2, 6), "A"), Mask::new(Span::new(4, 9), "C")];
        let [b, a, c] = masks;
        let one = b.clone().join(a.clone()).join(c.clone());
        assert_eq!((one.cover, one.with.as_ref()), (Span::new(2, 9), "A"));
        assert_eq!(c.join(b).join(a), one);
    }

    #[test]
    fn what_is_taken_out_for_good_is_not_put_back() {
        let token = |start, end| Mask { token: Some("CARD".into()), ..Mask::new(Span::new(start, end), "[CARD]") };
        assert!(token(0, 4).join(token(2, 6)).token.is_some());
        assert!(token(0, 4).join(Mask::new(Span::new(2, 6), "[x]")).token.is_none());
        assert!(Mask::new(Span::new(2, 6), "[x]").join(token(0, 4)).token.is_none());
    }

    #[test]
    fn edits_are_applied_in_place() {
        let edits = [(Span::new(12, 15), "X"), (Span::new(17, 18), "YY")];
        assert_eq!(apply("abcdefghij", 10, edits.into_iter()), "abXfgYYij");
        assert_eq!(apply("abc", 0, std::iter::empty()), "abc");
    }
}
