//! What can be told of rules without traffic: which are slow, which find nothing, which find what others find, and whether their
//! own examples exercise them.
//!
//! Every finding has a name that can be switched off. What a finding says is true of what was looked at; that nothing is found
//! proves nothing (whether one regex finds all that another finds is looked at only for literals and equal texts).

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::Serialize;
use unicode_normalization::char::is_combining_mark;

use super::scratch::Scratch;
use super::{Context, Reading, Scanner, plain};
use crate::base::{Limits, Span};
use crate::rules::set::Pattern;
use crate::rules::{Example, Mode, PatternKind, Rule, RuleIndex, Target};
use crate::text::{Direction, Role, canonical, fold_char, layers};
use crate::verdict::Action;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Could be better.
    Note,
    /// Costs something, or does nothing.
    Warning,
    /// Cannot be meant so.
    Error,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lint {
    /// No literal: every text is searched for the pattern from end to end.
    NoLiteral,
    /// The literals stand in much ordinary text.
    Expensive,
    /// The pattern's matches have no longest.
    Unbounded,
    /// A stream is held back for long where the pattern may begin.
    HoldsLong,
    /// No text can match.
    Impossible,
    /// Text of the kind that it applies to never occurs.
    NeverApplies,
    /// Whatever it finds, another pattern finds too.
    Unreachable,
    /// Two rules find each other's examples in the same places.
    Overlapping,
    /// No example is found by this pattern.
    Unexercised,
    /// Too many benign texts are hit.
    TooBroad,
    /// Description, references or title are missing or say little.
    Metadata,
}

impl Lint {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoLiteral,
        Self::Expensive,
        Self::Unbounded,
        Self::HoldsLong,
        Self::Impossible,
        Self::NeverApplies,
        Self::Unreachable,
        Self::Overlapping,
        Self::Unexercised,
        Self::TooBroad,
        Self::Metadata,
    ];

    /// The name used to switch it off.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLiteral => "no-literal",
            Self::Expensive => "expensive",
            Self::Unbounded => "unbounded",
            Self::HoldsLong => "holds-long",
            Self::Impossible => "impossible",
            Self::NeverApplies => "never-applies",
            Self::Unreachable => "unreachable",
            Self::Overlapping => "overlapping",
            Self::Unexercised => "unexercised",
            Self::TooBroad => "too-broad",
            Self::Metadata => "metadata",
        }
    }

    fn level(self) -> Level {
        match self {
            Self::Impossible | Self::NeverApplies => Level::Error,
            Self::NoLiteral
            | Self::Expensive
            | Self::HoldsLong
            | Self::Unreachable
            | Self::Overlapping
            | Self::Unexercised
            | Self::TooBroad => Level::Warning,
            Self::Unbounded | Self::Metadata => Level::Note,
        }
    }
}

/// One finding about one rule.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub lint: Lint,
    /// How much it matters.
    pub level: Level,
    /// The rule's id.
    pub rule: String,
    /// Its file.
    pub file: PathBuf,
    /// The line of its id.
    pub line: u64,
    /// The pattern as it is written, where it is about one.
    pub pattern: Option<String>,
    /// What is wrong, in words.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What a corpus of benign texts says of the rules: texts hit per rule, of how many.
#[derive(Clone, Debug, Default)]
pub struct Benign {
    /// Texts.
    pub texts: usize,
    /// Rule id to texts that it hits.
    pub hits: BTreeMap<String, usize>,
    /// Share of the texts from which a rule is too broad.
    pub share_max: f64,
}

/// Estimated nanoseconds per byte of ordinary text from which one pattern is expensive: a tenth of a whole scan at 1 GB/s.
const COST_MAX: f64 = 0.1;
/// Patterns of one rule that are compared with each other: a list may have a hundred thousand.
const COMPARED_MAX: usize = 256;
/// Bytes that a stream pattern may hold back before its literal is seen.
const HOLD_MAX: usize = 256;
/// Texts that must be hit before a share means anything.
const BROAD_HITS_MIN: usize = 2;

