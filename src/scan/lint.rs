//! What can be told of rules without traffic: which are slow, which find nothing, which find what others find, and whether their
//! own examples exercise them.
//!
//! Every finding has a name that can be switched off. What a finding says is true of what was looked at; that nothing is found
//! proves nothing (whether one regex finds all that another finds is looked at only for literals and equal texts).

mod allowed;
mod broad;
mod cost;
mod exercised;
mod metadata;
mod overlapping;
mod possible;
mod reached;

use std::path::PathBuf;

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use self::allowed::allowed;
pub use self::broad::Benign;
use self::broad::broad;
use self::cost::cost;
use self::exercised::exercised;
use self::metadata::metadata;
use self::overlapping::{Covered, covered, overlapping};
use self::possible::{applies, possible};
use self::reached::{reached, within};
use super::Scanner;
use super::scratch::Scratch;
use crate::rules::lint::{Level, Lint};
use crate::rules::set::Pattern;
use crate::rules::{Rule, RuleIndex, Written};

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
    /// Line and column of that pattern in the file.
    pub place: Option<(usize, usize)>,
    /// What is wrong, in words.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What there is to say of rules.
#[derive(Clone, Debug, Default)]
pub struct Linted {
    /// In order of file and line.
    pub findings: Vec<Finding>,
    /// Those that the rules themselves allow.
    pub allowed: Vec<Finding>,
}

/// Looks at all rules.
pub fn lint(scanner: &Scanner, benign: Option<&Benign>) -> Linted {
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
    sort(&mut out);
    let allowed = allowed(scanner.rules(), &mut out, benign.is_some());
    sort(&mut out);
    Linted { findings: out, allowed }
}

/// In order of file and line, each once.
fn sort(out: &mut Vec<Finding>) {
    out.sort_by(|a, b| {
        (&a.file, a.line, b.level, a.lint, a.place, &a.pattern)
            .cmp(&(&b.file, b.line, a.level, b.lint, b.place, &b.pattern))
    });
    out.dedup_by(|a, b| a.rule == b.rule && a.lint == b.lint && a.place == b.place && a.message == b.message);
}

/// Nanoseconds per byte of ordinary text that looking for a pattern takes, by estimate; `None`: it has no literal.
pub fn estimates(rule: &Rule) -> impl Iterator<Item = Option<f64>> + '_ {
    rule.patterns.iter().map(|pattern| pattern.required.as_ref().map(|required| required.cost()))
}

fn add(out: &mut Vec<Finding>, rule: &Rule, pattern: Option<&Written>, lint: Lint, message: String, help: &str) {
    out.push(Finding {
        lint,
        level: lint.level(),
        rule: rule.id.clone(),
        file: rule.file.clone(),
        line: rule.line,
        pattern: pattern.map(|pattern| pattern.text.clone()),
        place: pattern.map(|pattern| pattern.place),
        message,
        help: help.to_owned(),
    });
}

/// The pattern as it stands in the file.
fn written<'r>(rule: &'r Rule, pattern: &Pattern) -> Option<&'r Written> {
    rule.written.get(usize::from(pattern.number))
}

/// The number of a rule's first pattern; the others follow.
fn first_unit(scanner: &Scanner, index: RuleIndex) -> u32 {
    let first = scanner.program.units.partition_point(|unit| unit.rule < index);
    u32::try_from(first).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Lint, lint};
    use crate::scan::tests::scanner;

    /// Names of what is wrong with each rule (by number from 1), metadata aside.
    pub(super) fn found(short: &str) -> Vec<(usize, Lint)> {
        let findings = lint(&scanner(short), None).findings;
        let number = |id: &str| id.trim_start_matches("INJ-").parse().unwrap();
        let told =
            findings.iter().filter(|finding| finding.lint != Lint::Metadata && finding.lint != Lint::Unexercised);
        told.map(|finding| (number(&finding.rule), finding.lint)).collect()
    }

    #[test]
    fn well_made_rules_pass() {
        assert_eq!(found("- pattern: { regex: 'forget (all|the) rules' }\n- pattern: { literal: needle }\n"), []);
    }
}
