//! From rules as written to rules that cannot be wrong; every problem is reported with what to write instead.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

mod condition;
mod lint;
mod patterns;
mod transforms;

use self::patterns::Compiler;
use super::condition::{Label, Scores};
use super::family::{self, Family};
use super::list::Lists;
use super::roles::Roles;
use super::set::{Confidence, Example, Mode, Rule, Target};
use super::source::{ExampleSource, ExamplesSource, FileSource, RuleSource, Text};
use super::standing;
use super::transforms::Transforms;
use super::validator::Validator;
use super::variables::Variables;
use crate::base::limits::rules as limits;
use crate::text::Role;
use crate::verdict::{Action, Severity};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::suggest;
use crate::yaml::table::{At, shown};

/// Where each id was first used.
pub(super) type Seen = HashMap<String, (PathBuf, usize)>;

/// A rule as its own file has it. Whether its id is its own, the other files say.
#[derive(Debug)]
pub(super) struct Checked {
    /// Its id, if it is one.
    id: Option<Text>,
    /// `None`: it has a problem.
    rule: Option<Rule>,
}

/// Checks one file below `root`. A rule with a problem is reported and left out.
pub(super) fn check(file: &FileSource, root: &Path, lists: &mut Lists<'_>, report: &mut Reporter<'_>) -> Vec<Checked> {
    let family = file.family.as_ref().and_then(|family| family_of(family, root, report));
    if file.rules.is_empty() && !file.is_overlay && !report.has_errors() {
        report.error("R005", (1, 1), "the file holds no rule", "add a rule under `rules:`, or delete the file");
    }
    let variables = Variables::new(&file.variables, report);
    let mut compiler = Compiler { variables: &variables, lists };
    let checked = |source: &RuleSource| {
        let before = report.error_count();
        let id = source.id.as_ref().filter(|id| is_id(id, family, report)).cloned();
        let rule = rule(source, id.as_ref(), family, &mut compiler, report);
        Checked { id, rule: rule.filter(|_| report.error_count() == before) }
    };
    let rules = file.rules.iter().map(checked).collect();
    variables.finish(report);
    rules
}

/// The rules of a file whose ids no rule has that was read before; the others are reported.
pub(super) fn with_own_ids(checked: Vec<Checked>, seen: &mut Seen, report: &mut Reporter<'_>) -> Vec<Rule> {
    let mut is_own = |id: &Text| {
        if let Some((file, line)) = seen.get(&id.value) {
            let message = format!("the id `{}` is used already, in {}:{line}", id.value, file.display());
            report.error("R009", id.place, message, "give this rule a new number; ids are never reused");
            return false;
        }
        seen.insert(id.value.clone(), (report.file.to_owned(), id.place.0));
        true
    };
    // An id is taken by a rule with a problem too.
    let own = checked.into_iter().map(|Checked { id, rule }| (id.is_some_and(|id| is_own(&id)), rule));
    own.filter_map(|(is_own, rule)| rule.filter(|_| is_own)).collect()
}

fn family_of(written: &Text, root: &Path, report: &mut Reporter<'_>) -> Option<Family> {
    let names = Family::ALL.map(Family::name);
    let Some(family) = Family::ALL.into_iter().find(|family| family.name() == written.value) else {
        let message = format!("there is no family `{}`", shown(&written.value));
        report.error("R007", written.place, message, suggest::help(&written.value, &names));
        return None;
    };
    if !family.holds(root, report.file) {
        let folder = report.file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let message = format!("family {} in the folder `{folder}`", family.name());
        let help = format!("move the file to a folder `{}`, or below one, or correct the family", family.name());
        report.error("R010", written.place, message, help);
    }
    Some(family)
}

