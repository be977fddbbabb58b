//! One text, read every way it could be meant: as sent, made canonical, and with its encodings undone.

use crate::base::Span;
use crate::inspect::excerpt;
use crate::inspect::snapshot::Snapshot;
use crate::rules::RuleIndex;
use crate::scan::{Context, Match, Reading, Scratch};
use crate::text::{Direction, Layer as DecodedLayer, Passage, Trust, canonical, layers};
use crate::verdict::{Finding, Layer, Source};

/// What reading a text brought to light.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Rule findings, spans in the text as sent.
    pub findings: Vec<Finding>,
    /// Decoded texts, for the model.
    pub decoded: Vec<DecodedLayer>,
    /// False when a limit stopped the decoding.
    pub complete: bool,
}

/// The trust of a passage: its role's in a request, the provider's in a reply.
pub(super) fn trust(direction: Direction, passage: &Passage<'_>) -> Trust {
    match direction {
        Direction::Reply => Trust::Provider,
        Direction::Request => passage.role.trust(),
    }
}

impl Snapshot {
    /// Scans one whole passage in all its readings.
    pub(super) fn read(
        &self,
        index: usize,
        passage: &Passage<'_>,
        direction: Direction,
        scratch: &mut Scratch,
    ) -> Read {
        let context = Context { direction, role: passage.role };
        let mut hits = Vec::new();
        self.scan_text(&passage.text, context, scratch, |span, rule, reading| hits.push((span, rule, reading)));
        let undone = layers(&passage.text, &self.limits);
        for layer in &undone.layers {
            self.scan_text(&layer.text, context, scratch, |span, rule, _| {
                hits.push((layer.map.to_original(span), rule, Layer::Decoded(layer.encodings.clone())));
            });
        }
        let hits = joined(hits).into_iter();
        let findings =
            hits.filter_map(|(span, rule, layer)| self.finding(index, passage, direction, span, rule, layer)).collect();
        Read { findings, decoded: undone.layers, complete: undone.complete }
    }

    /// One text in its raw and its canonical reading; spans are given in the text itself.
    fn scan_text(
        &self,
        text: &str,
        context: Context,
        scratch: &mut Scratch,
        mut hit: impl FnMut(Span, RuleIndex, Layer),
    ) {
        let folded = canonical(text);
        let mut matches: Vec<Match> = Vec::new();
        if matches!(folded.text, std::borrow::Cow::Borrowed(_)) {
            self.scanner.scan(text, Reading::Both, context, scratch, &mut matches);
            matches.iter().for_each(|found| hit(found.span, found.rule, Layer::Raw));
            return;
        }
        self.scanner.scan(text, Reading::Raw, context, scratch, &mut matches);
        matches.iter().for_each(|found| hit(found.span, found.rule, Layer::Raw));
        matches.clear();
        self.scanner.scan(&folded.text, Reading::Canonical, context, scratch, &mut matches);
        for found in &matches {
            hit(folded.map.to_original(found.span), found.rule, Layer::Canonical);
        }
    }

    /// A rule's match as a finding.
    pub(super) fn finding(
        &self,
        index: usize,
        passage: &Passage<'_>,
        direction: Direction,
        span: Span,
        rule: RuleIndex,
        layer: Layer,
    ) -> Option<Finding> {
        let rule = self.scanner.rules().rule(rule)?;
        Some(Finding {
            source: Source::Rule { id: rule.id.clone() },
            title: rule.title.clone(),
            severity: rule.severity,
            points: rule.points(),
            action: rule.action,
            mask: rule.mask.clone(),
            tags: rule.tags.clone(),
            passage: index,
            place: passage.place.to_string(),
            role: passage.role,
            trust: trust(direction, passage),
            span,
            layer,
            score: None,
            excerpt: excerpt::of(passage.text.get(span.range()).unwrap_or_default(), rule.sensitive),
        })
    }
}

/// A match in some reading; its span is in the text as sent.
type Hit = (Span, RuleIndex, Layer);

/// Hits of one rule that overlap become one that covers them all: patterns and readings find the same text more than once,
/// some of them less of it, and a redaction must take the whole. The reading is that of the first one found.
fn joined(hits: Vec<Hit>) -> Vec<Hit> {
    let mut hits: Vec<(usize, Hit)> = hits.into_iter().enumerate().collect();
    hits.sort_by_key(|(order, (span, rule, _))| (*rule, *span, *order));
    let mut joined: Vec<(usize, Hit)> = Vec::new();
    for (order, (span, rule, layer)) in hits {
        match joined.last_mut() {
            Some((first, (cover, known, reading))) if *known == rule && span.start < cover.end => {
                *cover = cover.cover(span);
                if order < *first {
                    (*first, *reading) = (order, layer);
                }
            }
            _ => joined.push((order, (span, rule, layer))),
        }
    }
    joined.into_iter().map(|(_, hit)| hit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_of_one_rule_that_overlap_become_one() {
        let (one, two) = (RuleIndex(0), RuleIndex(1));
        let hit = |start, end, rule, layer: Layer| (Span::new(start, end), rule, layer);
        let hits = vec![
            hit(10, 20, one, Layer::Raw),
            hit(10, 90, one, Layer::Raw),
            hit(15, 30, two, Layer::Raw),
            hit(5, 11, one, Layer::Canonical),
            hit(90, 95, one, Layer::Canonical),
        ];
        let expected =
            vec![hit(5, 90, one, Layer::Raw), hit(90, 95, one, Layer::Canonical), hit(15, 30, two, Layer::Raw)];
        assert_eq!(joined(hits), expected);
    }
}
