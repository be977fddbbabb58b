//! Whether a rule's own examples exercise its patterns.

use super::{Finding, Lint, add};
use crate::base::Limits;
use crate::rules::{Example, Rule, Target};
use crate::scan::scratch::Scratch;
use crate::scan::{Scanner, plain};
use crate::text::{canonical, layers};

/// Of each pattern as written, one of those that it makes must find something in the examples.
pub(super) fn exercised(scanner: &Scanner, rule: &Rule, first: u32, scratch: &mut Scratch, out: &mut Vec<Finding>) {
    // A pattern of a condition may be there to keep a text from being found.
    let examples = rule.examples.iter().filter(|example| example.is_match || rule.condition.is_some());
    let readings: Vec<(String, String)> = examples.flat_map(|example| as_read(rule, example)).collect();
    for (number, written) in rule.written.iter().enumerate() {
        let mut units = (first..).zip(&rule.patterns).filter(|(_, pattern)| usize::from(pattern.number) == number);
        let found = units.any(|(unit, pattern)| {
            readings.iter().any(|(raw, folded)| {
                let text = if pattern.target == Target::Raw { raw } else { folded };
                plain::finds(&scanner.program, unit, text, scratch)
            })
        });
        if !found {
            let message = "no example under `match` is found by this pattern".to_owned();
            let help = "add a text that it must find, or remove it";
            add(out, rule, Some(written), Lint::Unexercised, message, help);
        }
    }
}

/// An example and what it decodes to, raw and canonical.
fn as_read(rule: &Rule, example: &Example) -> Vec<(String, String)> {
    let undone = layers(&example.text, &Limits::default()).layers.into_iter();
    let undone = undone.filter(|layer| rule.reads(&layer.encodings)).map(|layer| layer.text);
    let texts = std::iter::once(example.text.clone()).chain(undone);
    texts.map(|text| (text.clone(), canonical(&text).text.into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use crate::scan::lint::{Lint, lint};
    use crate::scan::tests::scanner;

    #[test]
    fn patterns_without_an_example_are_named() {
        let rules = "
- pattern: { literal: needle }, { literal: thread }
match: [a needle, needle]
pass: [nothing, none]
";
        let findings = lint(&scanner(rules), None).findings;
        let unexercised: Vec<_> = findings.iter().filter(|finding| finding.lint == Lint::Unexercised).collect();
        assert_eq!(unexercised.len(), 1);
        assert_eq!(unexercised[0].pattern.as_deref(), Some("thread"));
        assert!(findings.iter().any(|finding| finding.lint == Lint::Metadata));
    }
}
