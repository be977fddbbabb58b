//! `condition`: parsed and checked against the rule's patterns.

use super::super::condition::{Checked, Condition, check, parse};
use super::super::set::Written;
use super::super::source::Text;
use crate::yaml::diagnostic::Reporter;

/// `None`: there is a problem (reported), or the condition says what a rule without one says.
pub(super) fn condition(
    written: &Text,
    patterns: &[Written],
    flows: bool,
    report: &mut Reporter<'_>,
) -> Option<Condition> {
    let Text { place, value: text } = written;
    let names: Vec<Option<&str>> = patterns.iter().map(|pattern| pattern.name.as_deref()).collect();
    let expression = match parse(text, &names) {
        Ok(expression) => expression,
        Err(problem) => {
            let place = report.inside(*place, problem.before);
            report.error("R025", place, problem.message, problem.help);
            return None;
        }
    };
    match check(text, expression, patterns.len()) {
        Checked::Any => None,
        Checked::Condition(condition) => {
            if flows {
                let help = "write `stream: block_end`: only a whole text can tell which of its patterns match";
                report.error("R017", *place, "a condition cannot judge a stream while it flows", help);
            }
            Some(condition)
        }
        Checked::Impossible => {
            let help = "look for a part and its opposite, or for a number of matches that contradicts another";
            report.error("R026", *place, "the condition can never hold", help);
            None
        }
        Checked::OfNothing => {
            let help = "let it need at least one of the patterns: `a and not b`, `a and score.injection > 0.7`";
            report.error(
                "R026",
                *place,
                "the condition can hold where no pattern matches: there is nothing to find",
                help,
            );
            None
        }
        Checked::Unused(numbers) => {
            for number in numbers {
                let Some(pattern) = patterns.get(usize::from(number)) else { continue };
                let message = match &pattern.name {
                    Some(name) => format!("the condition does not use the pattern `{name}`"),
                    None => format!("the condition cannot use pattern {}, which has no name", number + 1),
                };
                let help = "give each pattern a name and use it, write `them` for all, or delete the pattern";
                report.error("R026", *place, message, help);
            }
            None
        }
    }
}
