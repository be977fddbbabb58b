//! Patterns and rules that find nothing of their own.

use super::{Finding, Lint, add, first_unit, written};
use crate::rules::set::Pattern;
use crate::rules::{Mode, Rule, RuleIndex};
use crate::scan::scratch::Scratch;
use crate::scan::{Context, Reading, Scanner, plain};
use crate::text::Direction;
use crate::verdict::Action;

/// Patterns of one rule that are compared with each other: a list may have a hundred thousand.
const COMPARED_MAX: usize = 256;

/// Literals of a rule that another pattern of the same rule makes superfluous.
pub(super) fn within(scanner: &Scanner, rule: &Rule, first: u32, scratch: &mut Scratch, out: &mut Vec<Finding>) {
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
            let finder = written(rule, finder).map_or("", |written| written.text.as_str());
            let message = format!("whatever it finds, `{finder}` of the same rule finds too");
            add(out, rule, written(rule, pattern), Lint::Unreachable, message, "remove it");
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
pub(super) fn reached(scanner: &Scanner, index: RuleIndex, rule: &Rule, scratch: &mut Scratch, out: &mut Vec<Finding>) {
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

#[cfg(test)]
mod tests {
    use crate::scan::lint::Lint;
    use crate::scan::lint::tests::found;

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
}
