//! Two policies over the same texts: which verdicts differ, and by which rules.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::text::Direction;
use crate::verdict::{Action, Finding, Source, Verdict};

/// Findings that an example shows of each kind.
const SHOWN: usize = 8;

/// Reasons for a row that was not judged, and places named of each.
const PLACES: usize = 3;

/// Where a text comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Origin {
    /// The exchange's id, the row's own, or file and line.
    pub id: String,
    /// Which way it travelled.
    pub direction: Direction,
    /// What people say it is, where they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// What the two policies say about all texts so far.
#[derive(Debug, Default, Serialize)]
pub struct Comparison {
    /// Texts or messages that both policies judged.
    pub judged: u64,
    /// Of them, those whose verdict differs in action, score or rules.
    pub changed: u64,
    /// Of the changed, those that have another action.
    pub actions_changed: u64,
    /// From action to action, changed rows only.
    pub transitions: Vec<Transition>,
    /// Rules that find something in other rows than before, in order of their ids.
    pub rules: Vec<RuleChange>,
    /// Some changed rows.
    pub examples: Vec<Example>,
    /// Rows that could not be judged, by reason.
    pub not_replayed: Vec<NotReplayed>,
    /// Examples kept of each rule and of each transition.
    #[serde(skip)]
    kept: usize,
}

/// Rows that went from one action to another, or kept theirs and yet changed.
#[derive(Debug, Serialize)]
pub struct Transition {
    /// The action by the policy in force.
    pub from: Action,
    /// The action by the candidate.
    pub to: Action,
    /// How many.
    pub rows: u64,
    /// How many by label, where rows have labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, u64>,
}

/// What changed about one rule, counted in rows.
#[derive(Debug, Default, Serialize)]
pub struct RuleChange {
    /// The rule's id, or the model's label.
    pub rule: String,
    /// Rows in which only the candidate has a finding of it.
    pub new: u64,
    /// Rows in which only the policy in force has one.
    pub gone: u64,
    /// Rows in which both have one that demands another action or other points.
    pub other: u64,
    /// `new` by label, where rows have labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub new_labels: BTreeMap<String, u64>,
    /// `gone` by label.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gone_labels: BTreeMap<String, u64>,
}

/// A changed row.
#[derive(Debug, Serialize)]
pub struct Example {
    /// Which.
    #[serde(flatten)]
    pub origin: Origin,
    /// The action by the policy in force.
    pub from: Action,
    /// The action by the candidate.
    pub to: Action,
    /// Scores, in the same order.
    pub scores: [u32; 2],
    /// Findings of the candidate alone.
    pub new: Vec<Shown>,
    /// Findings of the policy in force alone.
    pub gone: Vec<Shown>,
}

/// A finding, as the record shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The rule's id, or the model's label.
    pub rule: String,
    /// What it demands by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Whether it acts, where it does not: `shadow`, `excepted` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<&'static str>,
    /// Where in the body (JSON Pointer).
    pub place: String,
    /// What matched, masked as in the record.
    pub excerpt: String,
}

/// Rows that were not judged for one reason.
#[derive(Debug, Serialize)]
pub struct NotReplayed {
    /// Why.
    pub reason: String,
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub places: Vec<String>,
}

impl Comparison {
    /// Of each rule and of each transition so many examples are kept.
    pub fn new(examples: usize) -> Self {
        Self { kept: examples, ..Self::default() }
    }

