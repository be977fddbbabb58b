//! Lists of literals as a site keeps them: phrases that it does not want to read, names that it does not want to tell, and
//! hosts.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::draw::Draw;
use super::english;

const VERBS: [&str; 10] =
    ["ignore", "disregard", "forget", "skip", "override", "bypass", "drop", "discard", "cancel", "dismiss"];
const WHICH: [&str; 8] = [
    "all previous",
    "the above",
    "any prior",
    "your earlier",
    "all of the preceding",
    "every former",
    "these",
    "our initial",
];
const WHAT: [&str; 8] =
    ["instructions", "rules", "guidelines", "directives", "orders", "constraints", "messages", "policies"];
const SYLLABLES: [&str; 40] = [
    "ba", "cor", "del", "fi", "gra", "hem", "in", "jo", "kal", "li", "mor", "nu", "or", "pa", "qui", "ra", "sto",
    "tem", "ul", "ver", "wi", "xe", "yo", "zan", "bre", "cha", "dru", "eth", "pho", "sha", "tri", "vol", "ing", "er",
    "an", "tion", "ent", "is", "al", "on",
];
const ENDS: [&str; 6] = [".com", ".net", ".io", ".example", ".org", ".app"];

/// Literals of one rule.
const RULE_LITERALS: usize = 1000;

/// Shorter words are in every sentence.
const WORD_BYTES: usize = 5;

/// So many different literals in lower case: phrases first, up to 200, then names and hosts, most of a word that is in the texts
/// and one that nobody says, so that clean text stays clean and yet is full of their letters.
pub fn phrases(count: usize) -> Vec<String> {
    let words = english::words(WORD_BYTES);
    let mut draw = Draw::new(5);
    let mut seen = BTreeSet::new();
    let mut phrases = Vec::with_capacity(count);
    while phrases.len() < count {
        let (said, made_up, other) = (draw.pick(&words), made_up(&mut draw), made_up(&mut draw));
        let phrase = match phrases.len() {
            made if made < (count / 3).min(200) => {
                format!("{} {} {}", draw.pick(&VERBS), draw.pick(&WHICH), draw.pick(&WHAT))
            }
            made if made % 4 == 0 => format!("{made_up} {other}"),
            made if made % 4 == 1 => format!("{said} {made_up}"),
            made if made % 4 == 2 => format!("{made_up} {said}"),
            _ => format!("{said}-{made_up}{}", draw.pick(&ENDS)),
        };
        if seen.insert(phrase.clone()) {
            phrases.push(phrase);
        }
    }
    phrases
}

/// A list as rule files of one rule each.
pub fn rule_files(literals: &[String]) -> Vec<(PathBuf, String)> {
    literals.chunks(RULE_LITERALS).enumerate().map(|(number, literals)| rule_file(number, literals)).collect()
}

fn rule_file(number: usize, literals: &[String]) -> (PathBuf, String) {
    let mut yaml = format!(
        "family: injection\nrules:\n  - id: INJ-{:03}\n    title: a list\n    severity: low\n    tags: [owasp:LLM01:2025]\n    \
         applies: {{ direction: both }}\n    action: score\n    examples: {{ match: [a, b], pass: [c, d] }}\n    patterns:\n",
        number + 1
    );
    for literal in literals {
        yaml.push_str("      - literal: ");
        // A JSON string is one in YAML, too.
        yaml.push_str(&serde_json::Value::from(literal.as_str()).to_string());
        yaml.push('\n');
    }
    (PathBuf::from(format!("injection/list{number}.yaml")), yaml)
}

/// A word of two or three syllables.
fn made_up(draw: &mut Draw) -> String {
    (0..2 + draw.below(2)).map(|_| *draw.pick(&SYLLABLES)).collect()
}