/// One rule as far as it can be made; its problems are reported.
fn rule(
    source: &RuleSource,
    id: Option<&Text>,
    family: Option<Family>,
    compiler: &mut Compiler<'_, '_>,
    report: &mut Reporter<'_>,
) -> Option<Rule> {
    let title = source.title.as_ref().and_then(|title| not_empty(title, "title", report));
    let severity = source.severity.as_ref().and_then(|text| choose(text, "severity", &SEVERITIES, report));
    let confidence = source.confidence.as_ref().and_then(|text| choose(text, "confidence", &CONFIDENCES, report));
    let paranoia = source.paranoia.as_ref().map_or(1, |level| check_paranoia(level, report));
    let tags = source.tags.as_ref().map(|tags| check_tags(source, tags, report));
    let references = source.references.iter().filter_map(|text| reference(text, report)).collect();
    let direction = source.direction.as_ref().and_then(|text| choose(text, "direction", &DIRECTIONS, report));
    let roles = roles(source, report);
    let action = source.action.as_ref().and_then(|text| choose(text, "action", &ACTIONS, report));
    let target = source.on.as_ref().and_then(|text| choose(text, "on", &TARGETS, report)).unwrap_or(Target::Canonical);
    let case = source.case.as_ref().and_then(|text| choose(text, "case", &CASES, report));
    let stream = source.stream.as_ref().and_then(|text| choose(text, "stream", &[("block_end", ())], report));
    let validators = source.validators.iter().filter_map(|text| validator(text, report)).collect();
    let mode = source.mode.as_ref().and_then(|text| choose(text, "mode", &MODES, report));
    let token = standing::check_token(source, action.flatten(), report);
    standing::check_to(source, action.flatten(), direction, report);
    standing::check_allow(source, action.flatten(), family, report);
    standing::check_trust(&source.scope, source.place, direction, report);
    let mask = mask(source, action.flatten(), report);
    let message = standing::message(source, action.flatten(), direction, report);
    if let (Some(stream), Some((_, false)), true) = (&source.stream, direction, source.owns("stream")) {
        let help = "leave `stream` out, or let the rule apply to replies";
        report.error("R017", stream.place, "`stream` on a rule that never sees a reply", help);
    }
    let flows = direction.is_some_and(|(_, reply)| reply) && source.stream.is_none();
    let transforms = source.transforms.as_ref().map(|names| transforms::transforms(names, report));
    let transforms = transforms.unwrap_or_else(|| Transforms::usual(target));
    let defaults = patterns::Defaults { target, case, word: source.word, capture: source.capture.as_ref(), flows };
    let patterns = source.patterns.as_ref().map(|list| compiler.patterns(source, list, &defaults, report));
    let condition = source.condition.as_ref().and_then(|text| {
        let written = patterns.as_ref().map(|patterns| patterns.written.as_slice()).unwrap_or_default();
        condition::condition(text, written, flows, report)
    });
    let compiled = patterns.as_ref().map(|patterns| patterns.compiled.as_slice()).unwrap_or_default();
    standing::check_allowed_length(source, action.flatten(), compiled, report);
    let examples = source.examples.as_ref().map(|examples| check_examples(examples, report));
    let lint = source.lint.as_ref().map(|written| lint::allowed(written, report));
    let (on_request, on_reply) = direction?;
    Some(Rule {
        id: id?.value.clone(),
        title: title?,
        description: source.description.as_ref().map_or(String::new(), |text| text.value.trim().to_owned()),
        family: family?,
        severity: severity?,
        confidence: confidence.unwrap_or(Confidence::Medium),
        paranoia,
        tags: tags?,
        references,
        on_request,
        on_reply,
        roles,
        scope: source.scope.clone(),
        mode: mode.unwrap_or_default(),
        score: source.score,
        token,
        is_above_blocking: false,
        overrides: Vec::new(),
        exceptions: Vec::new(),
        allowed_by: Vec::new(),
        target,
        case_sensitive: case.unwrap_or(target == Target::Raw),
        transforms,
        condition,
        written: patterns.as_ref()?.written.clone(),
        patterns: patterns?.compiled,
        validators,
        capture: source.capture.as_ref().map_or(0, |capture| capture.value),
        action: action?,
        to: source.to.as_ref().map(|to| to.value.clone()),
        to_place: source.to.as_ref().map(|to| to.place),
        mask,
        message,
        sensitive: source.sensitive,
        block_end: stream.is_some() && on_reply,
        lint: lint.flatten(),
        examples: examples?,
        file: report.file.to_owned(),
        line: u64::try_from(source.id.as_ref().map_or(source.place.0, |id| id.place.0)).unwrap_or(0),
    })
}

pub(super) const SEVERITIES: [(&str, Severity); 5] = [
    ("info", Severity::Info),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

const CONFIDENCES: [(&str, Confidence); 3] =
    [("low", Confidence::Low), ("medium", Confidence::Medium), ("high", Confidence::High)];

/// On requests, on replies.
pub(super) const DIRECTIONS: [(&str, (bool, bool)); 3] =
    [("request", (true, false)), ("reply", (false, true)), ("both", (true, true))];

pub(super) const ACTIONS: [(&str, Option<Action>); 8] = [
    ("score", None),
    ("allow", Some(Action::Allow)),
    ("flag", Some(Action::Flag)),
    ("redact", Some(Action::Redact)),
    ("strip", Some(Action::Strip)),
    ("route", Some(Action::Route)),
    ("throttle", Some(Action::Throttle)),
    ("block", Some(Action::Block)),
];

pub(super) const MODES: [(&str, Mode); 3] = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow), ("off", Mode::Off)];

