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
        let mut findings: Vec<Finding> = Vec::new();
        for (span, rule, layer) in hits {
            // One finding for what one rule sees in one place, however many readings and patterns see it.
            let known = findings.iter_mut().find(|finding| finding.span.overlaps(span) && self.is_rule(finding, rule));
            match known {
                Some(known) if known.span == known.span.cover(span) => {}
                Some(known) => {
                    let cover = known.span.cover(span);
                    let layer = std::mem::take(&mut known.layer);
                    if let Some(wider) = self.finding(index, passage, direction, cover, rule, layer) {
                        *known = wider;
                    }
                }
                None => findings.extend(self.finding(index, passage, direction, span, rule, layer)),
            }
        }
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

    fn is_rule(&self, finding: &Finding, rule: RuleIndex) -> bool {
        let id = self.scanner.rules().rule(rule).map(|rule| &rule.id);
        matches!(&finding.source, Source::Rule { id: found } if Some(found) == id)
    }
}
