//! Takes out of a text what must not leave the record: whatever the rules of some families find in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::Span;
use crate::inspect::Snapshot;
use crate::review::recorded::Recorded;
use crate::rules::{Facts, Family};
use crate::text::{Direction, Passage, Role};
use crate::verdict::Source;

/// A text without what was found in it, and the span given, where it lies now. `None`: it did not come to an end.
///
/// Every finding counts, whatever keeps it from acting on traffic. The text is read as its role's, as a user's and as a reply, since some
/// rules ask for one of them.
pub(super) fn redact(
    snapshot: &Arc<Snapshot>,
    (text, role): (&str, Role),
    facts: &Facts,
    families: &BTreeSet<Family>,
    span: Option<Span>,
) -> Option<(String, Option<Span>)> {
    let (mut text, mut span) = (text.to_owned(), span);
    // What is found may be cut short by what is found beside it, and rules have limits on how much they tell at once.
    for _ in 0..ROUNDS {
        let found = found(snapshot, &text, role, facts, families);
        if found.is_empty() {
            return Some((text, span));
        }
        (text, span) = replace(&text, &found, span);
    }
    None
}

/// What is to be replaced, and by what, in order, without overlaps.
fn found(
    snapshot: &Arc<Snapshot>,
    text: &str,
    role: Role,
    facts: &Facts,
    families: &BTreeSet<Family>,
) -> Vec<(Span, String)> {
    let mut all: Vec<(Span, String)> = Vec::new();
    let mut seen = BTreeSet::new();
    for (direction, role) in
        [(Direction::Request, role), (Direction::Request, Role::User), (Direction::Reply, Role::Assistant)]
    {
        if !seen.insert((direction == Direction::Reply, role)) {
            continue;
        }
        let subject = Recorded(vec![Passage::new(role, "/text", text.to_owned())]);
        let verdict = snapshot.scan(subject, direction, facts).by_rules();
        for finding in verdict.findings {
            let Source::Rule { id } = &finding.source else { continue };
            let is_wanted = snapshot.scanner.rules().by_id(id).is_some_and(|(_, rule)| families.contains(&rule.family));
            let span = Span::new(finding.span.start, finding.span.end.min(text.len()));
            if is_wanted && span.start < span.end {
                all.push((span, finding.mask.unwrap_or_else(|| MASK.to_owned())));
            }
        }
    }
    all.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    let mut merged: Vec<(Span, String)> = Vec::new();
    for (span, mask) in all {
        match merged.last_mut() {
            Some((last, _)) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push((span, mask)),
        }
    }
    // A rule that finds its own mask would find it for ever.
    merged.retain(|(span, mask)| text.get(span.start..span.end) != Some(mask));
    merged
}

fn replace(text: &str, found: &[(Span, String)], span: Option<Span>) -> (String, Option<Span>) {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (gone, mask) in found {
        out.push_str(text.get(at..gone.start).unwrap_or_default());
        out.push_str(mask);
        at = gone.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, span.map(|span| Span::new(moved(span.start, false, found), moved(span.end, true, found))))
}

/// Where a place lies afterwards. Of a span that ends inside of what is replaced the whole mask is part.
fn moved(wanted: usize, is_end: bool, found: &[(Span, String)]) -> usize {
    let (mut shrunk, mut grown) = (0, 0);
    for (gone, mask) in found {
        if wanted <= gone.start {
            break;
        }
        if wanted < gone.end {
            return gone.start + grown - shrunk + if is_end { mask.len() } else { 0 };
        }
        shrunk += gone.end - gone.start;
        grown += mask.len();
    }
    wanted + grown - shrunk
}

/// Stands where a rule names nothing else.
const MASK: &str = "[redacted]";
/// How often a text is read.
const ROUNDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_move_with_what_is_replaced() {
        let text = "0123456789abcdef";
        let found = [(Span::new(2, 4), "<mask>".to_owned()), (Span::new(8, 12), "x".to_owned())];
        // 01<mask>4567xcdef
        let of = |start, end| {
            let (out, span) = replace(text, &found, Some(Span::new(start, end)));
            let span = span.unwrap();
            out[span.start..span.end].to_owned()
        };
        assert_eq!(replace(text, &found, None).0, "01<mask>4567xcdef");
        assert_eq!(of(0, 16), "01<mask>4567xcdef");
        assert_eq!(of(0, 1), "0");
        assert_eq!(of(0, 2), "01");
        assert_eq!(of(1, 3), "1<mask>");
        assert_eq!(of(2, 4), "<mask>");
        assert_eq!(of(3, 6), "<mask>45");
        assert_eq!(of(4, 8), "4567");
        assert_eq!(of(5, 9), "567x");
        assert_eq!(of(10, 14), "xcd");
        assert_eq!(of(12, 16), "cdef");
        assert_eq!(of(13, 14), "d");
    }
}
