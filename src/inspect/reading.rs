//! One text, read every way it could be meant: as sent, made canonical, and with its encodings undone.

use crate::base::Span;
use crate::inspect::allowed::Allowed;
use crate::inspect::excerpt;
use crate::inspect::redact::{self, Mask};
use crate::inspect::settle::{Open, Pending, Settled, settle};
use crate::inspect::snapshot::Snapshot;
use crate::inspect::whole::unstrippable;
use crate::rules::exception::{self, Exception};
use crate::rules::{Effect, Facts, Rule, RuleIndex};
use crate::scan::{Context, Match, Reading, Scratch};
use crate::text::{Direction, Layer as DecodedLayer, Layers, Passage, canonical, layers};
use crate::verdict::{Action, Finding, Layer, Source, Standing};

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
    /// A rule that acts demands that the passage be taken out of its message.
    pub strips: bool,
    /// Every match of a rule: by rule, then by place, those of one rule apart; and whether it acts.
    pub found: Vec<(RuleIndex, Span, bool)>,
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
    /// Something in a decoded layer is part of it.
    pub is_decoded: bool,
}

impl Hit {
    /// The same match, told by its share in one of the texts that it lies in.
    pub(super) fn at(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// A match in a stream, which flows raw or canonical.
    pub(super) fn streamed(rule: RuleIndex, span: Span) -> Self {
        Self { rule, pattern: 0, span, reading: 0, is_decoded: false }
    }

    /// By rule, then by pattern, then by place.
    pub(super) fn order(&self) -> (RuleIndex, u16, Span, usize) {
        (self.rule, self.pattern, self.span, self.reading)
    }

    /// True for a match that is all there in the text as it was sent or in its canonical form.
    pub(super) fn is_plain(self) -> bool {
        !self.is_decoded
    }

    /// The reading that saw it, where `undone` are the decoded layers of the text.
    pub(super) fn layer(self, undone: &Layers) -> Layer {
        match self.reading.checked_sub(2) {
            Some(layer) => Layer::Decoded(undone.layers.get(layer).map_or_else(Vec::new, names)),
            None if self.reading == 0 => Layer::Raw,
            None => Layer::Canonical,
        }
    }
}

/// What is the same for all passages of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'f> {
    pub direction: Direction,
    pub facts: &'f Facts,
}

/// What a rule demands in one text, and what may keep it from acting there.
#[derive(Debug)]
pub(super) struct Ruling<'s> {
    pub rule: &'s Rule,
    pub effect: Effect,
    exceptions: Vec<&'s Exception>,
}

impl Ruling<'_> {
    /// Whether a match acts. `found`: its text as sent.
    pub(super) fn standing(&self, hit: Hit, found: &str, allowed: &Allowed) -> Standing {
        if !self.effect.standing.acts() {
            return self.effect.standing.clone();
        }
        if let Some(exception) = exception::first(&self.exceptions, found) {
            return Standing::Excepted(exception.id.clone());
        }
        allowed.by(self.rule, hit).map_or(Standing::Acts, |by| Standing::Allowed(by.to_owned()))
    }
}

/// A match, and what it comes to.
#[derive(Debug)]
pub(super) struct Ruled {
    pub hit: Hit,
    pub standing: Standing,
}

impl Snapshot {
    /// Scans one whole passage in all its readings.
    pub(super) fn read(&self, index: usize, passage: &Passage<'_>, given: Given<'_>, scratch: &mut Scratch) -> Read {
        let context = Context { direction: given.direction, role: passage.role };
        let (Settled { hits, open }, undone) = self.hits(&passage.text, context, scratch);
        let allowed = Allowed::of(self, &hits, &[passage], given);
        let mut read = self.listed(index, passage, given, &hits, &undone, &allowed);
        let pending = |open: &Open| {
            let Read { findings, masks, .. } = self.listed(index, passage, given, &open.hits, &undone, &allowed);
            // When it is decided, nothing can be taken out of the message any more.
            let findings = findings.into_iter().map(unstrippable).collect();
            Pending::new(open, vec![index], findings, masks.into_iter().map(|mask| (index, mask)).collect())
        };
        read.pending = open.iter().map(pending).collect();
        read.complete = undone.complete;
        read.decoded = undone.layers;
        read
    }

