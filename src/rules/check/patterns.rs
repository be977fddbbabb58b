//! `patterns`: each form compiled, each problem said with its place.

use regex_syntax::hir::Hir;

use super::super::combine::{self, Gap};
use super::super::condition::is_reserved;
use super::super::lint::Lint;
use super::super::list::Lists;
use super::super::pattern::{self, Compiled, Problem, Reading};
use super::super::set::{Pattern, PatternKind, Target, Written};
use super::super::source::pattern::{Form, GapSource, PartSource, PatternSource};
use super::super::source::{RuleSource, Text};
use super::super::variables::{Expanded, Variables, is_name};
use super::{CASES, TARGETS, choose};
use crate::base::limits::rules as limits;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::Place;
use crate::yaml::table::{At, shown};

/// What patterns are compiled with: the file's variables, and the lists.
pub(super) struct Compiler<'c, 'l> {
    pub(super) variables: &'c Variables,
    pub(super) lists: &'c mut Lists<'l>,
}

/// What a rule says for all its patterns.
pub(super) struct Defaults<'s> {
    pub(super) target: Target,
    pub(super) case: Option<bool>,
    pub(super) word: Option<bool>,
    pub(super) capture: Option<&'s At<usize>>,
    /// The rule judges streams while they flow.
    pub(super) flows: bool,
}

/// The patterns of one rule.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    pub(super) written: Vec<Written>,
    pub(super) compiled: Vec<Pattern>,
}

impl Compiler<'_, '_> {
    pub(super) fn patterns(
        &mut self,
        rule: &RuleSource,
        sources: &[PatternSource],
        defaults: &Defaults<'_>,
        report: &mut Reporter<'_>,
    ) -> Patterns {
        if sources.is_empty() {
            let help = "add `- literal: …` or `- regex: '…'` under `patterns:`";
            report.error("R013", rule.place, "the rule has no pattern", help);
        }
        if let Some(source) = sources.get(limits::PATTERNS) {
            let message = format!("{} patterns, {} are allowed in a rule", sources.len(), limits::PATTERNS);
            report.error("R013", source.place, message, "make a list file of literals: `- list: lists/denied.txt`");
            return Patterns::default();
        }
        let mut all = Patterns::default();
        for (number, source) in sources.iter().enumerate() {
            let name = name(source, &all.written, report);
            let (kind, text) = (kind(&source.form), shown_form(&source.form));
            all.written.push(Written { kind, name, text, place: source.place() });
            let target = source.on.as_ref().and_then(|text| choose(text, "on", &TARGETS, report));
            let target = target.unwrap_or(defaults.target);
            let case = source.case.as_ref().and_then(|text| choose(text, "case", &CASES, report));
            let case_sensitive = case.or(defaults.case).unwrap_or(target == Target::Raw);
            let reading = Reading { fold: target == Target::Canonical, case_sensitive };
            let word = source.word.or(defaults.word);
            for compiled in self.form(&source.form, word, reading, report) {
                let Compiled { what, required, length_max } = compiled;
                let number = u16::try_from(number).unwrap_or(u16::MAX);
                let pattern = Pattern { number, target, case_sensitive, what, required, length_max };
                if is_fit(&pattern, source, rule, defaults, report) {
                    all.compiled.push(pattern);
                }
            }
        }
        all
    }

