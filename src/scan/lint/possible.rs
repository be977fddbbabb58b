//! What can never match, and rules that never see a text.

use regex_syntax::hir::{Class, Hir, HirKind};
use unicode_normalization::char::is_combining_mark;

use super::{Finding, Lint, add, written};
use crate::rules::set::Pattern;
use crate::rules::{PatternKind, Rule, Target};
use crate::text::{Role, fold_char};

/// Roles that a reply's passages have.
const REPLY_ROLES: [Role; 3] = [Role::Assistant, Role::ToolArguments, Role::Unknown];

pub(super) fn applies(rule: &Rule, out: &mut Vec<Finding>) {
    let in_reply = rule.on_reply && REPLY_ROLES.iter().any(|role| rule.roles.contains(*role));
    if rule.on_request || in_reply {
        return;
    }
    let message = "it judges replies, and no passage of a reply has one of its roles".to_owned();
    let help = "a reply has the roles `assistant`, `tool_arguments` and `unknown`";
    add(out, rule, None, Lint::NeverApplies, message, help);
}

/// Canonical text has no invisible characters, no combining marks and no look-alikes: a pattern that needs one finds nothing.
pub(super) fn possible(rule: &Rule, pattern: &Pattern, out: &mut Vec<Finding>) {
    if pattern.target != Target::Canonical {
        return;
    }
    let written = written(rule, pattern);
    let text = written.map_or("", |written| written.text.as_str());
    if !can_match(&pattern.hir()) {
        let message = "canonical text never has what it looks for: such characters are folded away".to_owned();
        add(out, rule, written, Lint::Impossible, message, "write `on: raw` to judge the text as it was sent");
        return;
    }
    let dropped = match written.map(|written| written.kind) {
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

#[cfg(test)]
mod tests {
    use crate::scan::lint::Lint;
    use crate::scan::lint::tests::found;

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
}