    /// What the matches of one text come to, by rule, then by place.
    fn listed(
        &self,
        index: usize,
        passage: &Passage<'_>,
        given: Given<'_>,
        hits: &[Hit],
        undone: &Layers,
        allowed: &Allowed,
    ) -> Read {
        let mut read = Read::default();
        for of_rule in hits.chunk_by(|one, next| one.rule == next.rule) {
            let rule = of_rule.first().map(|hit| hit.rule);
            let Some(ruling) = rule.and_then(|rule| self.ruling(rule, &[passage], given)) else { continue };
            let mut listed = [0; 2];
            let mut still = Vec::new();
            for hit in of_rule {
                let found = passage.text.get(hit.span.range()).unwrap_or_default();
                let standing = ruling.standing(*hit, found, allowed);
                let acts = standing.acts();
                read.found.push((hit.rule, hit.span, acts));
                if acts {
                    read.masks.extend(redact::mask(&ruling.effect, hit.span));
                    read.strips |= ruling.effect.action == Some(Action::Strip);
                }
                let listed = &mut listed[usize::from(acts)];
                *listed += 1;
                if *listed <= RECORDED_PER_RULE {
                    let ruled = Ruled { hit: *hit, standing };
                    let layer = ruled.hit.layer(undone);
                    let finding = finding(index, passage, given.direction, &ruling, &ruled, layer);
                    if acts { read.findings.push(finding) } else { still.push(finding) }
                }
            }
            // Those that act first.
            read.findings.append(&mut still);
        }
        read.masks.sort_by_key(|mask| mask.cover);
        read
    }

    /// What a rule demands in some of the passages that its match lies in, and what may keep it from acting there; `None`: it
    /// does not apply.
    pub(super) fn ruling(&self, rule: RuleIndex, passages: &[&Passage<'_>], given: Given<'_>) -> Option<Ruling<'_>> {
        let set = self.scanner.rules();
        let rule = set.rule(rule)?;
        let mut effects = passages.iter().filter_map(|passage| rule.effect(given.facts, given.direction, passage));
        let first = effects.next()?;
        // The strictest of them, where it acts in one and only counts in another.
        let effect = effects.fold(first, |one, other| if other.strength() > one.strength() { other } else { one });
        let exceptions = set.exceptions_for(rule, given.facts, given.direction, passages);
        Some(Ruling { rule, effect, exceptions })
    }

    /// What all rules find in all readings of a text, by rule, then by place; and what its encodings hide.
    pub(super) fn hits(&self, text: &str, context: Context, scratch: &mut Scratch) -> (Settled, Layers) {
        let (hits, undone) = self.unsettled(text, context, scratch);
        (settle(self.scanner.rules(), hits), undone)
    }

    /// The same before conditions are judged, in no order.
    pub(super) fn unsettled(&self, text: &str, context: Context, scratch: &mut Scratch) -> (Vec<Hit>, Layers) {
        let mut hits = Vec::new();
        self.scan_text(text, context, scratch, |Match { rule, pattern, span }, is_raw| {
            hits.push(Hit { rule, pattern, span, reading: usize::from(!is_raw), is_decoded: false });
        });
        let undone = layers(text, &self.limits);
        for (number, layer) in undone.layers.iter().enumerate() {
            self.scan_text(&layer.text, context, scratch, |Match { rule, pattern, span }, _| {
                if self.scanner.rules().rule(rule).is_some_and(|rule| rule.reads(&layer.encodings)) {
                    let span = layer.map.to_original(span);
                    hits.push(Hit { rule, pattern, span, reading: number + 2, is_decoded: true });
                }
            });
        }
        (hits, undone)
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
}

/// A rule's match as a finding.
pub(super) fn finding(
    index: usize,
    passage: &Passage<'_>,
    direction: Direction,
    ruling: &Ruling<'_>,
    ruled: &Ruled,
    layer: Layer,
) -> Finding {
    let Ruling { rule, effect, .. } = ruling;
    let span = ruled.hit.span;
    let acts = ruled.standing.acts();
    // Encoded text is shown as a secret is: whoever reads the record could undo it, and what it holds was not looked at.
    // What a token stands for is not for the record either.
    let hidden = rule.sensitive || effect.token.is_some() || matches!(layer, Layer::Decoded(_));
    Finding {
        source: Source::Rule { id: rule.id.clone() },
        title: rule.title.clone(),
        severity: effect.severity,
        points: if acts { effect.points } else { 0 },
        action: effect.action.filter(|_| acts),
        standing: ruled.standing.clone(),
        would: effect.action.filter(|_| !acts),
        to: effect.to.clone(),
        mask: (effect.action == Some(Action::Redact)).then(|| redact::shown(effect)),
        tags: rule.tags.clone(),
        passage: index,
        place: passage.place.to_string(),
        role: passage.role,
        trust: passage.trust(direction),
        span,
        layer,
        score: None,
        excerpt: excerpt::of(passage.text.get(span.range()).unwrap_or_default(), hidden),
    }
}

fn names(layer: &DecodedLayer) -> Vec<&'static str> {
    layer.encodings.clone()
}