    fn form(&mut self, form: &Form, word: Option<bool>, reading: Reading, report: &mut Reporter<'_>) -> Vec<Compiled> {
        let one = match form {
            Form::Literal(text) => self.literal(text, word.unwrap_or(false), reading, report),
            Form::Regex(text) => {
                let said = self.regex(text, reading, report);
                said.and_then(|hir| compiled(pattern::finish(hir, reading), text, None, report))
            }
            Form::List(path) => {
                let list = is_sized(path, report).then(|| self.lists.load(path, word.unwrap_or(true), reading, report));
                return list.flatten().unwrap_or_default();
            }
            Form::Near(parts, gap) => {
                let range = 2..=limits::NEAR_PARTS;
                self.combined("near", parts, range, gap, word, reading, combine::near, report)
            }
            Form::Sequence(parts, gap) => {
                let range = 2..=limits::SEQUENCE_PARTS;
                self.combined("sequence", parts, range, gap, word, reading, combine::sequence, report)
            }
            Form::Count(part, times, gap) => {
                let repeat = |parts: &[Hir], gap| {
                    parts.first().map_or_else(Hir::fail, |part| combine::count(part, times.value, gap))
                };
                if !(2..=limits::COUNT).contains(&times.value) {
                    let message = format!("at_least cannot be {}", times.value);
                    report.error("R027", times.place, message, format!("write 2 to {}", limits::COUNT));
                    return Vec::new();
                }
                self.combined("count", std::slice::from_ref(part), 1..=1, gap, word, reading, repeat, report)
            }
        };
        one.into_iter().collect()
    }

    fn literal(&self, text: &Text, word: bool, reading: Reading, report: &mut Reporter<'_>) -> Option<Compiled> {
        if !is_sized(text, report) {
            return None;
        }
        if self.variables.are_declared() {
            let expanded = self.variables.expand(&text.value, text.place, regex_syntax::escape, report)?;
            if expanded.is_changed {
                let hir = compiled(pattern::expression(&expanded.text, reading), text, Some(&expanded), report)?;
                let hir = if word { pattern::standing_free(hir) } else { hir };
                return compiled(pattern::finish(hir, reading), text, None, report);
            }
        }
        compiled(pattern::literal(&text.value, word, reading), text, None, report)
    }

    fn regex(&self, text: &Text, reading: Reading, report: &mut Reporter<'_>) -> Option<Hir> {
        if !is_sized(text, report) {
            return None;
        }
        let expanded = self.variables.expand(&text.value, text.place, str::to_owned, report)?;
        compiled(pattern::expression(&expanded.text, reading), text, Some(&expanded), report)
    }

    /// Parts with gaps, put together by `join`.
    #[expect(clippy::too_many_arguments, reason = "three forms share all of it but the last step")]
    fn combined(
        &self,
        what: &str,
        parts: &[PartSource],
        range: std::ops::RangeInclusive<usize>,
        gap: &GapSource,
        word: Option<bool>,
        reading: Reading,
        join: impl Fn(&[Hir], Gap) -> Hir,
        report: &mut Reporter<'_>,
    ) -> Option<Compiled> {
        let gap_place = match gap {
            GapSource::Bytes(most) | GapSource::Words(most) => most.place,
        };
        if !range.contains(&parts.len()) {
            let message = format!("{what} has {} part(s), it takes {} to {}", parts.len(), range.start(), range.end());
            let place = parts.first().map_or(gap_place, |part| part.text.place);
            report.error("R027", place, message, "write other parts under `of`, or make several patterns");
            return None;
        }
        let gap = read_gap(gap, report);
        let hirs: Vec<Hir> = parts.iter().filter_map(|part| self.part(part, word, reading, report)).collect();
        let hir = (hirs.len() == parts.len()).then(|| gap.map(|gap| join(&hirs, gap))).flatten()?;
        let text = &parts.first()?.text;
        compiled(pattern::finish(hir, reading), text, None, report)
    }

    fn part(&self, part: &PartSource, word: Option<bool>, reading: Reading, report: &mut Reporter<'_>) -> Option<Hir> {
        let hir = if part.is_regex {
            pattern::without_groups(&self.regex(&part.text, reading, report)?)
        } else if is_sized(&part.text, report) {
            self.literal_part(&part.text, part.word.or(word).unwrap_or(true), reading, report)?
        } else {
            return None;
        };
        if pattern::may_be_empty(&hir) {
            say(&Problem::MatchesNothing, part.text.place, report);
            return None;
        }
        Some(hir)
    }

    fn literal_part(&self, text: &Text, word: bool, reading: Reading, report: &mut Reporter<'_>) -> Option<Hir> {
        if self.variables.are_declared() {
            let expanded = self.variables.expand(&text.value, text.place, regex_syntax::escape, report)?;
            if expanded.is_changed {
                let hir = compiled(pattern::expression(&expanded.text, reading), text, Some(&expanded), report)?;
                return Some(if word { pattern::standing_free(hir) } else { hir });
            }
        }
        let hir = pattern::literal_part(&text.value, word, reading);
        if hir.is_none() {
            say(&Problem::TooShort { bytes: 0 }, text.place, report);
        }
        hir
    }
}

