//! Runs the examples that rules carry, every way a text can come: whole, with and without the literal pass, as a stream split
//! everywhere, and by a rule set that was built anew. All must agree.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use super::scratch::Scratch;
use super::{Context, Match, Reading, Scanner};
use crate::base::{Limits, Span};
use crate::rules::condition::Counts;
use crate::rules::{Example, Rule, RuleIndex};
use crate::text::{Direction, Layer, Role, canonical, layers};

/// Bytes that one example's streams take in sum at most: an example of up to 4 KiB is split at every character, a longer one at
/// so many places, evenly spread, as there is room for. The sum grows with the square of the length.
const SPLIT_BYTES: usize = 16 * 1024 * 1024;

/// Which examples are run, by what.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'s> {
    /// The rules.
    pub scanner: &'s Scanner,
    /// The same rules, built a second time: what a reload makes of them.
    pub reloaded: Option<&'s Scanner>,
    /// Only rules whose id begins so.
    pub only: &'s str,
}

/// What ran and what failed. A run of nothing is a failure too.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Rules whose examples ran.
    pub rules: usize,
    /// Examples, each counted once.
    pub examples: usize,
    /// Scans of all kinds.
    pub ran: usize,
    /// Of these, whole texts with the literal pass.
    pub whole: usize,
    /// Whole texts without it.
    pub plain: usize,
    /// Streams.
    pub streams: usize,
    /// Whole texts and streams by the rule set that was built anew.
    pub reloaded: usize,
    /// Places where long examples were not split.
    pub splits_left_out: usize,
    /// What went wrong.
    pub failed: Vec<Failure>,
}

/// One example that did not do what its rule says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// The rule's id.
    pub rule: String,
    /// Its file.
    pub file: PathBuf,
    /// The example's line.
    pub line: u64,
    /// The example's text.
    pub example: String,
    /// What happened instead.
    pub what: String,
}

impl Report {
    /// True when something ran and nothing failed.
    pub fn is_ok(&self) -> bool {
        self.ran > 0 && self.failed.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failed {
            let Failure { rule, file, line, example, what } = failure;
            writeln!(f, "{rule} {}:{line}: {what}\n    example: {example:?}", file.display())?;
        }
        let Self { whole, plain, streams, reloaded, .. } = self;
        writeln!(
            f,
            "{} rules, {} examples, {} scans, {} failed\n  {whole} whole, {plain} without the literal pass, {streams} as \
             streams, {reloaded} after a reload",
            self.rules,
            self.examples,
            self.ran,
            self.failed.len()
        )?;
        if self.splits_left_out > 0 {
            writeln!(f, "  {} places of long examples were not split", self.splits_left_out)?;
        }
        Ok(())
    }
}

/// Runs every example of every rule; see [`Trial::run`].
pub fn run_examples(scanner: &Scanner) -> Report {
    Trial { scanner, reloaded: None, only: "" }.run()
}

impl Trial<'_> {
    /// Runs every example of the rules: whole, with the literal pass and without, and for rules that judge replies as a
    /// stream, split in two at every character, and character by character. The same again, but for the splits, with the
    /// rules built anew.
    ///
    /// All must find the same, and a stream must never have called a byte safe that a later match holds.
    pub fn run(&self) -> Report {
        let rules: Vec<(RuleIndex, &Rule)> =
            self.scanner.rules().iter().filter(|(_, rule)| rule.id.starts_with(self.only)).collect();
        let reports: Vec<Report> = rules
            .par_iter()
            .map_init(
                || (self.scanner.scratch(), self.reloaded.map(Scanner::scratch)),
                |(scratch, again), (index, rule)| self.rule(*index, rule, scratch, again.as_deref_mut()),
            )
            .collect();
        reports.into_iter().fold(Report::default(), Report::add)
    }

    fn rule(&self, index: RuleIndex, rule: &Rule, scratch: &mut Scratch, mut again: Option<&mut Scratch>) -> Report {
        let mut report = Report { rules: 1, ..Report::default() };
        if rule.examples.is_empty() {
            report.fail(rule, None, "the rule has no example".to_owned());
        }
        for example in &rule.examples {
            report.examples += 1;
            for (direction, judges) in [(Direction::Request, rule.on_request), (Direction::Reply, rule.on_reply)] {
                if !judges {
                    continue;
                }
                let context = Context { direction, role: role(rule, example, direction) };
                let undone = layers(&example.text, &Limits::default()).layers;
                let undone: Vec<&Layer> = undone.iter().filter(|layer| rule.reads(&layer.encodings)).collect();
                let undone = undone.as_slice();
                let mut runner = Runner { scanner: self.scanner, index, rule, example, undone, context, scratch };
                let expected = runner.run(&mut report);
                if let (Some(scanner), Some(scratch)) = (self.reloaded, again.as_deref_mut()) {
                    let index = scanner.rules().by_id(&rule.id).map(|(index, _)| index);
                    let Some(index) = index else {
                        report.fail(rule, Some(example), "after a reload there is no such rule".to_owned());
                        continue;
                    };
                    Runner { scanner, index, rule, example, undone, context, scratch }
                        .run_again(&expected, &mut report);
                }
            }
        }
        report
    }
}

