//! From redacting findings to edits of the message.

use crate::base::Span;
use crate::inspect::subject::Edit;
use crate::verdict::{Action, Finding};

/// What stands for a matched text whose rule names no mask.
const DEFAULT_MASK: &str = "[redacted]";

/// The edits that the findings' redactions demand: ordered, overlapping spans joined under the mask of the first.
pub(super) fn edits(findings: &[Finding]) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut masked: Vec<&Finding> = findings.iter().filter(|finding| finding.action == Some(Action::Redact)).collect();
    masked.sort_by_key(|finding| (finding.passage, finding.span));
    for finding in masked {
        let with = finding.mask.as_deref().unwrap_or(DEFAULT_MASK);
        match edits.last_mut() {
            Some(last) if last.passage == finding.passage && finding.span.start < last.span.end => {
                last.span = last.span.cover(finding.span);
            }
            _ => edits.push(Edit { passage: finding.passage, span: finding.span, with: with.to_owned() }),
        }
    }
    edits
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
    fn edits_are_applied_in_place() {
        let edits = [(Span::new(12, 15), "X"), (Span::new(17, 18), "YY")];
        assert_eq!(apply("abcdefghij", 10, edits.into_iter()), "abXfgYYij");
        assert_eq!(apply("abc", 0, std::iter::empty()), "abc");
    }
}