/// The name, if it is one and this pattern's alone.
fn name(source: &PatternSource, earlier: &[Written], report: &mut Reporter<'_>) -> Option<String> {
    let Text { place, value: name } = source.name.as_ref()?;
    if !is_name(name) || is_reserved(name) {
        let message = format!("`{}` is not a name of a pattern", shown(name));
        let help = "write lower-case letters, digits and `_`, a letter first; `and`, `them` and the other words of conditions are taken";
        report.error("R028", *place, message, help);
    } else if earlier.iter().any(|earlier| earlier.name.as_ref() == Some(name)) {
        report.error("R028", *place, format!("two patterns are named `{name}`"), "give each a name of its own");
    }
    Some(name.clone())
}

fn kind(form: &Form) -> PatternKind {
    match form {
        Form::Literal(_) => PatternKind::Literal,
        Form::Regex(_) => PatternKind::Regex,
        Form::List(_) => PatternKind::List,
        Form::Near(..) => PatternKind::Near,
        Form::Sequence(..) => PatternKind::Sequence,
        Form::Count(..) => PatternKind::Count,
    }
}

/// A pattern in one line.
fn shown_form(form: &Form) -> String {
    let gap = |gap: &GapSource| match gap {
        GapSource::Bytes(most) => format!("{} bytes between", most.value),
        GapSource::Words(most) => format!("{} words between", most.value),
    };
    let listed =
        |parts: &[PartSource]| parts.iter().map(|part| part.text.value.as_str()).collect::<Vec<_>>().join(" … ");
    match form {
        Form::Literal(text) | Form::Regex(text) | Form::List(text) => text.value.clone(),
        Form::Near(parts, between) | Form::Sequence(parts, between) => {
            format!("{} (at most {})", listed(parts), gap(between))
        }
        Form::Count(part, times, between) => {
            format!("{} × {} (at most {})", part.text.value, times.value, gap(between))
        }
    }
}

fn is_sized(text: &Text, report: &mut Reporter<'_>) -> bool {
    if text.value.is_empty() {
        report.error("R013", text.place, "the pattern is empty", "write what to look for");
    } else if text.value.len() > limits::PATTERN_BYTES {
        let message = format!("the pattern has {} bytes, {} are allowed", text.value.len(), limits::PATTERN_BYTES);
        report.error("R015", text.place, message, "split it into several patterns");
    } else {
        return true;
    }
    false
}

fn read_gap(gap: &GapSource, report: &mut Reporter<'_>) -> Option<Gap> {
    let (most, limit, unit) = match gap {
        GapSource::Bytes(most) => (most, limits::GAP_BYTES, "bytes"),
        GapSource::Words(most) => (most, limits::GAP_WORDS, "words"),
    };
    let number = u32::try_from(most.value).ok().filter(|_| most.value <= limit);
    let Some(number) = number else {
        let message = format!("{} {unit} between two parts, {limit} are allowed", most.value);
        report.error("R027", most.place, message, "what lies further apart does not belong together");
        return None;
    };
    Some(match gap {
        GapSource::Bytes(_) => Gap::Bytes(number),
        GapSource::Words(_) => Gap::Words(number),
    })
}

/// Reports what is wrong with an expression, in the text as it was written.
fn compiled<T>(
    result: Result<T, Problem>,
    text: &Text,
    expanded: Option<&Expanded>,
    report: &mut Reporter<'_>,
) -> Option<T> {
    let problem = match result {
        Ok(value) => return Some(value),
        Err(Problem::Syntax { message, before }) => {
            Problem::Syntax { message, before: expanded.map_or(before, |expanded| expanded.written(before)) }
        }
        Err(problem) => problem,
    };
    say(&problem, text.place, report);
    None
}