    /// Takes both verdicts on one text.
    pub fn add(&mut self, origin: Origin, current: &Verdict, candidate: &Verdict) {
        self.judged += 1;
        let (before, after) = (by_judge(current), by_judge(candidate));
        let same_score = current.score == candidate.score;
        if current.action == candidate.action && same_score && demands(&before) == demands(&after) {
            return;
        }
        self.changed += 1;
        self.actions_changed += u64::from(current.action != candidate.action);
        let label = origin.label.as_deref();
        let mut is_shown = self.transition(current.action, candidate.action, label) <= self.kept as u64;
        let kept = self.kept as u64;
        for name in after.keys().filter(|name| !before.contains_key(*name)) {
            let rule = self.rule(name);
            rule.new += 1;
            count(&mut rule.new_labels, label);
            is_shown |= rule.new <= kept;
        }
        for (name, found) in &before {
            match after.get(name) {
                None => {
                    let rule = self.rule(name);
                    rule.gone += 1;
                    count(&mut rule.gone_labels, label);
                    is_shown |= rule.gone <= kept;
                }
                Some(other) if demand(other) != demand(found) => {
                    let rule = self.rule(name);
                    rule.other += 1;
                    is_shown |= rule.other <= kept;
                }
                Some(_) => {}
            }
        }
        if is_shown && kept > 0 {
            let only = |these: &Judges<'_>, those: &Judges<'_>| {
                let differs =
                    |name: &&str, found: &&Finding| those.get(*name).map(|other| demand(other)) != Some(demand(found));
                these
                    .iter()
                    .filter(|(name, found)| differs(name, found))
                    .take(SHOWN)
                    .map(|(_, found)| shown(found))
                    .collect()
            };
            self.examples.push(Example {
                origin,
                from: current.action,
                to: candidate.action,
                scores: [current.score, candidate.score],
                new: only(&after, &before),
                gone: only(&before, &after),
            });
        }
    }

    /// Counts a row that cannot be judged.
    pub fn skip(&mut self, reason: &str, place: impl FnOnce() -> String) {
        let at = self.not_replayed.iter().position(|other| other.reason == reason);
        let at = at.unwrap_or_else(|| {
            self.not_replayed.push(NotReplayed { reason: reason.to_owned(), rows: 0, places: Vec::new() });
            self.not_replayed.len() - 1
        });
        if let Some(skipped) = self.not_replayed.get_mut(at) {
            skipped.rows += 1;
            if skipped.places.len() < PLACES {
                skipped.places.push(place());
            }
        }
    }

    /// Counts a transition and says how many there are now.
    fn transition(&mut self, from: Action, to: Action, label: Option<&str>) -> u64 {
        let at = self.transitions.binary_search_by_key(&(from, to), |one| (one.from, one.to));
        let at = at.unwrap_or_else(|at| {
            self.transitions.insert(at, Transition { from, to, rows: 0, labels: BTreeMap::new() });
            at
        });
        self.transitions.get_mut(at).map_or(0, |one| {
            one.rows += 1;
            count(&mut one.labels, label);
            one.rows
        })
    }

    fn rule(&mut self, name: &str) -> &mut RuleChange {
        let at = self.rules.binary_search_by(|one| one.rule.as_str().cmp(name));
        let at = at.unwrap_or_else(|at| {
            self.rules.insert(at, RuleChange { rule: name.to_owned(), ..RuleChange::default() });
            at
        });
        &mut self.rules[at]
    }
}

type Judges<'v> = BTreeMap<&'v str, &'v Finding>;

/// The strongest finding of each rule and model label.
fn by_judge(verdict: &Verdict) -> Judges<'_> {
    let mut judges = Judges::new();
    for finding in &verdict.findings {
        let strongest = judges.entry(finding.source.name()).or_insert(finding);
        if demand(finding) > demand(strongest) {
            *strongest = finding;
        }
    }
    judges
}

/// Action, points, and whether it acts.
type Demand = (Option<Action>, u32, &'static str);

/// What a finding comes to. Points of a model's finding are its severity's, so that they do not jitter with its probability.
fn demand(finding: &Finding) -> Demand {
    (finding.action, finding.points, finding.standing.name())
}

fn demands<'v>(judges: &Judges<'v>) -> Vec<(&'v str, Demand)> {
    judges.iter().map(|(name, finding)| (*name, demand(finding))).collect()
}