/// Looks at all rules. In order of file and line.
pub fn lint(scanner: &Scanner, benign: Option<&Benign>) -> Vec<Finding> {
    let rules: Vec<(RuleIndex, &Rule)> = scanner.rules().iter().collect();
    let each = |scratch: &mut Scratch, index: RuleIndex, rule: &Rule| {
        let mut out = Vec::new();
        applies(rule, &mut out);
        metadata(rule, &mut out);
        let first = first_unit(scanner, index);
        for pattern in &rule.patterns {
            cost(rule, pattern, &mut out);
            possible(rule, pattern, &mut out);
        }
        exercised(scanner, rule, first, scratch, &mut out);
        within(scanner, rule, first, scratch, &mut out);
        reached(scanner, index, rule, scratch, &mut out);
        benign.iter().for_each(|benign| broad(rule, benign, &mut out));
        (out, covered(scanner, index, rule, scratch))
    };
    let (found, covers): (Vec<Vec<Finding>>, Vec<Covered>) =
        rules.par_iter().map_init(|| scanner.scratch(), |scratch, (index, rule)| each(scratch, *index, rule)).unzip();
    let mut out = found.concat();
    overlapping(scanner, &covers, &mut out);
    out.sort_by(|a, b| {
        (&a.file, a.line, b.level, a.lint, &a.pattern).cmp(&(&b.file, b.line, a.level, b.lint, &b.pattern))
    });
    out.dedup_by(|a, b| a.rule == b.rule && a.lint == b.lint && a.pattern == b.pattern && a.message == b.message);
    out
}

/// Nanoseconds per byte of ordinary text that looking for a pattern takes, by estimate; `None`: it has no literal.
pub fn estimates(rule: &Rule) -> impl Iterator<Item = Option<f64>> + '_ {
    rule.patterns.iter().map(|pattern| pattern.required.as_ref().map(|required| required.cost()))
}

fn add(out: &mut Vec<Finding>, rule: &Rule, pattern: Option<&str>, lint: Lint, message: String, help: &str) {
    out.push(Finding {
        lint,
        level: lint.level(),
        rule: rule.id.clone(),
        file: rule.file.clone(),
        line: rule.line,
        pattern: pattern.map(str::to_owned),
        message,
        help: help.to_owned(),
    });
}

/// Roles that a reply's passages have.
const REPLY_ROLES: [Role; 3] = [Role::Assistant, Role::ToolArguments, Role::Unknown];

fn applies(rule: &Rule, out: &mut Vec<Finding>) {
    let in_reply = rule.on_reply && REPLY_ROLES.iter().any(|role| rule.roles.contains(*role));
    if rule.on_request || in_reply {
        return;
    }
    let message = "it judges replies, and no passage of a reply has one of its roles".to_owned();
    let help = "a reply has the roles `assistant`, `tool_arguments` and `unknown`";
    add(out, rule, None, Lint::NeverApplies, message, help);
}

fn metadata(rule: &Rule, out: &mut Vec<Finding>) {
    const TITLE_MIN: usize = 10;
    let missing = [
        (rule.references.is_empty(), "no references", "say where the format or the attack is described"),
        (
            rule.description.trim().is_empty(),
            "no description",
            "say what it finds, why that is bad, and what it misses",
        ),
        (rule.title.chars().count() < TITLE_MIN, "a title of a word or two", "say in one line what it finds"),
    ];
    for (is_missing, what, help) in missing {
        if is_missing {
            add(out, rule, None, Lint::Metadata, format!("the rule has {what}"), help);
        }
    }
}