/// The role to scan as: the example's own, else a usual one that the rule applies to.
fn role(rule: &Rule, example: &Example, direction: Direction) -> Role {
    let usual = match direction {
        Direction::Reply => [Role::Assistant, Role::ToolArguments],
        Direction::Request => [Role::User, Role::ToolResult],
    };
    let usual = usual.into_iter().find(|role| rule.roles.contains(*role));
    example.role.or(usual).or_else(|| rule.roles.iter().next()).unwrap_or(Role::Unknown)
}

/// What a rule finds in a text: spans of the original.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Found {
    /// As the text stands, which is all that a stream can see.
    here: BTreeSet<Span>,
    /// With its encodings undone, too.
    undone: BTreeSet<Span>,
}

/// Matches in one text: the pattern, and its span in the original.
type Hits = BTreeSet<(u16, Span)>;

struct Runner<'a> {
    scanner: &'a Scanner,
    index: RuleIndex,
    rule: &'a Rule,
    example: &'a Example,
    /// What the example decodes to, as far as the rule reads it.
    undone: &'a [&'a Layer],
    context: Context,
    scratch: &'a mut Scratch,
}

impl Runner<'_> {
    /// Gives what the rule finds in the whole text.
    fn run(&mut self, report: &mut Report) -> Found {
        let whole = self.whole(true);
        report.whole += 1;
        if let Some(what) = self.judge(&whole.undone) {
            report.fail(self.rule, Some(self.example), what);
        }
        let plain = self.whole(false);
        report.plain += 1;
        if plain != whole {
            let what = format!("without the literal pass it finds {plain:?}, with it {whole:?}");
            report.fail(self.rule, Some(self.example), what);
        }
        if self.context.direction == Direction::Request {
            return whole;
        }
        let text = self.example.text.as_str();
        let wrong = self.characters(&whole.here, report).or_else(|| {
            let places: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            let room = (SPLIT_BYTES / text.len().max(1)).max(2);
            let step = places.len().div_ceil(room).max(1);
            report.splits_left_out += places.len() - places.len().div_ceil(step);
            places.iter().step_by(step).find_map(|at| {
                report.streams += 1;
                let (first, second) = text.split_at_checked(*at)?;
                self.compare(&format!("split at byte {at}"), [first, second].into_iter(), &whole.here)
            })
        });
        if let Some(what) = wrong {
            report.fail(self.rule, Some(self.example), what);
        }
        whole
    }

    fn run_again(&mut self, expected: &Found, report: &mut Report) {
        let whole = self.whole(true);
        report.reloaded += 1;
        let mut wrong = (whole != *expected).then(|| format!("it finds {whole:?}, before {expected:?}"));
        if self.context.direction == Direction::Reply && wrong.is_none() {
            let streams = report.streams;
            wrong = self.characters(&expected.here, report);
            report.reloaded += report.streams - streams;
            report.streams = streams;
        }
        if let Some(what) = wrong {
            report.fail(self.rule, Some(self.example), format!("after a reload: {what}"));
        }
    }

    /// What the rule finds in the whole text, with the literal pass or without.
    fn whole(&mut self, fast: bool) -> Found {
        let mut hits = self.hits(&self.example.text, fast);
        let here = self.settle(&hits);
        for layer in self.undone {
            let found = self.hits(&layer.text, fast);
            hits.extend(found.into_iter().map(|(pattern, span)| (pattern, layer.map.to_original(span))));
        }
        Found { here, undone: self.settle(&hits) }
    }

    /// The rule's matches in one text, raw and canonical.
    fn hits(&mut self, text: &str, fast: bool) -> Hits {
        let folded = canonical(text);
        if matches!(folded.text, Cow::Borrowed(_)) {
            return self.scan(text, Reading::Both, fast).map(|found| (found.pattern, found.span)).collect();
        }
        let raw: Vec<Match> = self.scan(text, Reading::Raw, fast).collect();
        let found = self.scan(&folded.text, Reading::Canonical, fast);
        let found = found.map(|found| (found.pattern, folded.map.to_original(found.span)));
        found.chain(raw.into_iter().map(|found| (found.pattern, found.span))).collect()
    }

    fn scan(&mut self, text: &str, reading: Reading, fast: bool) -> impl Iterator<Item = Match> + use<> {
        let (mut out, index) = (Vec::new(), self.index);
        if fast {
            self.scanner.scan(text, reading, self.context, self.scratch, &mut out);
        } else {
            self.scanner.scan_plainly(text, reading, self.context, Some(index), self.scratch, &mut out);
        }
        out.into_iter().filter(move |found| found.rule == index)
    }

    /// What the rule's matches come to, by its condition and what the example says of the classifier.
    fn settle(&self, hits: &Hits) -> BTreeSet<Span> {
        let spans = hits.iter().map(|(_, span)| *span);
        let Some(condition) = &self.rule.condition else { return spans.collect() };
        let mut counts = Counts::default();
        let mut last: Option<(u16, Span)> = None;
        for (pattern, span) in hits {
            // Both readings see most matches.
            match &mut last {
                Some((of, last)) if of == pattern && last.overlaps(*span) => *last = last.cover(*span),
                _ => {
                    counts.add(*pattern);
                    last = Some((*pattern, *span));
                }
            }
        }
        if !condition.holds(&counts, &self.example.scores) {
            return BTreeSet::new();
        }
        hits.iter().filter(|(pattern, _)| condition.is_positive(*pattern)).map(|(_, span)| *span).collect()
    }

    fn judge(&self, spans: &BTreeSet<Span>) -> Option<String> {
        let shown: Vec<&str> = spans.iter().filter_map(|span| self.example.text.get(span.range())).collect();
        match (self.example.is_match, shown.as_slice(), &self.example.found) {
            (true, [], _) => Some("must be found and is not".to_owned()),
            (true, _, Some(found)) if !shown.contains(&found.as_str()) => {
                Some(format!("must find {found:?} and finds {shown:?}"))
            }
            (true, ..) => None,
            (false, [], _) => None,
            (false, ..) => Some(format!("must pass and is found: {shown:?}")),
        }
    }

    fn characters(&mut self, expected: &BTreeSet<Span>, report: &mut Report) -> Option<String> {
        report.streams += 1;
        let text = self.example.text.as_str();
        self.compare("character by character", text.split_inclusive(|_| true), expected)
    }

    fn compare<'c>(
        &mut self,
        how: &str,
        chunks: impl Iterator<Item = &'c str>,
        expected: &BTreeSet<Span>,
    ) -> Option<String> {
        match self.stream(chunks) {
            Ok(found) if found == *expected => None,
            Ok(found) => Some(format!("as a stream {how} it finds {found:?}, in the whole text {expected:?}")),
            Err(what) => Some(format!("as a stream {how}: {what}")),
        }
    }

    fn stream<'c>(&mut self, chunks: impl Iterator<Item = &'c str>) -> Result<BTreeSet<Span>, String> {
        let mut stream = self.scanner.stream(self.context.role, self.example.text.len());
        let (mut out, mut hits, mut safe) = (Vec::new(), Hits::new(), 0);
        for chunk in chunks.map(Some).chain([None]) {
            match chunk {
                Some(chunk) => stream.push(chunk, self.scratch, &mut out),
                None => stream.finish(self.scratch, &mut out),
            }
            for found in out.drain(..).filter(|found| found.rule == self.index) {
                if found.span.start < safe && !self.rule.block_end {
                    return Err(format!("byte {safe} was called safe, then {:?} was found", found.span));
                }
                hits.insert((found.pattern, found.span));
            }
            safe = stream.safe();
        }
        if safe != self.example.text.len() {
            return Err(format!("after the end only {safe} bytes are safe"));
        }
        Ok(self.settle(&hits))
    }
}

