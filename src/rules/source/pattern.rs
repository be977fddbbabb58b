//! Patterns as they are written.

use super::Text;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Place, Value};
use crate::yaml::table::{At, Table, boolean, list, number, text};

/// One pattern.
#[derive(Debug)]
pub(in crate::rules) struct PatternSource {
    pub(in crate::rules) place: Place,
    pub(in crate::rules) name: Option<Text>,
    pub(in crate::rules) on: Option<Text>,
    pub(in crate::rules) case: Option<Text>,
    pub(in crate::rules) word: Option<bool>,
    pub(in crate::rules) form: Form,
}

impl PatternSource {
    /// Where what it looks for stands: of a combined pattern its first part.
    pub(in crate::rules) fn place(&self) -> Place {
        self.form.text().map_or(self.place, |text| text.place)
    }
}

/// What a pattern looks for.
#[derive(Debug)]
pub(in crate::rules) enum Form {
    Literal(Text),
    Regex(Text),
    /// The file of a deny-list.
    List(Text),
    /// Parts in any order.
    Near(Vec<PartSource>, GapSource),
    /// Parts in this order.
    Sequence(Vec<PartSource>, GapSource),
    /// One part, so many times.
    Count(PartSource, At<usize>, GapSource),
}

impl Form {
    /// The text that it is written as, or its first part is.
    pub(in crate::rules) fn text(&self) -> Option<&Text> {
        match self {
            Self::Literal(text) | Self::Regex(text) | Self::List(text) => Some(text),
            Self::Near(parts, _) | Self::Sequence(parts, _) => parts.first().map(|part| &part.text),
            Self::Count(part, ..) => Some(&part.text),
        }
    }
}

/// One part of a combined pattern.
#[derive(Debug)]
pub(in crate::rules) struct PartSource {
    pub(in crate::rules) text: Text,
    pub(in crate::rules) is_regex: bool,
    pub(in crate::rules) word: Option<bool>,
}

/// What may lie between two parts.
#[derive(Debug)]
pub(in crate::rules) enum GapSource {
    Bytes(At<usize>),
    Words(At<usize>),
}

const FORMS: [&str; 6] = ["literal", "regex", "list", "near", "sequence", "count"];
const PATTERN_KEYS: [&str; 10] =
    ["literal", "regex", "list", "near", "sequence", "count", "name", "on", "case", "word"];

pub(super) fn pattern(node: &Node, report: &mut Reporter<'_>) -> Option<PatternSource> {
    let table = Table::open(node, "a pattern", &PATTERN_KEYS, report)?;
    let word = table.get("word");
    let forms: Vec<(&str, &Node)> = FORMS.into_iter().filter_map(|form| Some((form, table.get(form)?))).collect();
    let form = match forms.as_slice() {
        [("literal", node)] => Form::Literal(text(node, "literal", report)?),
        [("regex", node)] => {
            if let Some(word) = word {
                not_for_regexes(word, report);
            }
            Form::Regex(text(node, "regex", report)?)
        }
        [("list", node)] => Form::List(text(node, "list", report)?),
        [("near", node)] => {
            let table = Table::open(node, "near", &["words", "bytes", "of"], report)?;
            let gap = gap(&table, "near", report);
            Form::Near(parts(&table, report)?, gap?)
        }
        [("sequence", node)] => {
            let table = Table::open(node, "sequence", &["gap", "of"], report)?;
            let gap = inner_gap(&table, report);
            Form::Sequence(parts(&table, report)?, gap?)
        }
        // The last of the forms: `count`.
        [(_, node)] => {
            let table = Table::open(node, "count", &["at_least", "gap", "of"], report)?;
            let gap = inner_gap(&table, report);
            let least = table.needed("at_least", report).and_then(|node| number(node, "at_least", report));
            let of = table.needed("of", report).and_then(|node| part(node, report));
            Form::Count(of?, least?, gap?)
        }
        [] => {
            let help =
                "write `- literal: …`, `- regex: '…'`, `- list: …`, `- near: …`, `- sequence: …` or `- count: …`";
            report.error("R005", node.place, "the pattern is empty", help);
            return None;
        }
        [(first, _), (second, node), ..] => {
            let help = "make two patterns of it: any of a rule's patterns matches";
            let message = format!("a pattern is a {first} or a {second}, not both");
            report.error("R006", node.place, message, help);
            return None;
        }
    };
    Some(PatternSource {
        place: node.place,
        name: table.get("name").and_then(|node| text(node, "name", report)),
        on: table.get("on").and_then(|node| text(node, "on", report)),
        case: table.get("case").and_then(|node| text(node, "case", report)),
        word: word.and_then(|node| boolean(node, "word", report)),
        form,
    })
}

fn not_for_regexes(word: &Node, report: &mut Reporter<'_>) {
    report.error("R006", word.place, "`word` belongs to literals", r"write `\b` in the regex instead");
}

fn parts(table: &Table<'_>, report: &mut Reporter<'_>) -> Option<Vec<PartSource>> {
    let nodes = table.needed("of", report).and_then(|node| list(node, "of", report))?;
    Some(nodes.iter().filter_map(|node| part(node, report)).collect())
}

/// A text, or `{ literal, word }`, or `{ regex }`.
fn part(node: &Node, report: &mut Reporter<'_>) -> Option<PartSource> {
    let Value::Map(_) = node.value else {
        return Some(PartSource { text: text(node, "a part", report)?, is_regex: false, word: None });
    };
    let table = Table::open(node, "a part", &["literal", "regex", "word"], report)?;
    let word = table.get("word");
    match (table.get("literal"), table.get("regex")) {
        (Some(literal), None) => {
            let word = word.and_then(|node| boolean(node, "word", report));
            Some(PartSource { text: text(literal, "literal", report)?, is_regex: false, word })
        }
        (None, Some(regex)) => {
            if let Some(word) = word {
                not_for_regexes(word, report);
            }
            Some(PartSource { text: text(regex, "regex", report)?, is_regex: true, word: None })
        }
        _ => {
            let help = "write a text, `{ literal: …, word: false }` or `{ regex: '…' }`";
            report.error("R006", node.place, "a part is one literal or one regex", help);
            None
        }
    }
}

fn inner_gap(table: &Table<'_>, report: &mut Reporter<'_>) -> Option<GapSource> {
    let node = table.needed("gap", report)?;
    let table = Table::open(node, "gap", &["words", "bytes"], report)?;
    gap(&table, "gap", report)
}

fn gap(table: &Table<'_>, what: &str, report: &mut Reporter<'_>) -> Option<GapSource> {
    match (table.get("words"), table.get("bytes")) {
        (Some(words), None) => number(words, "words", report).map(GapSource::Words),
        (None, Some(bytes)) => number(bytes, "bytes", report).map(GapSource::Bytes),
        _ => {
            let message = format!("{what} needs `words` or `bytes`, one of them");
            report.error("R005", table.place, message, "write how much may lie between two parts: `words: 5`");
            None
        }
    }
}