fn cost(rule: &Rule, pattern: &Pattern, out: &mut Vec<Finding>) {
    let written = Some(written(rule, pattern));
    match &pattern.required {
        None => {
            let message = "no literal is in every match: each text is searched for it from end to end".to_owned();
            let help = "give the regex a text of 3 bytes or more that every match has";
            add(out, rule, written, Lint::NoLiteral, message, help);
        }
        Some(required) if required.cost() > COST_MAX => {
            let message = format!(
                "looking for its {} literal(s), the shortest of {} bytes, costs about {:.2} ns per byte of ordinary text",
                required.literals.len(),
                required.shortest(),
                required.cost()
            );
            let help = "let every match have a rarer or longer text, near its beginning";
            add(out, rule, written, Lint::Expensive, message, help);
        }
        Some(_) => {}
    }
    if pattern.length_max.is_none() {
        let message = "its matches have no longest: one may take in the rest of the text".to_owned();
        add(out, rule, written, Lint::Unbounded, message, "bound every repeat: `{1,64}` for `+`");
    }
    if rule.on_reply && !rule.block_end {
        let before = pattern.required.as_ref().map_or(pattern.length_max, |required| required.before_max);
        if let Some(before) = before.filter(|before| *before > HOLD_MAX) {
            let message = format!("a stream may be held for {before} bytes before it is seen whether this matches");
            let help = "begin with what is rare, bound the beginning, or write `stream: block_end`";
            add(out, rule, written, Lint::HoldsLong, message, help);
        }
    }
}

/// Canonical text has no invisible characters, no combining marks and no look-alikes: a pattern that needs one finds nothing.
fn possible(rule: &Rule, pattern: &Pattern, out: &mut Vec<Finding>) {
    if pattern.target != Target::Canonical {
        return;
    }
    let text = written(rule, pattern);
    let written = Some(text);
    if !can_match(&pattern.hir()) {
        let message = "canonical text never has what it looks for: such characters are folded away".to_owned();
        add(out, rule, written, Lint::Impossible, message, "write `on: raw` to judge the text as it was sent");
        return;
    }
    let dropped = match rule.written.get(usize::from(pattern.number)).map(|written| written.kind) {
        Some(PatternKind::Literal) => text.chars().any(vanishes),
        Some(PatternKind::Regex) => regex_syntax::parse(text).is_ok_and(|hir| needs_vanishing(&hir)),
        _ => false,
    };
    if dropped {
        let message = "it names characters that folding takes out of the text, so that they are ignored".to_owned();
        add(out, rule, written, Lint::Impossible, message, "write `on: raw`, or leave them out");
    }
}

/// False when no canonical text matches, as far as single characters tell.
fn can_match(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).is_ok_and(|text| text.chars().all(stays)),
        HirKind::Class(Class::Bytes(_)) => true,
        HirKind::Class(Class::Unicode(class)) => {
            // Large classes have something in them that stays.
            const LOOKED_AT: usize = 4096;
            let mut characters = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            characters.by_ref().take(LOOKED_AT).any(stays) || characters.next().is_some()
        }
        HirKind::Repetition(repetition) => repetition.min == 0 || can_match(&repetition.sub),
        HirKind::Capture(capture) => can_match(&capture.sub),
        HirKind::Concat(parts) => parts.iter().all(can_match),
        HirKind::Alternation(parts) => parts.iter().any(can_match),
    }
}

/// True when some character of a literal part vanishes in folding.
fn needs_vanishing(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).is_ok_and(|text| text.chars().any(vanishes)),
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_vanishing(&repetition.sub),
        HirKind::Capture(capture) => needs_vanishing(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(needs_vanishing),
        HirKind::Class(Class::Unicode(class)) => {
            const SMALL: usize = 64;
            let mut characters = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            characters.by_ref().take(SMALL).all(vanishes) && characters.next().is_none()
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => false,
    }
}

fn folded(c: char) -> String {
    let mut folded = String::new();
    fold_char(c, &mut folded);
    folded
}

fn stays(c: char) -> bool {
    folded(c).chars().eq([c])
}

/// True for characters that show nothing. Combining marks vanish too, from the text as from the pattern, and belong to the words
/// of many languages.
fn vanishes(c: char) -> bool {
    folded(c).is_empty() && !is_combining_mark(c)
}

