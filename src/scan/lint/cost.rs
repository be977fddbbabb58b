//! What a pattern costs: time on every text, and how long it holds a stream back.

use super::{Finding, Lint, add, written};
use crate::rules::Rule;
use crate::rules::set::Pattern;
use crate::text::Role;

/// Bytes that a stream pattern may hold back before its literal is seen.
const HOLD_MAX: usize = 256;

pub(super) fn cost(rule: &Rule, pattern: &Pattern, out: &mut Vec<Finding>) {
    let written = written(rule, pattern);
    match &pattern.required {
        None => {
            let message = "no literal is in every match: each text is searched for it from end to end".to_owned();
            let help = "give the regex a text of 3 bytes or more that every match has";
            add(out, rule, written, Lint::NoLiteral, message, help);
        }
        Some(required) if required.is_expensive() => {
            let message = format!(
                "looking for its {} literal(s), the shortest of {} bytes, costs about {:.2} ns per byte of ordinary text",
                required.literals.len(),
                required.shortest(),
                required.cost()
            );
            let help = "let every match have a rarer or longer text, near its beginning";
            add(out, rule, written, Lint::Expensive, message, help);
        }
        Some(_) => {}
    }
    if pattern.length_max.is_none() {
        let message = "its matches have no longest: one may take in the rest of the text".to_owned();
        add(out, rule, written, Lint::Unbounded, message, "bound every repeat: `{1,64}` for `+`");
    }
    // Arguments of calls are held until the call is whole.
    let flows = rule.roles.iter().any(|role| role != Role::ToolArguments);
    if rule.on_reply && !rule.block_end && flows {
        let before = pattern.required.as_ref().map_or(pattern.length_max, |required| required.before_max);
        if let Some(before) = before.filter(|before| *before > HOLD_MAX) {
            let message = format!("a stream may be held for {before} bytes before it is seen whether this matches");
            let help = "begin with what is rare, bound the beginning, or write `stream: block_end`";
            add(out, rule, written, Lint::HoldsLong, message, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scan::lint::Lint;
    use crate::scan::lint::tests::found;

    #[test]
    fn slow_patterns_are_named() {
        let rules = r"
- pattern: { regex: '[a-z][0-9][a-z]' }
- pattern: { regex: 'needle.+' }
stream: block_end
- pattern: { regex: '[a-z0-9 ]{300,400}needle' }
- pattern: { regex: '[a-z0-9 ]{300,400}needles' }
applies: { direction: both, roles: [tool_arguments] }
";
        assert_eq!(found(rules), [(1, Lint::NoLiteral), (2, Lint::Unbounded), (3, Lint::HoldsLong)]);
    }
}
