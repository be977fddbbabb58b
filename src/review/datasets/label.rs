//! What a disposition says of each passage of an incident.

use std::collections::{BTreeMap, BTreeSet};

use super::row::{Kind, Label};
use crate::audit::{Disposition, FindingRecord, Judge, VerdictRecord};
use crate::base::Span;
use crate::rules::{Family, RuleSet};
use crate::text::{Direction, Trust};

/// What a passage is, by what was found in it and what a reviewer said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Labelled {
    pub(super) label: Label,
    pub(super) kind: Kind,
    /// Bytes of its text in which something was found.
    pub(super) span: Span,
}

/// Why a passage in which something was found gives no row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unlabelled {
    /// What was found is not what the classifier is to tell: a card number, a key.
    OtherFamily,
    /// It was found by rules that are not there any more: of which family is not known.
    RuleUnknown,
    /// Other passages of the message are what was acted upon.
    Minor,
}

/// The passages in which something acted, by their places.
pub(super) fn passages<'v>(
    verdict: &'v VerdictRecord,
    direction: Direction,
    disposition: Disposition,
    rules: &RuleSet,
) -> BTreeMap<&'v str, Result<Labelled, Unlabelled>> {
    let mut places: BTreeMap<&str, Vec<&FindingRecord>> = BTreeMap::new();
    for finding in verdict.findings.iter().filter(|finding| finding.standing == "acts") {
        places.entry(&finding.place).or_default().push(finding);
    }
    let is_attack = disposition != Disposition::FalsePositive;
    let decided = |findings: &[&FindingRecord]| {
        let mut counted = BTreeSet::new();
        let points: u32 = findings.iter().filter(|one| counted.insert(&one.id)).map(|one| one.points).sum();
        (points > 0 && points >= verdict.score) || findings.iter().any(|one| one.action == Some(verdict.action))
    };
    let any_decided = places.values().any(|findings| decided(findings));
    let say = |findings: &[&FindingRecord]| {
        // The reviewer spoke of the message: that it is an attack need not hold of what was seen in passing.
        if is_attack && any_decided && !decided(findings) {
            return Err(Unlabelled::Minor);
        }
        passage(findings, direction, is_attack, rules)
    };
    places.iter().map(|(place, findings)| (*place, say(findings))).collect()
}

fn passage(
    findings: &[&FindingRecord],
    direction: Direction,
    is_attack: bool,
    rules: &RuleSet,
) -> Result<Labelled, Unlabelled> {
    let mut classes: BTreeMap<Label, u32> = BTreeMap::new();
    let mut span: Option<Span> = None;
    let mut unknown = false;
    for finding in findings {
        match class(finding, direction, rules) {
            Some(Some(label)) => {
                let most = classes.entry(label).or_default();
                *most = (*most).max(finding.severity.points());
                let found = finding.span;
                span = Some(span.map_or(found, |hull| Span::new(hull.start.min(found.start), hull.end.max(found.end))));
            }
            Some(None) => {}
            None => unknown = true,
        }
    }
    // Of two that are equally bad the takeover is the one to name.
    let worst = classes.iter().max_by_key(|(label, points)| (**points, **label == Label::Injection));
    let Some((label, span)) = worst.map(|(label, _)| *label).zip(span) else {
        return Err(if unknown { Unlabelled::RuleUnknown } else { Unlabelled::OtherFamily });
    };
    let is_brought = findings.iter().any(|finding| finding.trust == Trust::Untrusted);
    let (label, kind) = match (is_attack, is_brought) {
        (false, _) => (Label::Benign, Kind::HardNegative),
        (true, true) => (label, Kind::Indirect),
        (true, false) => (label, Kind::Direct),
    };
    Ok(Labelled { label, kind, span })
}

/// The classifier's class of a finding. The inner `None`: none of them. The outer: nobody knows.
fn class(finding: &FindingRecord, direction: Direction, rules: &RuleSet) -> Option<Option<Label>> {
    match finding.judge {
        Judge::Model => Some(Label::parse(&finding.id).filter(|label| *label != Label::Benign)),
        // What rules see in replies is what got out, not what asked for it.
        Judge::Rule if direction == Direction::Reply => Some(None),
        Judge::Rule => rules.by_id(&finding.id).map(|(_, rule)| of_family(rule.family)),
    }
}