/// Of each pattern as written, one of those that it makes must find something in the examples.
fn exercised(scanner: &Scanner, rule: &Rule, first: u32, scratch: &mut Scratch, out: &mut Vec<Finding>) {
    // A pattern of a condition may be there to keep a text from being found.
    let examples = rule.examples.iter().filter(|example| example.is_match || rule.condition.is_some());
    let readings: Vec<(String, String)> = examples.flat_map(|example| as_read(rule, example)).collect();
    for (number, written) in rule.written.iter().enumerate() {
        let mut units = (first..).zip(&rule.patterns).filter(|(_, pattern)| usize::from(pattern.number) == number);
        let found = units.any(|(unit, pattern)| {
            readings.iter().any(|(raw, folded)| {
                let text = if pattern.target == Target::Raw { raw } else { folded };
                plain::finds(&scanner.program, unit, text, scratch)
            })
        });
        if !found {
            let message = "no example under `match` is found by this pattern".to_owned();
            let help = "add a text that it must find, or remove it";
            add(out, rule, Some(&written.text), Lint::Unexercised, message, help);
        }
    }
}

/// An example and what it decodes to, raw and canonical.
fn as_read(rule: &Rule, example: &Example) -> Vec<(String, String)> {
    let undone = layers(&example.text, &Limits::default()).layers.into_iter();
    let undone = undone.filter(|layer| rule.reads(&layer.encodings)).map(|layer| layer.text);
    let texts = std::iter::once(example.text.clone()).chain(undone);
    texts.map(|text| (text.clone(), canonical(&text).text.into_owned())).collect()
}

/// The pattern as it stands in the file.
fn written<'r>(rule: &'r Rule, pattern: &Pattern) -> &'r str {
    rule.written.get(usize::from(pattern.number)).map_or("", |written| written.text.as_str())
}

/// Literals of a rule that another pattern of the same rule makes superfluous.
fn within(scanner: &Scanner, rule: &Rule, first: u32, scratch: &mut Scratch, out: &mut Vec<Finding>) {
    let is_plain = rule.validators.is_empty() && rule.capture == 0 && rule.condition.is_none();
    if !is_plain || rule.action == Some(Action::Redact) || rule.patterns.len() > COMPARED_MAX {
        return;
    }
    for (number, pattern) in rule.patterns.iter().enumerate() {
        let Some(literal) = pattern.literal() else { continue };
        let others = (first..).zip(rule.patterns.iter().enumerate());
        let mut others = others.filter(|(_, (other, _))| *other != number);
        let finder = others.find(|(unit, (other, candidate))| {
            let equal = candidate.hir() == pattern.hir();
            is_free(candidate)
                && covers(candidate, pattern)
                && (!equal || *other < number)
                && plain::finds(&scanner.program, *unit, &literal.text, scratch)
        });
        if let Some((_, (_, finder))) = finder {
            let message = format!("whatever it finds, `{}` of the same rule finds too", written(rule, finder));
            add(out, rule, Some(written(rule, pattern)), Lint::Unreachable, message, "remove it");
        }
    }
}

/// True when what the pattern finds does not depend on what stands around.
fn is_free(pattern: &Pattern) -> bool {
    pattern.hir().properties().look_set().is_empty()
}

/// True when a pattern reads what another one reads, and is not stricter about case.
fn covers(pattern: &Pattern, other: &Pattern) -> bool {
    pattern.target == other.target && (!pattern.case_sensitive || other.case_sensitive)
}

/// Literals that a rule of the same or a stronger action finds too, wherever this one looks.
fn reached(scanner: &Scanner, index: RuleIndex, rule: &Rule, scratch: &mut Scratch, out: &mut Vec<Finding>) {
    let has_regex = rule.patterns.iter().any(|pattern| pattern.literal().is_none());
    if has_regex || rule.condition.is_some() || rule.patterns.len() > COMPARED_MAX {
        // The rule finds something else, too: then what it finds together is its own.
        return;
    }
    let mut finders: Option<Vec<RuleIndex>> = None;
    for pattern in &rule.patterns {
        let Some(literal) = pattern.literal() else { return };
        let mut found: Vec<RuleIndex> = stronger(scanner, index, rule, pattern, &literal.text, scratch);
        found.retain(|rule| finders.as_ref().is_none_or(|finders| finders.contains(rule)));
        finders = Some(found);
    }
    let finder = finders.and_then(|finders| finders.into_iter().find_map(|index| scanner.rules().rule(index)));
    if let Some(finder) = finder {
        let message = format!("whatever it finds, {} finds too, as strongly and wherever this one looks", finder.id);
        add(out, rule, None, Lint::Unreachable, message, "remove it, or say what is different about it");
    }
}

