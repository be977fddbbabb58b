//! What the matches of one text come to: rules with a condition find something only where it holds.
//!
//! A condition is judged over all readings of a text together. Where it asks for the classifier's scores, it stays open until
//! the answer is there, or until it is known that nobody asks.

use crate::inspect::reading::{Hit, Read};
use crate::inspect::redact::Mask;
use crate::inspect::snapshot::Snapshot;
use crate::rules::condition::{Counts, Scores, Truth};
use crate::rules::{RuleIndex, RuleSet};
use crate::verdict::Finding;

/// The matches of one text, by rule, then by place.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Those that are findings.
    pub hits: Vec<Hit>,
    /// Those of rules that wait for the classifier's scores.
    pub open: Vec<Open>,
}

/// A rule whose condition the classifier's scores decide, and what it finds if it holds.
#[derive(Debug)]
pub(super) struct Open {
    pub rule: RuleIndex,
    pub counts: Counts,
    pub hits: Vec<Hit>,
}

/// The same, ready to be booked.
#[derive(Debug)]
pub(super) struct Pending {
    rule: RuleIndex,
    counts: Counts,
    /// Passages of the message whose scores count.
    pub passages: Vec<usize>,
    pub findings: Vec<Finding>,
    /// What is replaced, each with its passage.
    pub masks: Vec<(usize, Mask)>,
}

impl Pending {
    pub(super) fn new(open: &Open, passages: Vec<usize>, findings: Vec<Finding>, masks: Vec<(usize, Mask)>) -> Self {
        Self { rule: open.rule, counts: open.counts.clone(), passages, findings, masks }
    }
}

impl Snapshot {
    /// Does the condition hold, with what the classifier has said? Unknown scores reach no level.
    pub(super) fn holds(&self, pending: &Pending, scores: &Scores) -> bool {
        let rule = self.scanner.rules().rule(pending.rule);
        rule.and_then(|rule| rule.condition.as_ref()).is_some_and(|condition| condition.holds(&pending.counts, scores))
    }

    /// What was read where nobody asks the classifier.
    pub(super) fn unasked(&self, mut read: Read) -> Read {
        for pending in std::mem::take(&mut read.pending) {
            if self.holds(&pending, &Scores::default()) {
                read.findings.extend(pending.findings);
                read.masks.extend(pending.masks.into_iter().map(|(_, mask)| mask));
            }
        }
        read.masks.sort_by_key(|mask| mask.cover);
        read
    }
}

/// Judges the conditions of all rules that match a text.
pub(super) fn settle(rules: &RuleSet, mut hits: Vec<Hit>) -> Settled {
    hits.sort_unstable_by_key(Hit::order);
    let mut settled = Settled::default();
    for of_rule in hits.chunk_by(|one, next| one.rule == next.rule) {
        let Some(rule) = of_rule.first().map(|hit| hit.rule) else { continue };
        let Some(condition) = rules.rule(rule).and_then(|rule| rule.condition.as_ref()) else {
            settled.hits.extend(merged(of_rule.iter().copied()));
            continue;
        };
        let counts = counted(of_rule);
        let truth = condition.before_scores(&counts);
        if truth == Truth::False {
            continue;
        }
        let positive = of_rule.iter().filter(|hit| condition.is_positive(hit.pattern));
        let mut positive: Vec<Hit> = positive.map(|hit| Hit { pattern: 0, ..*hit }).collect();
        positive.sort_unstable_by_key(|hit| (hit.span, hit.reading));
        let positive = merged(positive.into_iter());
        match truth {
            Truth::True => settled.hits.extend(positive),
            _ => settled.open.push(Open { rule, counts, hits: positive }),
        }
    }
    settled
}

/// How often each pattern of one rule matches. Its hits come by pattern, then by place.
pub(super) fn counted(of_rule: &[Hit]) -> Counts {
    let mut counts = Counts::default();
    for of_pattern in of_rule.chunk_by(|one, next| one.pattern == next.pattern) {
        merged(of_pattern.iter().copied()).iter().for_each(|hit| counts.add(hit.pattern));
    }
    counts
}

/// One hit for what is seen in one place, however many readings and patterns see it. A hit made of several names the
/// plainest reading of them. They come in order of place.
fn merged(hits: impl Iterator<Item = Hit>) -> Vec<Hit> {
    let mut merged: Vec<Hit> = Vec::new();
    for hit in hits {
        match merged.last_mut() {
            Some(last) if last.span.overlaps(hit.span) || last.span == hit.span => {
                last.span = last.span.cover(hit.span);
                last.reading = last.reading.min(hit.reading);
                last.is_decoded |= hit.is_decoded;
            }
            _ => merged.push(hit),
        }
    }
    merged
}
