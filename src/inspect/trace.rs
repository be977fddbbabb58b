//! How a verdict comes about, told for one text: its readings, and what each of them shows. For people and tools; the inline
//! path does without.
//!
//! The readings are those that [`Snapshot::scan`] reads, and the matches those of the same scanner. Which of them are findings,
//! and what these come to, is not decided here: it is read off the verdict.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::base::Span;
use crate::inspect::reading::Hit;
use crate::inspect::settle::counted;
use crate::inspect::snapshot::Snapshot;
use crate::rules::{Facts, Misfit, Roles, RuleIndex, Scores};
use crate::scan::{Context, Match, Reading, Scratch};
use crate::text::{Direction, Map, Passage, canonical, layers};
use crate::verdict::Layer;

/// Bytes of text up to which [`Trace`] looks for matches that validators turned away: every pattern is searched for by itself.
const NEAR_MISS_BYTES: usize = 64 * 1024;

/// All readings of one passage.
#[derive(Debug)]
pub struct Trace {
    /// As sent, canonical where that differs, then each decoded layer, again both ways.
    pub readings: Vec<TracedReading>,
    /// False when a limit stopped the decoding.
    pub complete: bool,
    /// False when matches that validators turned away were not looked for, since the text is long.
    pub near_misses: bool,
}

/// One reading.
#[derive(Debug)]
pub struct TracedReading {
    /// Where it comes from.
    pub layer: Layer,
    /// It is the canonical form of its layer.
    pub folded: bool,
    /// Its text.
    pub text: String,
    /// From its text to the text as sent.
    pub map: Map,
    /// Matches of rules, in order of place.
    pub sightings: Vec<Sighting>,
    /// Matches that a validator turned away.
    pub near_misses: Vec<Rejected>,
}

/// A match in one reading.
#[derive(Clone, Debug, Serialize)]
pub struct Sighting {
    /// The rule's id.
    pub rule: String,
    /// Its match must not be shown.
    pub sensitive: bool,
    /// Bytes of the reading's text.
    pub span: Span,
    /// Bytes of the text as sent.
    pub original: Span,
    /// What the rule asks for and does not get here. Empty: it is among the findings, of this text or of another that it is
    /// read together with.
    pub misfits: Vec<Misfit>,
}

/// A match that a validator turned away.
#[derive(Clone, Debug, Serialize)]
pub struct Rejected {
    /// The match.
    #[serde(flatten)]
    pub sighting: Sighting,
    /// The validator's name.
    pub validator: &'static str,
}

/// What is known of a passage when it is traced.
#[derive(Clone, Copy, Debug)]
pub struct Known<'k> {
    /// Which way it travels.
    pub direction: Direction,
    /// The exchange.
    pub facts: &'k Facts,
    /// What the classifier said of it.
    pub scores: Scores,
}

impl Snapshot {
    /// Every reading of a passage and what each shows: found, turned away, or none of its rule's business.
    pub fn trace(&self, passage: &Passage<'_>, known: Known<'_>, scratch: &mut Scratch) -> Trace {
        let text: &str = &passage.text;
        let undone = layers(text, &self.limits);
        let decoded: usize = undone.layers.iter().map(|layer| layer.text.len()).sum();
        let context = Context { direction: known.direction, role: passage.role };
        let is_short = text.len().saturating_add(decoded) <= NEAR_MISS_BYTES;
        let tracer = Tracer {
            snapshot: self,
            passage,
            known,
            context,
            elsewhere: if is_short { self.elsewhere(context) } else { Vec::new() },
            conditions: self.conditions(text, context, known.scores, scratch),
            near_misses: is_short,
        };
        let mut readings = tracer.both(&Layer::Raw, text, &Map::identity(), scratch);
        for layer in &undone.layers {
            readings.extend(tracer.both(&Layer::Decoded(layer.encodings.clone()), &layer.text, &layer.map, scratch));
        }
        Trace { readings, complete: undone.complete, near_misses: tracer.near_misses }
    }
}

