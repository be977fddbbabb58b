//! What `explain` has to say of one passage, read off its trace and the verdict.

use super::report::{Change, Given, Match, NearMiss, Part, Points, Reading, Redaction};
use super::shown::{Hidden, code_points};
use crate::base::Span;
use crate::cli::message::Message;
use crate::inspect::trace::{Sighting, TracedReading, changes};
use crate::inspect::{Edit, Judged, Outcome, Snapshot, Trace};
use crate::text::{Map, Passage};
use crate::verdict::{Finding, Source, decide_passage};

/// Changes of one reading that are listed.
const CHANGES: usize = 32;

/// What is told of the passage of this number.
pub(super) fn part(
    given: &Given<'_>,
    (index, passage, trace): (usize, &Passage<'_>, &Trace),
    judged: &Judged<Message>,
    show_sensitive: bool,
) -> Part {
    let findings: Vec<&Finding> = judged.verdict.findings.iter().filter(|finding| finding.passage == index).collect();
    let hidden = if show_sensitive { Hidden::default() } else { hidden(given.snapshot, trace, &findings) };
    Reader { given, index, passage, trace, hidden, findings }.part(judged)
}

/// One passage on its way into the report.
struct Reader<'r> {
    given: &'r Given<'r>,
    index: usize,
    passage: &'r Passage<'r>,
    trace: &'r Trace,
    hidden: Hidden,
    /// Those of this passage.
    findings: Vec<&'r Finding>,
}

impl Reader<'_> {
    fn part(&self, judged: &Judged<Message>) -> Part {
        let Given { snapshot, direction, is_body, .. } = *self.given;
        let trust = self.passage.trust(direction);
        let readings = self.readings();
        let own: Vec<Finding> = self.findings.iter().map(|finding| (*finding).clone()).collect();
        Part {
            place: is_body.then(|| self.passage.place.to_string()),
            role: self.passage.role,
            trust,
            bytes: self.passage.text.len(),
            complete: self.trace.complete,
            near_misses_looked_for: self.trace.near_misses,
            points: points(&self.findings, &readings),
            readings,
            // The verdict's own sum over the same findings.
            decided: decide_passage(&own, snapshot.policy.score.of(trust)),
            levels: snapshot.policy.model.of(trust),
            redactions: redactions(judged, self.index),
        }
    }

    fn readings(&self) -> Vec<Reading> {
        let mut before: Option<&TracedReading> = None;
        let mut readings = Vec::new();
        for traced in &self.trace.readings {
            readings.push(self.reading(traced, before.filter(|_| traced.folded)));
            before = Some(traced);
        }
        readings
    }

    /// `unfolded`: what a canonical reading was made of.
    fn reading(&self, traced: &TracedReading, unfolded: Option<&TracedReading>) -> Reading {
        let (changes, change_count) = unfolded.map_or_else(Default::default, |unfolded| self.changes(traced, unfolded));
        let near_misses = traced.near_misses.iter();
        Reading {
            layer: traced.layer.clone(),
            folded: traced.folded,
            shown: self.hidden.show(&traced.text, Span::new(0, traced.text.len()), &traced.map),
            bytes: traced.text.len(),
            changes,
            change_count,
            matches: traced.sightings.iter().map(|sighting| self.found(sighting)).collect(),
            near_misses: near_misses
                .map(|miss| NearMiss { at: self.found(&miss.sighting), validator: miss.validator })
                .collect(),
        }
    }

    /// Told by code points, unless they are part of what is hidden.
    fn changes(&self, traced: &TracedReading, unfolded: &TracedReading) -> (Vec<Change>, usize) {
        let folded = crate::text::canonical(&unfolded.text);
        let (changes, count) = changes(&unfolded.text, &traced.text, &folded.map, CHANGES);
        let told = changes.into_iter().map(|change| {
            let shown = self.hidden.show(&unfolded.text, change.original, &unfolded.map);
            let (from, to) = if shown.contains('•') && !change.from.contains('•') {
                (shown, "•".to_owned())
            } else {
                (code_points(&change.from), code_points(&change.to))
            };
            Change { span: change.original, from, to }
        });
        (told.collect(), count)
    }

    fn found(&self, sighting: &Sighting) -> Match {
        let rule = self.given.snapshot.scanner.rules().by_id(&sighting.rule);
        let counts = self.findings.iter().any(|finding| finding.source.name() == sighting.rule);
        let (line, marks) = self.hidden.mark(&self.passage.text, sighting.original, &Map::identity());
        Match {
            rule: sighting.rule.clone(),
            title: rule.map_or_else(String::new, |(_, rule)| rule.title.clone()),
            span: sighting.span,
            original: sighting.original,
            marked: [line, marks],
            counts,
            misfits: if counts { Vec::new() } else { sighting.misfits.clone() },
        }
    }
}

fn points(findings: &[&Finding], readings: &[Reading]) -> Vec<Points> {
    let is_seen = |source: &Source| match source {
        Source::Rule { id } => readings.iter().any(|reading| reading.matches.iter().any(|found| found.rule == *id)),
        Source::Model { .. } => true,
    };
    let mut points: Vec<Points> = Vec::new();
    for finding in findings {
        let source = finding.source.name();
        match points.iter_mut().find(|known| known.source == source && known.standing == finding.standing) {
            Some(known) => known.action = known.action.max(finding.action),
            None => points.push(Points {
                source: source.to_owned(),
                standing: finding.standing.clone(),
                title: finding.title.clone(),
                points: finding.points,
                action: finding.action,
                together: !is_seen(&finding.source),
            }),
        }
    }
    points
}

/// Where nothing passes, nothing is replaced.
fn redactions(judged: &Judged<Message>, passage: usize) -> Vec<Redaction> {
    let Outcome::Cleared(cleared) = &judged.outcome else { return Vec::new() };
    let redaction = |edit: &Edit| {
        let token = judged.tokens.contains(edit);
        // The last part of a token is another one in each exchange.
        let form = edit.with.rsplit_once('-').filter(|_| token).map(|(form, _)| format!("{form}-…]"));
        Redaction { span: edit.span, with: form.unwrap_or_else(|| edit.with.clone()), token }
    };
    cleared.edits().iter().filter(|edit| edit.passage == passage).map(redaction).collect()
}

/// Everything that a sensitive rule sees or nearly sees, in the text as sent.
fn hidden(snapshot: &Snapshot, trace: &Trace, findings: &[&Finding]) -> Hidden {
    let sensitive = |id: &str| snapshot.scanner.rules().by_id(id).is_some_and(|(_, rule)| rule.sensitive);
    let found = findings.iter().filter(|finding| sensitive(finding.source.name())).map(|finding| finding.span);
    let seen = trace.readings.iter().flat_map(|reading| {
        let near = reading.near_misses.iter().map(|miss| &miss.sighting);
        reading.sightings.iter().chain(near).filter(|sighting| sighting.sensitive).map(|sighting| sighting.original)
    });
    Hidden::new(found.chain(seen).collect())
}
