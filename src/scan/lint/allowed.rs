//! Findings that their rules allow, and allowances that nothing is found for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Lint, add};
use crate::rules::RuleSet;

/// Takes out and gives what rules allow, and adds what they allow for nothing.
///
/// `has_benign`: whether benign texts were looked at, without which nobody can be too broad.
pub(super) fn allowed(rules: &RuleSet, findings: &mut Vec<Finding>, has_benign: bool) -> Vec<Finding> {
    let allowing = || rules.iter().filter_map(|(_, rule)| Some((rule, rule.lint.as_ref()?)));
    let by_id: BTreeMap<&str, &[Lint]> =
        allowing().map(|(rule, lint)| (rule.id.as_str(), lint.allow.as_slice())).collect();
    let (taken, left): (Vec<Finding>, Vec<Finding>) = std::mem::take(findings)
        .into_iter()
        .partition(|one| by_id.get(one.rule.as_str()).is_some_and(|allow| allow.contains(&one.lint)));
    *findings = left;
    let used: BTreeSet<(&str, Lint)> = taken.iter().map(|finding| (finding.rule.as_str(), finding.lint)).collect();
    for (rule, lint) in allowing() {
        for allowed in &lint.allow {
            let is_used = used.contains(&(rule.id.as_str(), *allowed)) || (*allowed == Lint::TooBroad && !has_benign);
            if !is_used {
                let message = format!("it allows `{}`, and nothing of that name is found", allowed.name());
                add(findings, rule, None, Lint::UnusedAllow, message, "take the name out of `lint`");
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use crate::scan::lint::{Benign, Lint, lint};
    use crate::scan::tests::scanner;

    const SLOW: &str = "- pattern: { regex: '[a-z][0-9][a-z]' }\n";

    fn found(rules: &str, benign: Option<&Benign>) -> (Vec<Lint>, Vec<Lint>) {
        let linted = lint(&scanner(rules), benign);
        let findings = linted.findings.iter().map(|finding| finding.lint);
        let findings = findings.filter(|lint| ![Lint::Metadata, Lint::Unexercised].contains(lint)).collect();
        (findings, linted.allowed.iter().map(|finding| finding.lint).collect())
    }

    #[test]
    fn what_is_allowed_with_a_reason_is_counted_and_not_told_of() {
        assert_eq!(found(SLOW, None), (vec![Lint::NoLiteral], vec![]));
        let allowed = format!("{SLOW}lint: {{ allow: [no-literal, metadata], because: there is none }}\n");
        assert_eq!(
            found(&allowed, None),
            (vec![], vec![Lint::NoLiteral, Lint::Metadata, Lint::Metadata, Lint::Metadata])
        );
        let of_another =
            format!("{SLOW}- pattern: {{ literal: needle }}\nlint: {{ allow: [no-literal], because: x }}\n");
        assert_eq!(
            found(&of_another, None).0,
            [Lint::NoLiteral, Lint::UnusedAllow],
            "another rule's reason is its own"
        );
    }

    #[test]
    fn what_is_allowed_for_nothing_is_told_of() {
        let unused = "- pattern: { literal: needle }\nlint: { allow: [no-literal, too-broad], because: it was slow }\n";
        assert_eq!(found(unused, None).0, [Lint::UnusedAllow], "without texts nobody is too broad");
        let benign = Benign { texts: 1000, share_max: 0.001, ..Benign::default() };
        assert_eq!(found(unused, Some(&benign)).0, [Lint::UnusedAllow, Lint::UnusedAllow]);
    }
}