impl Snapshot {
    /// Directions and roles in which the rules are searched for that do not apply in this one.
    fn elsewhere(&self, here: Context) -> Vec<Context> {
        let mut contexts: Vec<Context> = Vec::new();
        for (_, rule) in self.scanner.rules().iter().filter(|(_, rule)| !rule.applies(here.direction, here.role)) {
            if contexts.iter().any(|known| rule.applies(known.direction, known.role)) {
                continue;
            }
            let ways = [here.direction, Direction::Request, Direction::Reply];
            let mut all = ways.into_iter().flat_map(|direction| Roles::EVERY.map(|role| Context { direction, role }));
            contexts.extend(all.find(|context| rule.applies(context.direction, context.role)));
        }
        contexts
    }

    /// The conditions that do not hold, with what was seen of them in all readings of the text.
    fn conditions(
        &self,
        text: &str,
        context: Context,
        scores: Scores,
        scratch: &mut Scratch,
    ) -> HashMap<RuleIndex, Misfit> {
        let (mut hits, _) = self.unsettled(text, context, scratch);
        hits.sort_unstable_by_key(Hit::order);
        let mut failed = HashMap::new();
        for of_rule in hits.chunk_by(|one, next| one.rule == next.rule) {
            let Some(index) = of_rule.first().map(|hit| hit.rule) else { continue };
            let rule = self.scanner.rules().rule(index);
            failed.extend(Some(index).zip(rule.and_then(|rule| rule.misfit_of_condition(&counted(of_rule), &scores))));
        }
        failed
    }
}

struct Tracer<'s> {
    snapshot: &'s Snapshot,
    passage: &'s Passage<'s>,
    known: Known<'s>,
    context: Context,
    /// Where rules apply that do not apply here.
    elsewhere: Vec<Context>,
    /// Rules with a condition that does not hold.
    conditions: HashMap<RuleIndex, Misfit>,
    near_misses: bool,
}

impl Tracer<'_> {
    /// A text as it stands and, where that differs, its canonical form.
    fn both(&self, layer: &Layer, text: &str, map: &Map, scratch: &mut Scratch) -> Vec<TracedReading> {
        let folded = canonical(text);
        if matches!(folded.text, Cow::Borrowed(_)) {
            return vec![self.one(layer, Reading::Both, text, map.clone(), scratch)];
        }
        let of_folded = match layer {
            Layer::Raw => Layer::Canonical,
            other => other.clone(),
        };
        vec![
            self.one(layer, Reading::Raw, text, map.clone(), scratch),
            self.one(&of_folded, Reading::Canonical, &folded.text, folded.map.then(map), scratch),
        ]
    }

    fn one(&self, layer: &Layer, reading: Reading, text: &str, map: Map, scratch: &mut Scratch) -> TracedReading {
        let (scanner, context) = (&self.snapshot.scanner, self.context);
        let mut matches = Vec::new();
        scanner.scan(text, reading, context, scratch, &mut matches);
        self.matches_elsewhere(text, reading, scratch, &mut matches);
        let sighting = |found: &Match| self.sighting(found.rule, found.span, &map, layer);
        let sightings = matches.iter().filter_map(sighting).collect();
        let mut rejected = Vec::new();
        if self.near_misses {
            scanner.near_misses(text, reading, context, scratch, &mut rejected);
        }
        let near_misses = rejected.iter().filter_map(|miss| {
            let sighting = self.sighting(miss.rule, miss.span, &map, layer)?;
            Some(Rejected { sighting, validator: miss.validator.name() })
        });
        let near_misses = near_misses.collect();
        let folded = reading == Reading::Canonical;
        TracedReading { layer: layer.clone(), folded, text: text.to_owned(), map, sightings, near_misses }
    }

    /// The first match of each rule that does not apply to texts of this role that travel this way.
    fn matches_elsewhere(&self, text: &str, reading: Reading, scratch: &mut Scratch, out: &mut Vec<Match>) {
        let (scanner, here) = (&self.snapshot.scanner, self.context);
        let mut known = HashSet::new();
        for context in &self.elsewhere {
            let mut matches = Vec::new();
            scanner.scan(text, reading, *context, scratch, &mut matches);
            matches.retain(|found| {
                let rule = scanner.rules().rule(found.rule);
                rule.is_some_and(|rule| !rule.applies(here.direction, here.role)) && known.insert(found.rule)
            });
            out.append(&mut matches);
        }
        out.sort_unstable_by_key(|found| (found.span, found.rule, found.pattern));
    }

    fn sighting(&self, index: RuleIndex, span: Span, map: &Map, layer: &Layer) -> Option<Sighting> {
        let rule = self.snapshot.scanner.rules().rule(index)?;
        let mut misfits = rule.misfits(self.known.facts, self.known.direction, self.passage);
        if let Layer::Decoded(encodings) = layer {
            misfits.extend(rule.misfit_of_reading(encodings));
        }
        misfits.extend(self.conditions.get(&index).cloned());
        let original = map.to_original(span);
        Some(Sighting { rule: rule.id.clone(), sensitive: rule.sensitive, span, original, misfits })
    }
}