/// Whether a compiled pattern can do what its rule wants of it.
fn is_fit(
    pattern: &Pattern,
    source: &PatternSource,
    rule: &RuleSource,
    defaults: &Defaults<'_>,
    report: &mut Reporter<'_>,
) -> bool {
    let (text, place) = (source.form.text(), source.place());
    if let Some(capture) = defaults.capture
        && !check_capture(capture, pattern, text.map_or("", |text| &text.value), place, rule, report)
    {
        return false;
    }
    if defaults.flows && pattern.length_max.is_none() {
        let help = r"bound every repeat (`\s{1,3}`, `[a-z]{1,64}`), or write `stream: block_end`: then the rule judges only whole blocks";
        report.error("R017", place, "a regex of unbounded length cannot hold back a stream", help);
        return false;
    }
    if let Some(length) = pattern.length_max.filter(|length| defaults.flows && *length > limits::STREAM_MATCH_BYTES) {
        let message =
            format!("a match may have {length} bytes, in a stream {} are allowed", limits::STREAM_MATCH_BYTES);
        report.error("R017", place, message, "make the repeats smaller, or write `stream: block_end`");
        return false;
    }
    // What the linter has a name for, and may be allowed by.
    let slow = match &pattern.required {
        None => Some((Lint::NoLiteral, "no text is in every match: this regex is slow")),
        Some(required) if required.is_expensive() => {
            Some((Lint::Expensive, "what is in every match stands in much ordinary text: this regex is slow"))
        }
        Some(_) => None,
    };
    if let Some((_, message)) = slow.filter(|(slow, _)| !rule.lint.as_ref().is_some_and(|lint| lint.allows(*slow))) {
        let help = "add a fixed part if there is one; else accept that every text is searched for it, with `lint: { allow: …, because: … }`";
        report.warning("W001", place, message, help);
    }
    true
}

fn check_capture(
    capture: &At<usize>,
    pattern: &Pattern,
    written: &str,
    place: Place,
    rule: &RuleSource,
    report: &mut Reporter<'_>,
) -> bool {
    let groups = match pattern.literal() {
        Some(_) => 0,
        None => pattern.hir().properties().explicit_captures_len(),
    };
    if groups >= capture.value {
        return true;
    }
    let message = format!("no group {} in `{}`, which has {groups}", capture.value, shown(written));
    let help = match rule.owns("capture") {
        true => {
            "number the groups by their opening brackets, from 1; `(?:…)` does not count; every pattern needs the group"
        }
        false => "the file's defaults ask for it: write `capture: 0` in this rule for the whole match",
    };
    report.error("R021", place, message, help);
    false
}

fn say(problem: &Problem, place: Place, report: &mut Reporter<'_>) {
    match problem {
        Problem::Syntax { message, before } => {
            let place = report.inside(place, *before);
            let help = "the syntax is that of docs.rs/regex: no look-around, no back-references; `\\` before a special character";
            report.error("R014", place, format!("the regex is wrong at its character {}: {message}", before + 1), help);
        }
        Problem::TooBig => {
            let message = format!("compiled, the regex has more than {} bytes", limits::REGEX_BYTES);
            let help = r"make the repeats smaller, or use ASCII classes: `[a-z]`, `[0-9]`, `(?-u:\w)`";
            report.error("R015", place, message, help);
        }
        Problem::Overlaps(count) => {
            let message = format!(
                "hostile text could keep {count} beginnings of this regex going, {} are allowed",
                limits::OVERLAP
            );
            let help = "each byte would cost so many steps: make the repeats smaller in which it may begin anew, or let them not hold how it begins";
            report.error("R047", place, message, help);
        }
        Problem::TooShort { bytes } => {
            let message =
                format!("the literal has {bytes} bytes as it is searched, it needs {}", limits::LITERAL_BYTES_MIN);
            report.error("R016", place, message, "make it longer, or write a regex with its surroundings");
        }
        Problem::MatchesNothing => {
            let help = "make a part of it necessary: `+` or `{1,9}` in the place of `*` or `?`";
            report.error("R018", place, "the regex matches the empty text, so it matches everywhere", help);
        }
    }
}
