//! What a condition must not be: idle, impossible, or true of texts in which nothing was found.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compare, Condition, Counts, Expression, Label, Scores, Truth};

/// Cases that are tried at most to see whether a condition can hold; with more of them, nothing is said.
const CASES_MAX: usize = 20_000;

/// A condition, or what is wrong with it.
#[derive(Debug)]
pub(in crate::rules) enum Checked {
    /// Any pattern does: what a rule without a condition says.
    Any,
    Condition(Condition),
    /// It can never hold.
    Impossible,
    /// It holds where no pattern matches.
    OfNothing,
    /// These patterns have no say.
    Unused(Vec<u16>),
}

/// Checks a condition over so many patterns.
pub(in crate::rules) fn check(written: &str, expression: Expression, patterns: usize) -> Checked {
    let mut named = Named::default();
    named.walk(&expression, false);
    let all = 0..u16::try_from(patterns).unwrap_or(u16::MAX);
    let unused: Vec<u16> = all.filter(|pattern| !named.patterns.contains_key(pattern)).collect();
    if !unused.is_empty() {
        return Checked::Unused(unused);
    }
    if matches!(&expression, Expression::Least(1, of) if of.len() == patterns) {
        return Checked::Any;
    }
    if can_hold(&expression, &named) == Some(false) {
        return Checked::Impossible;
    }
    if expression.truth(&Counts::default(), None) != Truth::False {
        return Checked::OfNothing;
    }
    Checked::Condition(Condition {
        written: written.trim().to_owned(),
        expression,
        positive: named.positive.into_iter().collect(),
        asks_scores: !named.scores.is_empty(),
    })
}

/// What a condition names.
#[derive(Debug, Default)]
struct Named {
    /// Patterns, with the numbers that their counts are held against.
    patterns: BTreeMap<u16, BTreeSet<u32>>,
    positive: BTreeSet<u16>,
    scores: BTreeMap<Label, Vec<f32>>,
}

impl Named {
    fn walk(&mut self, expression: &Expression, is_negated: bool) {
        match expression {
            Expression::All(parts) | Expression::Any(parts) => {
                parts.iter().for_each(|part| self.walk(part, is_negated))
            }
            Expression::Count(pattern, compare, than) => {
                self.patterns.entry(*pattern).or_default().insert(*than);
                // Whether more matches make it true or false.
                let wants_more = compare.holds(&u32::MAX, than) || (*compare == Compare::Equal && *than > 0);
                self.name(*pattern, wants_more == is_negated);
            }
            Expression::Least(_, patterns) => {
                for pattern in patterns {
                    self.patterns.entry(*pattern).or_default();
                    self.name(*pattern, is_negated);
                }
            }
            Expression::Not(inner) => self.walk(inner, !is_negated),
            Expression::Score(label, _, than) => self.scores.entry(*label).or_default().push(*than),
        }
    }

    fn name(&mut self, pattern: u16, is_negated: bool) {
        if !is_negated {
            self.positive.insert(pattern);
        }
    }
}

/// Tries every case that can make a difference; `None`: there are too many.
fn can_hold(expression: &Expression, named: &Named) -> Option<bool> {
    let counts: Vec<(u16, Vec<u32>)> = named
        .patterns
        .iter()
        .map(|(pattern, against)| {
            let around = against.iter().flat_map(|than| [than.saturating_sub(1), *than, than.saturating_add(1)]);
            (*pattern, around.chain([0, 1]).collect::<BTreeSet<u32>>().into_iter().collect())
        })
        .collect();
    let scores: Vec<(Label, Vec<Option<f32>>)> = named
        .scores
        .iter()
        .map(|(label, against)| {
            let around = against.iter().flat_map(|than| [*than, (than - STEP).max(0.0), (than + STEP).min(1.0)]);
            (*label, around.map(Some).chain([None]).collect())
        })
        .collect();
    let cases = counts.iter().map(|(_, values)| values.len()).chain(scores.iter().map(|(_, values)| values.len()));
    let cases = cases.fold(1, usize::saturating_mul);
    if cases > CASES_MAX {
        return None;
    }
    Some((0..cases).any(|mut case| {
        let (mut counted, mut scored) = (Counts::default(), Scores::default());
        for (pattern, values) in &counts {
            counted.0.insert(*pattern, values.get(case % values.len()).copied().unwrap_or(0));
            case /= values.len();
        }
        for (label, values) in &scores {
            if let Some(score) = values.get(case % values.len()).copied().flatten() {
                scored.set(*label, score);
            }
            case /= values.len();
        }
        expression.truth(&counted, Some(&scored)) == Truth::True
    }))
}

/// Far less than any two scores that a person would tell apart.
const STEP: f32 = 1e-4;