impl Report {
    fn add(mut self, mut other: Self) -> Self {
        self.rules += other.rules;
        self.examples += other.examples;
        self.whole += other.whole;
        self.plain += other.plain;
        self.streams += other.streams;
        self.reloaded += other.reloaded;
        self.splits_left_out += other.splits_left_out;
        self.ran = self.whole + self.plain + self.streams + self.reloaded;
        self.failed.append(&mut other.failed);
        self
    }

    fn fail(&mut self, rule: &Rule, example: Option<&Example>, what: String) {
        let failure = Failure {
            rule: rule.id.clone(),
            file: rule.file.clone(),
            line: example.map_or(rule.line, |example| example.line),
            example: example.map_or(String::new(), |example| example.text.clone()),
            what,
        };
        // An example runs as a request and as a reply, and most often fails as both.
        if !self.failed.contains(&failure) {
            self.failed.push(failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SPLIT_BYTES, Trial, run_examples};
    use crate::scan::tests::scanner;

    #[test]
    fn failures_are_named_and_nothing_is_no_success() {
        let scanner = scanner(
            "
  - pattern: { literal: forget the rules }
    match: [please forget the rules, 'no such thing', { text: 'so forget the rules now', found: 'forget the' }]
    pass: ['forget the ruler', 'FORGET THE RULES!']
",
        );
        let report = run_examples(&scanner);
        assert_eq!((report.rules, report.examples), (1, 5));
        let characters: usize = scanner.rules().iter().flat_map(|(_, rule)| &rule.examples).map(|e| e.text.len()).sum();
        assert_eq!((report.whole, report.plain), (10, 10), "as a request and as a reply");
        assert_eq!(report.streams, characters + 5 + 5, "split in every place, both ends too, and one by one");
        assert_eq!(report.ran, 20 + report.streams);
        let what: Vec<&str> = report.failed.iter().map(|failure| failure.what.as_str()).collect();
        assert_eq!(what.len(), 3, "once for both directions: {report}");
        assert_eq!(what.iter().filter(|what| what.starts_with("must be found and is not")).count(), 1);
        assert_eq!(what.iter().filter(|what| what.starts_with("must find \"forget the\"")).count(), 1);
        assert_eq!(what.iter().filter(|what| what.starts_with("must pass and is found")).count(), 1);
        assert!(!report.is_ok());
        assert!(!super::Report::default().is_ok());
        assert!(!Trial { scanner: &scanner, reloaded: None, only: "SEC" }.run().is_ok(), "nothing ran");
    }

    #[test]
    fn a_rule_that_a_reload_changes_is_named() {
        let rule = |literal: &str| {
            scanner(&format!(
                "
  - pattern: {{ literal: {literal} }}
    match: [forget the rules, so forget the rules]
    pass: [forgot, rules]
"
            ))
        };
        let (first, same, other) = (rule("forget the rules"), rule("forget the rules"), rule("forget the"));
        let report = Trial { scanner: &first, reloaded: Some(&same), only: "" }.run();
        assert!(report.is_ok(), "{report}");
        assert_eq!(report.reloaded, 4 * 3, "a request, a reply, a stream");
        let report = Trial { scanner: &first, reloaded: Some(&other), only: "" }.run();
        assert_eq!(report.failed.len(), 2, "once for both directions: {report}");
        assert!(report.failed.iter().all(|failure| failure.what.starts_with("after a reload: it finds")), "{report}");
    }

    #[test]
    fn long_examples_are_split_in_fewer_places() {
        let run = |length: usize| {
            let text = "x".repeat(length);
            let yaml = format!("- pattern: {{ literal: needle }}\nmatch: [needle, a needle]\npass: ['{text}', no]\n");
            run_examples(&scanner(&yaml))
        };
        let whole = 4096;
        assert_eq!(whole * whole, SPLIT_BYTES);
        assert_eq!(run(whole - 1).splits_left_out, 0);
        let report = run(whole + 1);
        assert!(report.is_ok() && report.splits_left_out > 0, "{report}");
        assert!(report.streams < whole, "{report}");
    }
}
