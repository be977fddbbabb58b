//! What a rule says of itself.

use super::{Finding, Lint, add};
use crate::rules::Rule;

pub(super) fn metadata(rule: &Rule, out: &mut Vec<Finding>) {
    const TITLE_MIN: usize = 10;
    let missing = [
        (rule.references.is_empty(), "no references", "say where the format or the attack is described"),
        (
            rule.description.trim().is_empty(),
            "no description",
            "say what it finds, why that is bad, and what it misses",
        ),
        (rule.title.chars().count() < TITLE_MIN, "a title of a word or two", "say in one line what it finds"),
    ];
    for (is_missing, what, help) in missing {
        if is_missing {
            add(out, rule, None, Lint::Metadata, format!("the rule has {what}"), help);
        }
    }
}