/// The class that a family of rules looks for.
pub(super) fn of_family(family: Family) -> Option<Label> {
    match family {
        Family::Agent | Family::Injection | Family::Invisible | Family::Jailbreak => Some(Label::Injection),
        Family::Extraction | Family::Leak => Some(Label::Extraction),
        Family::Markup | Family::Output | Family::Pii | Family::Secrets => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules;

    fn rule_set() -> RuleSet {
        let folder = tempfile::tempdir().unwrap();
        for (family, id) in [("injection", "INJ-901"), ("leak", "LEAK-901"), ("secrets", "SEC-901")] {
            let inside = folder.path().join(family);
            std::fs::create_dir_all(&inside).unwrap();
            let rule = format!(
                "family: {family}\nrules:\n  - id: {id}\n    title: A test\n    severity: high\n    tags: [owasp:LLM01:2025]\n    \
                 applies: {{ direction: both }}\n    patterns: [{{ literal: some words here }}]\n    action: score\n    examples:\n      \
                 match: [some words here, and some words here]\n      pass: [none of it, some other words]\n"
            );
            std::fs::write(inside.join("test.yaml"), rule).unwrap();
        }
        rules::load(&[folder.path().to_owned()]).unwrap().set
    }

    fn finding(judge: &str, id: &str, place: &str, points: u32, span: [usize; 2]) -> serde_json::Value {
        json!({
            "judge": judge, "id": id, "title": "", "severity": "high", "points": points, "place": place, "role": "user",
            "trust": if place.contains("tool") { "untrusted" } else { "user" }, "layer": "raw",
            "span": { "start": span[0], "end": span[1] }, "excerpt": "",
        })
    }

    fn verdict(findings: Vec<serde_json::Value>) -> VerdictRecord {
        let score = findings.iter().map(|one| one["points"].as_u64().unwrap()).max();
        serde_json::from_value(json!({ "action": "block", "score": score, "findings": findings })).unwrap()
    }

    #[test]
    fn each_passage_is_said_to_be_what_was_found_in_it() {
        let set = rule_set();
        let verdict = verdict(vec![
            finding("rule", "INJ-901", "/0", 8, [10, 20]),
            finding("model", "extraction", "/0", 0, [2, 12]),
            finding("rule", "LEAK-901", "/tool", 8, [0, 4]),
            finding("rule", "SEC-901", "/2", 8, [0, 4]),
            finding("rule", "INJ-999", "/3", 8, [0, 4]),
            finding("rule", "INJ-901", "/4", 2, [0, 4]),
        ]);
        let said = passages(&verdict, Direction::Request, Disposition::TruePositive, &set);
        let row = |label, kind, start, end| Ok(Labelled { label, kind, span: Span::new(start, end) });
        assert_eq!(said["/0"], row(Label::Injection, Kind::Direct, 2, 20));
        assert_eq!(said["/tool"], row(Label::Extraction, Kind::Indirect, 0, 4));
        assert_eq!(said["/2"], Err(Unlabelled::OtherFamily));
        assert_eq!(said["/3"], Err(Unlabelled::RuleUnknown));
        assert_eq!(said["/4"], Err(Unlabelled::Minor));
        // Whoever says that it was none speaks of all of it.
        let said = passages(&verdict, Direction::Request, Disposition::FalsePositive, &set);
        assert_eq!(said["/4"], row(Label::Benign, Kind::HardNegative, 0, 4));
        assert_eq!(said["/tool"], row(Label::Benign, Kind::HardNegative, 0, 4));
        assert_eq!(said["/2"], Err(Unlabelled::OtherFamily));
        // Of a reply the model alone says something about the classes.
        let said = passages(&verdict, Direction::Reply, Disposition::AcceptedRisk, &set);
        assert_eq!(said["/0"].as_ref().unwrap().label, Label::Extraction);
        assert_eq!(said["/tool"], Err(Unlabelled::OtherFamily));
    }

    #[test]
    fn what_did_not_act_says_nothing() {
        let mut one = finding("rule", "INJ-901", "/0", 0, [0, 4]);
        one["standing"] = "shadow".into();
        assert!(passages(&verdict(vec![one]), Direction::Request, Disposition::TruePositive, &rule_set()).is_empty());
    }
}