fn stronger(
    scanner: &Scanner,
    index: RuleIndex,
    rule: &Rule,
    pattern: &Pattern,
    text: &str,
    scratch: &mut Scratch,
) -> Vec<RuleIndex> {
    let direction = if rule.on_request { Direction::Request } else { Direction::Reply };
    let Some(role) = rule.roles.iter().next() else { return Vec::new() };
    let mut matches = Vec::new();
    scanner.scan(text, Reading::Both, Context { direction, role }, scratch, &mut matches);
    let mut others: Vec<RuleIndex> = matches.iter().map(|found| found.rule).filter(|other| *other != index).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|number| {
        let Some(other) = scanner.rules().rule(*number) else { return false };
        // Of two that are equal the later one is superfluous.
        is_as_strong(other, rule)
            && (*number < index || !(is_as_strong(rule, other) && finds_all(scanner, index, rule, other, scratch)))
            && free_units(scanner, *number, other, pattern)
                .any(|unit| plain::finds(&scanner.program, unit, text, scratch))
    });
    others
}

/// True when a rule finds whatever another one looks for.
fn finds_all(scanner: &Scanner, index: RuleIndex, rule: &Rule, other: &Rule, scratch: &mut Scratch) -> bool {
    other.patterns.iter().all(|pattern| {
        let literal = pattern.literal();
        literal.is_some_and(|literal| {
            free_units(scanner, index, rule, pattern)
                .any(|unit| plain::finds(&scanner.program, unit, &literal.text, scratch))
        })
    })
}

/// Numbers of a rule's patterns that do not look at what stands around, and read what `like` reads.
fn free_units<'r>(
    scanner: &Scanner,
    index: RuleIndex,
    rule: &'r Rule,
    like: &'r Pattern,
) -> impl Iterator<Item = u32> + use<'r> {
    let all = (first_unit(scanner, index)..).zip(&rule.patterns);
    all.filter(|(_, pattern)| is_free(pattern) && covers(pattern, like)).map(|(unit, _)| unit)
}

/// The number of a rule's first pattern; the others follow.
fn first_unit(scanner: &Scanner, index: RuleIndex) -> u32 {
    let first = scanner.program.units.partition_point(|unit| unit.rule < index);
    u32::try_from(first).unwrap_or(u32::MAX)
}

/// True when `other` does as much as `rule` does, wherever that looks.
fn is_as_strong(other: &Rule, rule: &Rule) -> bool {
    other.condition.is_none()
        && other.mode == Mode::Enforce
        && !other.is_above_blocking
        && serde_json::to_string(&other.scope).ok() == serde_json::to_string(&rule.scope).ok()
        && other.transforms == rule.transforms
        && (other.on_request || !rule.on_request)
        && (other.on_reply || !rule.on_reply)
        && rule.roles.iter().all(|role| other.roles.contains(role))
        && other.action.unwrap_or_default() >= rule.action.unwrap_or_default()
        && other.points() >= rule.points()
        && other.paranoia <= rule.paranoia
        && other.validators.is_empty()
        && (other.block_end <= rule.block_end)
        // Each takes out a part of its own.
        && rule.action != Some(Action::Redact)
}

/// Rules that find a rule's examples in the same places, and how many of them, and how many there are.
type Covered = (RuleIndex, usize, BTreeMap<RuleIndex, usize>);

