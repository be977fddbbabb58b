//! Texts that rules must leave alone, from the rules' own examples: what real texts have of the words that attacks are made of.

use std::path::Path;
use std::sync::Arc;

use portcullis::rules::load;
use portcullis::scan::{Context, Reading, Scanner};
use portcullis::text::{Direction, Role, canonical};

/// Longer examples are documents of their own.
const BYTES_MAX: usize = 400;

/// As what a text is read to be sure that no rule finds anything in it.
const CONTEXTS: [Context; 2] = [
    Context { direction: Direction::Request, role: Role::Unknown },
    Context { direction: Direction::Reply, role: Role::Assistant },
];

/// Examples in English, and those in other scripts and with other letters; none of them a match of any rule.
pub fn examples(root: &Path) -> (Vec<String>, Vec<String>) {
    let Some(scanner) = load(&[root.join("rules")]).ok().and_then(|loaded| Scanner::new(Arc::new(loaded.set)).ok())
    else {
        return (Vec::new(), Vec::new());
    };
    let mut scratch = scanner.scratch();
    let mut found = Vec::new();
    let mut passes = |text: &str| {
        found.clear();
        for context in CONTEXTS {
            scanner.scan(text, Reading::Raw, context, &mut scratch, &mut found);
            scanner.scan(&canonical(text).text, Reading::Canonical, context, &mut scratch, &mut found);
        }
        found.is_empty()
    };
    let examples = scanner.rules().iter().flat_map(|(_, rule)| &rule.examples);
    let texts = examples.filter(|example| !example.is_match).map(|example| example.text.trim());
    let texts = texts.filter(|text| text.contains(' ') && text.len() <= BYTES_MAX && !text.contains(char::is_control));
    texts.filter(|text| passes(text)).map(str::to_owned).partition(|text| text.is_ascii())
}
