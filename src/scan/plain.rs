//! Searching without the literal pass and the gate: every pattern over the whole text, one after another.
//!
//! Slow, and simple enough to be believed: what [`super::whole`] finds must be the same. `rules test` holds one against the
//! other, and `explain` asks it for matches that a validator turned away.

use super::Match;
use super::confirm::{self, Found, Window};
use super::program::{Kind, Program, Unit, Wanted};
use super::scratch::Scratch;
use super::whole;
use crate::base::Span;
use crate::base::limits::rules as limits;
use crate::rules::{RuleIndex, Validator};

/// A match of a pattern that a validator turned away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NearMiss {
    /// The rule that would have matched.
    pub rule: RuleIndex,
    /// Bytes of the text that was given.
    pub span: Span,
    /// The first of its validators that did not accept it.
    pub validator: Validator,
}

/// Appends the matches of the wanted units, of one rule alone where `only` names it, as [`whole::scan`] does.
pub(super) fn scan(
    program: &Program,
    text: &str,
    wanted: &Wanted,
    only: Option<RuleIndex>,
    scratch: &mut Scratch,
    out: &mut Vec<Match>,
) {
    scratch.fit(program);
    let before = out.len();
    for (number, unit) in units(program, wanted, only) {
        search(number, unit, text, scratch, |unit, found, end| {
            let span = Span::new(found.finding.start, end.unwrap_or(found.finding.end));
            out.push(Match { rule: unit.rule, pattern: unit.pattern, span });
        });
    }
    whole::tidy(before, out);
}

/// Appends the matches that validators turn away, in the order of the rules, the first few of each pattern.
pub(super) fn near_misses(
    program: &Program,
    text: &str,
    wanted: &Wanted,
    scratch: &mut Scratch,
    out: &mut Vec<NearMiss>,
) {
    scratch.fit(program);
    for (number, unit) in units(program, wanted, None).filter(|(_, unit)| !unit.validators.is_empty()) {
        let (mut at, mut listed) = (0, 0);
        while at <= text.len() && listed < NEAR_MISSES {
            let window = Window { first: at, last: text.len() };
            let Some(found) = confirm::find(number, unit, text, window, &mut scratch.regexes) else { break };
            let finding = text.get(found.finding.range()).unwrap_or_default();
            let against = unit.validators.iter().copied().find(|validator| !validator.accepts(finding));
            if let Some(validator) = against {
                listed += 1;
                out.push(NearMiss { rule: unit.rule, span: found.finding, validator });
            }
            // A look for people: matches inside one that was turned away say nothing new.
            at = found.whole.end.max(at + 1);
        }
    }
}

/// True when the numbered pattern of a rule matches somewhere in the text and its validators accept that.
pub(super) fn finds(program: &Program, unit: u32, text: &str, scratch: &mut Scratch) -> bool {
    scratch.fit(program);
    let mut any = false;
    if let Some(it) = program.unit(unit) {
        search(unit, it, text, scratch, |_, _, _| any = true);
    }
    any
}

/// Matches of one pattern that [`near_misses`] lists.
const NEAR_MISSES: usize = 4;

fn units<'p>(
    program: &'p Program,
    wanted: &'p Wanted,
    only: Option<RuleIndex>,
) -> impl Iterator<Item = (u32, &'p Unit)> {
    let all = (0u32..).zip(program.units.iter());
    all.filter(move |(_, unit)| only.is_none_or(|rule| unit.rule == rule) && unit.is_wanted(wanted))
}

/// Tells of every match of a unit, and of the end of the last where the rest of the text counts as part of it.
fn search(
    number: u32,
    unit: &Unit,
    text: &str,
    scratch: &mut Scratch,
    mut hit: impl FnMut(&Unit, Found, Option<usize>),
) {
    let (mut at, mut listed) = (0, 0);
    while at <= text.len() && (unit.lists_all || listed < limits::MATCHES) {
        let last = match unit.kind {
            // A literal is looked at in one place.
            Kind::Literal { .. } => at,
            Kind::Regex { .. } => text.len(),
        };
        let Some(found) = confirm::find(number, unit, text, Window { first: at, last }, &mut scratch.regexes) else {
            if last == text.len() {
                break;
            }
            at += 1;
            continue;
        };
        let accepted = text.get(found.finding.range()).is_some_and(|finding| unit.accepts(finding));
        at = confirm::next_cursor(unit, found, accepted, text);
        if accepted {
            listed += 1;
            let is_last = listed >= limits::MATCHES && unit.is_unbounded();
            hit(unit, found, is_last.then_some(text.len()));
            if is_last {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::base::limits::rules::MATCHES;
    use crate::rules::Validator;
    use crate::scan::tests::scanner;
    use crate::scan::{Context, Match, Reading};
    use crate::text::{Direction, Role};

    const CONTEXT: Context = Context { direction: Direction::Request, role: Role::User };

    #[test]
    fn finds_what_the_literal_pass_finds() {
        let scanner = scanner(
            r"
- pattern: { literal: needle, word: true }
- pattern: { regex: 'ne{1,9}dle[0-9]{0,3}' }
action: redact
mask: '[x]'
- pattern: { regex: '[a-c]{2,5}x' }
- pattern: { regex: 'thread.*' }
stream: block_end
",
        );
        let many = "needle1 ".repeat(MATCHES + 3);
        let mut scratch = scanner.scratch();
        for text in ["", "needle", "a needle neeedle12 abcabcx", "needles thread\nthread needle", "aaax bx ccx", &many]
        {
            let (mut fast, mut plain) = (Vec::new(), Vec::new());
            scanner.scan(text, Reading::Both, CONTEXT, &mut scratch, &mut fast);
            scanner.scan_plainly(text, Reading::Both, CONTEXT, None, &mut scratch, &mut plain);
            assert_eq!(fast, plain, "{text}");
            for (index, _) in scanner.rules().iter() {
                let mut one = Vec::new();
                scanner.scan_plainly(text, Reading::Both, CONTEXT, Some(index), &mut scratch, &mut one);
                let expected: BTreeSet<Match> = plain.iter().filter(|found| found.rule == index).copied().collect();
                assert_eq!(one.into_iter().collect::<BTreeSet<_>>(), expected, "{text}");
            }
        }
    }

    #[test]
    fn near_misses_name_the_validator() {
        let scanner = scanner(
            r"
- pattern: { regex: '\b\d{16}\b' }
validators: [luhn]
",
        );
        let mut out = Vec::new();
        let text = "4111111111111111 and 4111111111111112";
        scanner.near_misses(text, Reading::Both, CONTEXT, &mut scanner.scratch(), &mut out);
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].validator, Validator::Luhn);
        assert_eq!(&text[out[0].span.range()], "4111111111111112");
    }
}