fn covered(scanner: &Scanner, index: RuleIndex, rule: &Rule, scratch: &mut Scratch) -> Covered {
    let mut by: BTreeMap<RuleIndex, usize> = BTreeMap::new();
    let matching: Vec<&Example> = rule.examples.iter().filter(|example| example.is_match).collect();
    let direction = if rule.on_request { Direction::Request } else { Direction::Reply };
    for example in &matching {
        let role = example.role.or_else(|| rule.roles.iter().next()).unwrap_or(Role::Unknown);
        let context = Context { direction, role };
        let mut found: Vec<(RuleIndex, Span)> = Vec::new();
        for target in [Target::Raw, Target::Canonical] {
            let reading = if target == Target::Raw { Reading::Raw } else { Reading::Canonical };
            let folded = canonical(&example.text);
            let text = if target == Target::Raw { example.text.as_str() } else { &folded.text };
            let mut matches = Vec::new();
            scanner.scan(text, reading, context, scratch, &mut matches);
            let original = |span| if target == Target::Raw { span } else { folded.map.to_original(span) };
            found.extend(matches.iter().map(|found| (found.rule, original(found.span))));
        }
        let own: Vec<Span> = found.iter().filter(|(rule, _)| *rule == index).map(|(_, span)| *span).collect();
        let mut others: Vec<RuleIndex> =
            found.iter().filter(|(rule, span)| *rule != index && own.contains(span)).map(|(rule, _)| *rule).collect();
        others.sort_unstable();
        others.dedup();
        others.into_iter().for_each(|other| *by.entry(other).or_default() += 1);
    }
    (index, matching.len(), by)
}

fn overlapping(scanner: &Scanner, covers: &[Covered], out: &mut Vec<Finding>) {
    let by_index: BTreeMap<RuleIndex, &Covered> = covers.iter().map(|covered| (covered.0, covered)).collect();
    for (index, examples, by) in covers {
        for (other, count) in by.range(index..) {
            let Some((_, other_examples, back)) = by_index.get(other) else { continue };
            let Some(back) = back.get(index) else { continue };
            let rules = scanner.rules();
            let (Some(rule), Some(other)) = (rules.rule(*index), rules.rule(*other)) else { continue };
            let message = format!(
                "{} finds {count} of its {examples} examples in the same place, and it finds {back} of the {other_examples} of {}",
                other.id, other.id
            );
            add(out, rule, None, Lint::Overlapping, message, "make one rule of them, or draw the line between them");
        }
    }
}

fn broad(rule: &Rule, benign: &Benign, out: &mut Vec<Finding>) {
    let hits = benign.hits.get(&rule.id).copied().unwrap_or(0);
    let share = hits as f64 / benign.texts.max(1) as f64;
    if hits < BROAD_HITS_MIN || share <= benign.share_max {
        return;
    }
    let message = format!(
        "it hits {hits} of {} benign texts: {:.2} %, {:.2} % are allowed",
        benign.texts,
        share * 100.0,
        benign.share_max * 100.0
    );
    let help = "`rules profile --only ID --shown 5` shows some of them; ask for more words around, or raise `paranoia`";
    add(out, rule, None, Lint::TooBroad, message, help);
}

#[cfg(test)]
mod tests {
    use super::{Benign, Lint, lint};
    use crate::scan::tests::scanner;

    /// Names of what is wrong with each rule (by number from 1), metadata aside.
    fn found(short: &str) -> Vec<(usize, Lint)> {
        let findings = lint(&scanner(short), None);
        let number = |id: &str| id.trim_start_matches("INJ-").parse().unwrap();
        let told =
            findings.iter().filter(|finding| finding.lint != Lint::Metadata && finding.lint != Lint::Unexercised);
        told.map(|finding| (number(&finding.rule), finding.lint)).collect()
    }

    #[test]
    fn well_made_rules_pass() {
        assert_eq!(found("- pattern: { regex: 'forget (all|the) rules' }\n- pattern: { literal: needle }\n"), []);
    }