/// What canonical folding did to one run of characters.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Bytes of the text as it was.
    pub original: Span,
    /// The characters that stood there.
    pub from: String,
    /// What stands for them; empty: nothing.
    pub to: String,
}

/// What a reading of a text changed, as far as its map tells: runs of changed characters, the first `limit` of them, and how
/// many there are.
pub fn changes(original: &str, reading: &str, map: &Map, limit: usize) -> (Vec<Change>, usize) {
    let mut out: Vec<Change> = Vec::new();
    let mut count = 0;
    let mut done = 0;
    let mut add = |span: Span, to: &str| {
        let from = original.get(span.range()).unwrap_or_default();
        if from == to {
            return;
        }
        if let Some(last) = out.last_mut().filter(|last| last.original.end == span.start) {
            last.original.end = span.end;
            last.from.push_str(from);
            last.to.push_str(to);
            return;
        }
        count += 1;
        if out.len() < limit {
            out.push(Change { original: span, from: from.to_owned(), to: to.to_owned() });
        }
    };
    let mut characters = reading.char_indices().peekable();
    while let Some((at, _)) = characters.next() {
        let from = map.to_original(Span::new(at, next(&mut characters, reading)));
        let mut end = next(&mut characters, reading);
        // Characters that one run of the original has become stay together.
        while end < reading.len() {
            let after = map.to_original(Span::new(end, end + 1));
            if after.start >= from.end || after.is_empty() {
                break;
            }
            characters.next();
            end = next(&mut characters, reading);
        }
        if from.start > done {
            add(Span::new(done, from.start), "");
        }
        add(from, reading.get(at..end).unwrap_or_default());
        done = done.max(from.end);
    }
    if done < original.len() {
        add(Span::new(done, original.len()), "");
    }
    (out, count)
}

fn next(characters: &mut std::iter::Peekable<std::str::CharIndices<'_>>, text: &str) -> usize {
    characters.peek().map_or(text.len(), |(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::changes;
    use crate::text::canonical;

    fn told(text: &str) -> Vec<(String, String, usize)> {
        let folded = canonical(text);
        let (changes, count) = changes(text, &folded.text, &folded.map, 10);
        assert_eq!(changes.len(), count.min(10));
        changes.into_iter().map(|change| (change.from, change.to, change.original.start)).collect()
    }

    #[test]
    fn changes_are_told_with_what_stood_there() {
        assert!(told("plain text").is_empty());
        assert!(told("").is_empty());
        assert_eq!(told("i\u{200B}g"), [("\u{200B}".into(), String::new(), 1)]);
        assert_eq!(told("ab\u{200B}\u{200C}"), [("\u{200B}\u{200C}".into(), String::new(), 2)]);
        assert_eq!(
            told("\u{200B}x \u{456}gn"),
            [("\u{200B}".into(), String::new(), 0), ("\u{456}".into(), "i".into(), 5)]
        );
        assert_eq!(told("a\u{FB03}x"), [("\u{FB03}".into(), "ffi".into(), 1)]);
    }

    #[test]
    fn more_changes_than_are_listed_are_counted() {
        let text = "a\u{200B}".repeat(12);
        let folded = canonical(&text);
        let (listed, count) = changes(&text, &folded.text, &folded.map, 10);
        assert_eq!((listed.len(), count), (10, 12));
    }
}
