//! One text, read every way it could be meant: as sent, made canonical, and with its encodings undone.

use crate::base::Span;
use crate::inspect::excerpt;
use crate::inspect::redact::{self, Mask};
use crate::inspect::settle::{Open, Pending, Settled, settle};
use crate::inspect::snapshot::Snapshot;
use crate::rules::RuleIndex;
use crate::scan::{Context, Match, Reading, Scratch};
use crate::text::{Direction, Layer as DecodedLayer, Layers, Passage, Trust, canonical, layers};
use crate::verdict::{Finding, Layer, Source};

/// Findings of one rule in one passage that are built for the verdict and the record. Further matches act (they are masked)
/// and are not listed: a rule counts once in a passage, and hostile text may hold a million matches.
pub(super) const RECORDED_PER_RULE: usize = 8;

/// What reading a text brought to light.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Rule findings, spans in the text as sent.
    pub findings: Vec<Finding>,
    /// What redacting rules replace, in order of place: every match, listed or not.
    pub masks: Vec<Mask>,
    /// Every match of a rule: by rule, then by place, those of one rule apart.
    pub found: Vec<(RuleIndex, Span)>,
    /// What rules find if the classifier agrees.
    pub pending: Vec<Pending>,
    /// Decoded texts, for the model.
    pub decoded: Vec<DecodedLayer>,
    /// False when a limit stopped the decoding.
    pub complete: bool,
}

/// A rule's match in some reading: 0 is the text as sent, 1 its canonical form, from 2 on its decoded layers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub rule: RuleIndex,
    /// Which pattern, for a rule with a condition; else 0.
    pub pattern: u16,
    pub span: Span,
    pub reading: usize,
}

impl Hit {
    /// The reading that saw it, where `undone` are the decoded layers of the text.
    pub(super) fn layer(self, undone: &Layers) -> Layer {
        match self.reading.checked_sub(2) {
            Some(layer) => Layer::Decoded(undone.layers.get(layer).map_or_else(Vec::new, names)),
            None if self.reading == 0 => Layer::Raw,
            None => Layer::Canonical,
        }
    }
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
        let (Settled { hits, open }, undone) =
            self.hits(&passage.text, Context { direction, role: passage.role }, scratch);
        let (findings, masks) = self.listed(index, passage, direction, &hits, &undone);
        let pending = |open: &Open| {
            let (findings, masks) = self.listed(index, passage, direction, &open.hits, &undone);
            Pending::new(open, vec![index], findings, masks.into_iter().map(|mask| (index, mask)).collect())
        };
        let pending = open.iter().map(pending).collect();
        let found = hits.iter().map(|hit| (hit.rule, hit.span)).collect();
        Read { findings, masks, found, pending, decoded: undone.layers, complete: undone.complete }
    }

    /// Matches as findings and as what is replaced for them, in order of place.
    fn listed(
        &self,
        index: usize,
        passage: &Passage<'_>,
        direction: Direction,
        hits: &[Hit],
        undone: &Layers,
    ) -> (Vec<Finding>, Vec<Mask>) {
        let (mut findings, mut masks) = (Vec::new(), Vec::new());
        for of_rule in hits.chunk_by(|one, next| one.rule == next.rule) {
            for (number, hit) in of_rule.iter().enumerate() {
                if number < RECORDED_PER_RULE {
                    let layer = hit.layer(undone);
                    findings.extend(self.finding(index, passage, direction, hit.span, hit.rule, layer));
                }
                masks.extend(self.mask(hit.rule, hit.span));
            }
        }
        masks.sort_by_key(|mask| mask.cover);
        (findings, masks)
    }

    /// What all rules find in all readings of a text, by rule, then by place; and what its encodings hide.
    pub(super) fn hits(&self, text: &str, context: Context, scratch: &mut Scratch) -> (Settled, Layers) {
        let mut hits = Vec::new();
        self.scan_text(text, context, scratch, |Match { rule, pattern, span }, is_raw| {
            hits.push(Hit { rule, pattern, span, reading: usize::from(!is_raw) });
        });
        let undone = layers(text, &self.limits);
        for (number, layer) in undone.layers.iter().enumerate() {
            self.scan_text(&layer.text, context, scratch, |Match { rule, pattern, span }, _| {
                if self.scanner.rules().rule(rule).is_some_and(|rule| rule.reads(&layer.encodings)) {
                    hits.push(Hit { rule, pattern, span: layer.map.to_original(span), reading: number + 2 });
                }
            });
        }
        (settle(self.scanner.rules(), hits), undone)
    }

    /// One text in its raw (true) and its canonical reading; spans are given in the text itself.
    fn scan_text(&self, text: &str, context: Context, scratch: &mut Scratch, mut hit: impl FnMut(Match, bool)) {
        let folded = canonical(text);
        let mut matches: Vec<Match> = Vec::new();
        if matches!(folded.text, std::borrow::Cow::Borrowed(_)) {
            self.scanner.scan(text, Reading::Both, context, scratch, &mut matches);
            matches.iter().for_each(|found| hit(*found, true));
            return;
        }
        self.scanner.scan(text, Reading::Raw, context, scratch, &mut matches);
        matches.iter().for_each(|found| hit(*found, true));
        matches.clear();
        self.scanner.scan(&folded.text, Reading::Canonical, context, scratch, &mut matches);
        for found in &matches {
            hit(Match { span: folded.map.to_original(found.span), ..*found }, false);
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
        // Encoded text is shown as a secret is: whoever reads the record could undo it, and what it holds was not looked at.
        let hidden = rule.sensitive || matches!(layer, Layer::Decoded(_));
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
            excerpt: excerpt::of(passage.text.get(span.range()).unwrap_or_default(), hidden),
        })
    }

    /// What stands for a match of a redacting rule.
    pub(super) fn mask(&self, rule: RuleIndex, span: Span) -> Option<Mask> {
        let rule = self.scanner.rules().rule(rule)?;
        redact::mask(rule.action, rule.mask.as_deref(), span)
    }
}

fn names(layer: &DecodedLayer) -> Vec<&'static str> {
    layer.encodings.clone()
}