    #[test]
    fn slow_patterns_are_named() {
        let rules = r"
- pattern: { regex: '[a-z][0-9][a-z]' }
- pattern: { regex: 'needle.+' }
stream: block_end
- pattern: { regex: '[a-z0-9 ]{300,400}needle' }
";
        assert_eq!(found(rules), [(1, Lint::NoLiteral), (2, Lint::Unbounded), (3, Lint::HoldsLong)]);
    }

    #[test]
    fn what_canonical_text_cannot_hold_is_named() {
        let rules = r"
- pattern: { regex: 'ab[\x{200B}\x{200C}]{1,3}cd' }
- pattern: { regex: 'ab[\x{200B}x]cd' }
- pattern: { regex: 'ab[\x{200B}\x{200C}]{1,3}cd' }
on: raw
- pattern: { regex: 'abc\x{200B}def' }
";
        let impossible: Vec<usize> =
            found(rules).into_iter().filter(|(_, lint)| *lint == Lint::Impossible).map(|(rule, _)| rule).collect();
        assert_eq!(impossible, [1, 4]);
    }

    #[test]
    fn a_reply_has_no_system_prompt() {
        let rules = "- pattern: { literal: needle }\napplies: { direction: reply, roles: [system] }\n";
        assert_eq!(found(rules), [(1, Lint::NeverApplies)]);
    }

    #[test]
    fn what_another_rule_finds_as_well_is_named() {
        let shadowed = "- pattern: { literal: forget the rules }\n- pattern: { literal: forget the }\n";
        assert_eq!(found(shadowed), [(1, Lint::Unreachable)]);
        let equal = "- pattern: { literal: needle }\n- pattern: { literal: needle }\n";
        assert_eq!(found(equal), [(2, Lint::Unreachable)], "the second, not both");
        for different in [
            "action: block",
            "on: raw",
            "case: insensitive\napplies: { direction: request, roles: [user] }\n- pattern: { literal: some thread }",
        ] {
            let rules = format!("- pattern: {{ literal: needle one }}\n{different}\n- pattern: {{ literal: other }}\n");
            assert_eq!(found(&rules), [], "{different}");
        }
        let narrower =
            "- pattern: { literal: a needle }\n- pattern: { literal: needle }\napplies: { direction: request }\n";
        assert_eq!(found(narrower), [], "replies are the first one's alone");
        let same_rule = "- pattern: { literal: needle }, { regex: 'n[aeiou]{1,2}dle' }\n";
        assert_eq!(found(same_rule), [(1, Lint::Unreachable)]);
        let word = "- pattern: { literal: a needle, word: true }\n- pattern: { literal: needle, word: true }\n";
        assert_eq!(found(word), [], "what stands around decides");
    }

    #[test]
    fn rules_that_find_each_others_examples_are_named() {
        let rules = "
- pattern: { regex: 'need(le|les)' }
match: [a needle, needle]
pass: [nothing, none]
- pattern: { regex: 'ne{2}dle' }
match: [some needle, needle]
pass: [nothing, none]
";
        assert_eq!(found(rules), [(1, Lint::Overlapping)]);
    }

    #[test]
    fn patterns_without_an_example_are_named() {
        let rules = "
- pattern: { literal: needle }, { literal: thread }
match: [a needle, needle]
pass: [nothing, none]
";
        let findings = lint(&scanner(rules), None);
        let unexercised: Vec<_> = findings.iter().filter(|finding| finding.lint == Lint::Unexercised).collect();
        assert_eq!(unexercised.len(), 1);
        assert_eq!(unexercised[0].pattern.as_deref(), Some("thread"));
        assert!(findings.iter().any(|finding| finding.lint == Lint::Metadata));
    }

    #[test]
    fn broad_rules_are_those_above_the_share() {
        let scanner = scanner("- pattern: { literal: needle }\n");
        let broad = |hits: usize| {
            let hits = [("INJ-001".to_owned(), hits)].into();
            let benign = Benign { texts: 1000, hits, share_max: 0.003 };
            lint(&scanner, Some(&benign)).iter().any(|finding| finding.lint == Lint::TooBroad)
        };
        assert!(!broad(3) && broad(4));
    }
}