fn shown(finding: &Finding) -> Shown {
    let rule = match &finding.source {
        Source::Model { label } => format!("model:{label}"),
        Source::Rule { id } => id.clone(),
    };
    let standing = (!finding.standing.acts()).then(|| finding.standing.name());
    Shown { rule, action: finding.action, standing, place: finding.place.clone(), excerpt: finding.excerpt.clone() }
}

fn count(labels: &mut BTreeMap<String, u64>, label: Option<&str>) {
    if let Some(label) = label {
        *labels.entry(label.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Severity;

    fn verdict(action: Action, findings: Vec<Finding>) -> Verdict {
        Verdict { action, score: findings.iter().map(|finding| finding.points).sum(), findings }
    }

    fn origin(id: u64, label: Option<&str>) -> Origin {
        Origin { id: id.to_string(), direction: Direction::Request, label: label.map(str::to_owned) }
    }

    #[test]
    fn equal_verdicts_change_nothing() {
        let mut comparison = Comparison::new(3);
        let found = || {
            verdict(
                Action::Flag,
                vec![Finding::for_test("A-1", Severity::Low, None), Finding::for_test("A-1", Severity::Low, None)],
            )
        };
        let once = verdict(Action::Flag, vec![Finding::for_test("A-1", Severity::Low, None)]);
        comparison.add(origin(1, None), &found(), &found());
        comparison.add(origin(2, None), &Verdict { score: 2, ..found() }, &once);
        assert_eq!((comparison.judged, comparison.changed), (2, 0));
        assert!(comparison.rules.is_empty() && comparison.transitions.is_empty() && comparison.examples.is_empty());
    }

    #[test]
    fn rules_and_transitions_are_counted_by_row_and_label() {
        let mut comparison = Comparison::new(1);
        let allow = verdict(Action::Allow, Vec::new());
        let block = verdict(Action::Block, vec![Finding::for_test("A-1", Severity::High, Some(Action::Block))]);
        comparison.add(origin(1, Some("benign")), &allow, &block);
        comparison.add(origin(2, Some("attack")), &allow, &block);
        comparison.add(origin(3, None), &block, &allow);
        // The same action and rule, other points: changed, and yet no new finding.
        let rescored = verdict(Action::Block, vec![Finding::for_test("A-1", Severity::Low, Some(Action::Block))]);
        comparison.add(origin(4, None), &block, &rescored);
        assert_eq!((comparison.judged, comparison.changed, comparison.actions_changed), (4, 4, 3));
        let transitions: Vec<_> = comparison.transitions.iter().map(|one| (one.from, one.to, one.rows)).collect();
        let expected =
            [(Action::Allow, Action::Block, 2), (Action::Block, Action::Allow, 1), (Action::Block, Action::Block, 1)];
        assert_eq!(transitions, expected);
        let rule = &comparison.rules[0];
        assert_eq!((rule.rule.as_str(), rule.new, rule.gone, rule.other), ("A-1", 2, 1, 1));
        assert_eq!(rule.new_labels, BTreeMap::from([("attack".to_owned(), 1), ("benign".to_owned(), 1)]));
        let ids: Vec<_> = comparison.examples.iter().map(|example| example.origin.id.as_str()).collect();
        assert_eq!(ids, ["1", "3", "4"], "one of each kind");
        assert_eq!(comparison.examples[0].new[0].excerpt, "a-1");
    }

    #[test]
    fn what_is_left_out_is_counted_with_its_reason() {
        let mut comparison = Comparison::new(1);
        for row in 0..5 {
            comparison.skip("no text", || row.to_string());
        }
        comparison.skip("broken", || "x".to_owned());
        assert_eq!(comparison.not_replayed[0].rows, 5);
        assert_eq!(comparison.not_replayed[0].places, ["0", "1", "2"]);
        assert_eq!(comparison.not_replayed[1].reason, "broken");
    }
}