const TARGETS: [(&str, Target); 2] = [("canonical", Target::Canonical), ("raw", Target::Raw)];

/// True: sensitive.
const CASES: [(&str, bool); 2] = [("insensitive", false), ("sensitive", true)];

pub(super) fn choose<T: Copy>(written: &Text, key: &str, known: &[(&str, T)], report: &mut Reporter<'_>) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == written.value).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let message = format!("{key} cannot be `{}`", shown(&written.value));
        report.error("R007", written.place, message, suggest::help(&written.value, &names));
    }
    found
}

fn check_paranoia(level: &At<usize>, report: &mut Reporter<'_>) -> u8 {
    match u8::try_from(level.value) {
        Ok(value @ 1..=4) => value,
        _ => {
            let help = "write 1 (hardly ever a false alarm) to 4 (for sites that accept many)";
            report.error("R007", level.place, format!("paranoia cannot be `{}`", level.value), help);
            1
        }
    }
}

fn not_empty(written: &Text, key: &str, report: &mut Reporter<'_>) -> Option<String> {
    let text = written.value.trim();
    if text.is_empty() {
        report.error("R005", written.place, format!("the {key} is empty"), format!("write a {key}"));
        return None;
    }
    Some(text.to_owned())
}

/// Whether an id has the form of one. One of another family is reported, and is one.
fn is_id(id: &Text, family: Option<Family>, report: &mut Reporter<'_>) -> bool {
    if !family::is_id(&id.value) {
        let example = family.map_or("INJ", Family::prefix);
        let message = format!("`{}` is not a rule id", shown(&id.value));
        let help = format!("write the family's prefix, a hyphen and three to five digits: `{example}-001`");
        report.error("R008", id.place, message, help);
        return false;
    }
    if let Some(family) = family.filter(|family| !family.owns(&id.value)) {
        let message = format!("the id `{}` does not belong to the family {}", id.value, family.name());
        report.error("R010", id.place, message, format!("ids of this family begin with `{}-`", family.prefix()));
    }
    true
}

