//! Rules that find each other's examples.

use std::collections::BTreeMap;

use super::{Finding, Lint, add};
use crate::base::Span;
use crate::rules::{Example, Rule, RuleIndex, Target};
use crate::scan::scratch::Scratch;
use crate::scan::{Context, Reading, Scanner};
use crate::text::{Direction, Role, canonical};

/// Rules that find a rule's examples in the same places, and how many of them, and how many there are.
pub(super) type Covered = (RuleIndex, usize, BTreeMap<RuleIndex, usize>);

pub(super) fn covered(scanner: &Scanner, index: RuleIndex, rule: &Rule, scratch: &mut Scratch) -> Covered {
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

pub(super) fn overlapping(scanner: &Scanner, covers: &[Covered], out: &mut Vec<Finding>) {
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

#[cfg(test)]
mod tests {
    use crate::scan::lint::Lint;
    use crate::scan::lint::tests::found;

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
}
