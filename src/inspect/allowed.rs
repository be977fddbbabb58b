//! What rules that allow vouch for: matches of other rules that lie wholly inside one of theirs do not act.
//!
//! Never text that was hidden: a match that some decoded layer is part of always acts.

use crate::base::Span;
use crate::inspect::reading::{Given, Hit};
use crate::inspect::snapshot::Snapshot;
use crate::rules::Rule;
use crate::text::Passage;
use crate::verdict::Action;

/// The matches of rules that allow in one text.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    /// By rule: its id, and its matches in order of place, each with the furthest end of those up to it.
    rules: Vec<(String, Vec<(Span, usize)>)>,
}

impl Allowed {
    /// Those among the hits (by rule, then by place) of one text, which lies in these passages.
    pub(super) fn of(snapshot: &Snapshot, hits: &[Hit], passages: &[&Passage<'_>], given: Given<'_>) -> Self {
        let mut allowed = Self::default();
        for of_rule in hits.chunk_by(|one, next| one.rule == next.rule) {
            let rule = of_rule.first().and_then(|hit| snapshot.scanner.rules().rule(hit.rule));
            // Looked at first, since hardly any rule allows.
            if rule.is_none_or(|rule| rule.action != Some(Action::Allow)) {
                continue;
            }
            let Some(rule) = rule else { continue };
            let vouches = |passage: &&Passage<'_>| {
                let effect = rule.effect(given.facts, given.direction, passage);
                effect.is_some_and(|effect| effect.action == Some(Action::Allow) && effect.standing.acts())
            };
            if passages.iter().all(vouches) {
                of_rule.iter().filter(|hit| hit.is_plain()).for_each(|hit| allowed.add(&rule.id, hit.span));
            }
        }
        allowed
    }

    /// Adds a match.
    pub(super) fn add(&mut self, rule: &str, span: Span) {
        let at = self.rules.iter().position(|(id, _)| id == rule).unwrap_or_else(|| {
            self.rules.push((rule.to_owned(), Vec::new()));
            self.rules.len() - 1
        });
        let Some((_, spans)) = self.rules.get_mut(at) else { return };
        // Nearly always the last: they come in order, but for those of several patterns in a stream.
        let place = spans.partition_point(|(known, _)| known.start <= span.start);
        let before = place.checked_sub(1).and_then(|last| spans.get(last)).map_or(0, |(_, furthest)| *furthest);
        spans.insert(place, (span, before.max(span.end)));
        for (_, furthest) in spans.iter_mut().skip(place + 1) {
            *furthest = span.end.max(*furthest);
        }
    }

    /// The rule that keeps this match of another from acting.
    pub(super) fn by<'r>(&self, rule: &'r Rule, hit: Hit) -> Option<&'r str> {
        if self.rules.is_empty() || !hit.is_plain() {
            return None;
        }
        let covers = |id: &&String| {
            let spans = self.rules.iter().find(|(known, _)| known == *id).map(|(_, spans)| spans);
            spans.is_some_and(|spans| {
                let before = spans.partition_point(|(span, _)| span.start <= hit.span.start);
                // The one that reaches furthest of those that begin here or before is the one that covers it, if any does.
                before.checked_sub(1).and_then(|last| spans.get(last)).is_some_and(|(_, end)| *end >= hit.span.end)
            })
        };
        rule.allowed_by().iter().find(covers).map(String::as_str)
    }

    /// Forgets what ends before `start`, so that a long stream keeps no more than it needs.
    pub(super) fn forget_before(&mut self, start: usize) {
        for (_, spans) in &mut self.rules {
            let over = spans.partition_point(|(_, furthest)| *furthest <= start);
            spans.drain(..over);
        }
    }
}