fn check_tags(source: &RuleSource, tags: &[Text], report: &mut Reporter<'_>) -> Vec<String> {
    let mut known = false;
    for tag in tags {
        let (scheme, value) = tag.value.split_once(':').unwrap_or((&tag.value, ""));
        let form = match scheme {
            "owasp" => is_owasp(value),
            "atlas" => value.strip_prefix("AML.").is_some_and(|rest| rest.len() >= 5 && is_plain(rest)),
            "cwe" => value.strip_prefix("CWE-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())),
            _ => false,
        };
        known |= scheme == "owasp" || scheme == "atlas";
        if !form {
            let message = format!("`{}` is not a tag", shown(&tag.value));
            let help = "write `owasp:LLM01:2025`, `atlas:AML.T0051.000` or `cwe:CWE-77`";
            report.error("R012", tag.place, message, help);
        }
    }
    if !known {
        let place = tags.first().map_or(source.place, |tag| tag.place);
        let help =
            "add the entry of the OWASP LLM Top 10 (`owasp:LLM01:2025`) or of MITRE ATLAS that the rule is about";
        report.error("R012", place, "a rule needs an owasp: or atlas: tag", help);
    }
    tags.iter().map(|tag| tag.value.clone()).collect()
}

/// `LLM01:2025` and its like.
fn is_owasp(value: &str) -> bool {
    let Some((item, year)) = value.split_once(':') else { return false };
    let number = item.strip_prefix("LLM").filter(|number| number.len() == 2).and_then(|number| number.parse().ok());
    number.is_some_and(|number: u8| (1..=10).contains(&number)) && year.len() == 4 && year.parse::<u16>().is_ok()
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

fn reference(text: &Text, report: &mut Reporter<'_>) -> Option<String> {
    if !text.value.starts_with("https://") {
        let message = format!("`{}` is not a reference", shown(&text.value));
        report.error("R007", text.place, message, "write an address that begins with https://");
        return None;
    }
    Some(text.value.clone())
}

fn roles(source: &RuleSource, report: &mut Reporter<'_>) -> Roles {
    let Some(written) = &source.roles else { return Roles::all() };
    if written.is_empty() {
        let place = source.direction.as_ref().map_or(source.place, |direction| direction.place);
        report.error("R005", place, "the list of roles is empty", "name a role, or leave `roles` out for all");
    }
    written.iter().filter_map(|text| role(text, report)).collect()
}

pub(super) fn role(text: &Text, report: &mut Reporter<'_>) -> Option<Role> {
    choose(text, "a role", &Roles::EVERY.map(|role| (role.name(), role)), report)
}

fn validator(text: &Text, report: &mut Reporter<'_>) -> Option<Validator> {
    let found = Validator::by_name(&text.value);
    if found.is_none() {
        let names: Vec<&str> = Validator::all().map(Validator::name).collect();
        let help = match suggest::nearest(&text.value, &names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "docs/rules.md, \"Validators\", lists what there is".to_owned(),
        };
        report.error("R007", text.place, format!("a validator cannot be `{}`", shown(&text.value)), help);
    }
    found
}

fn mask(source: &RuleSource, action: Option<Action>, report: &mut Reporter<'_>) -> Option<String> {
    let redacts = action == Some(Action::Redact);
    match &source.mask {
        None if redacts && source.token.is_none() => {
            let place = source.action.as_ref().map_or(source.place, |action| action.place);
            let help = "add what stands in its place: `mask: '[card number]'`";
            report.error("R019", place, "a rule that redacts needs a mask", help);
            None
        }
        Some(_) if !redacts && !source.owns("mask") => None,
        Some(mask) if !redacts && source.action.is_some() => {
            report.error(
                "R019",
                mask.place,
                "a mask on a rule that does not redact",
                "leave it out, or write `action: redact`",
            );
            None
        }
        mask => mask.as_ref().and_then(|mask| standing::mask(mask, report)),
    }
}

fn check_examples(source: &ExamplesSource, report: &mut Reporter<'_>) -> Vec<Example> {
    for (key, (place, list)) in [("match", &source.matching), ("pass", &source.passing)] {
        if list.len() < limits::EXAMPLES_MIN {
            let message = format!("{} example(s) under `{key}`, {} are needed", list.len(), limits::EXAMPLES_MIN);
            let help = match key {
                "match" => "add texts that this rule must find",
                _ => "add near misses: texts that look alike and must pass",
            };
            report.error("R020", *place, message, help);
        }
    }
    let matching = source.matching.1.iter().map(|example| (example, true));
    let passing = source.passing.1.iter().map(|example| (example, false));
    matching.chain(passing).filter_map(|(source, is_match)| example(source, is_match, report)).collect()
}

fn example(source: &ExampleSource, is_match: bool, report: &mut Reporter<'_>) -> Option<Example> {
    let Text { place, value: text } = &source.text;
    if text.is_empty() || text.len() > limits::EXAMPLE_BYTES {
        let message = format!("the example has {} bytes", text.len());
        report.error("R020", *place, message, format!("write a text of 1 to {} bytes", limits::EXAMPLE_BYTES));
        return None;
    }
    if let Some(found) = &source.found {
        if !is_match {
            report.error("R020", found.place, "`found` on an example that must pass", "leave it out");
        } else if !text.contains(&found.value) {
            let message = format!("`{}` is not in the example's text", shown(&found.value));
            report.error("R020", found.place, message, "copy the part that the rule must find, exactly as it stands");
        }
    }
    Some(Example {
        text: text.clone(),
        role: source.role.as_ref().and_then(|text| role(text, report)),
        is_match,
        found: source.found.as_ref().map(|found| found.value.clone()),
        scores: scores(&source.score, report),
        line: u64::try_from(place.0).unwrap_or(0),
    })
}

/// What an example says that the classifier says.
fn scores(written: &[(Text, Node)], report: &mut Reporter<'_>) -> Scores {
    let mut scores = Scores::default();
    for (name, node) in written {
        let label = choose(name, "a score", &Label::ALL.map(|label| (label.name(), label)), report);
        let number = match &node.value {
            Value::Number(number, _) => number.parse().ok().filter(|score| (0.0..=1.0).contains(score)),
            _ => None,
        };
        match (label, number) {
            (Some(label), Some(score)) => scores.set(label, score),
            (None, _) => {}
            (_, None) => report.error("R006", node.place, "a score is a number from 0 to 1", "write `0.9`"),
        }
    }
    // Of an attempt of either kind the classifier says that it is an attack.
    scores.of_either_kind()
}
