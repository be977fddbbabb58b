//! Mappings with known keys, and values of known types: every wrong one is reported, with its place.

use super::diagnostic::Reporter;
use super::node::{Node, Place, Value};
use super::suggest;

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

/// The keys of one mapping.
pub(crate) struct Table<'n> {
    pub(crate) place: Place,
    what: &'static str,
    entries: Vec<(&'n str, &'n Node)>,
}

impl<'n> Table<'n> {
    pub(crate) fn open(node: &'n Node, what: &'static str, known: &[&str], report: &mut Reporter<'_>) -> Option<Self> {
        let Value::Map(pairs) = &node.value else {
            let message = format!("{what} must be a mapping (`key: value` lines), not {}", node.value.kind());
            report.error(report.codes.mistyped, node.place, message, format!("its keys are: {}", known.join(", ")));
            return None;
        };
        let mut entries: Vec<(&str, &Node)> = Vec::with_capacity(pairs.len());
        for (key, place, value) in pairs {
            if !known.contains(&key.as_str()) {
                let message = format!("{what} has no key `{}`", shown(key));
                report.error(report.codes.unknown, *place, message, suggest::help(key, known));
            } else if entries.iter().any(|(earlier, _)| earlier == key) {
                report.error(
                    report.codes.twice,
                    *place,
                    format!("the key `{key}` stands here twice"),
                    "keep one of them",
                );
            } else {
                entries.push((key, value));
            }
        }
        Some(Self { place: node.place, what, entries })
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, node)| *node)
    }

    pub(crate) fn needed(&self, key: &'static str, report: &mut Reporter<'_>) -> Option<&'n Node> {
        let node = self.get(key);
        if node.is_none() {
            let message = format!("{} needs the key `{key}`", self.what);
            let help = format!("add `{key}: …`; {} says what may stand there", report.codes.guide);
            report.error(report.codes.missing, self.place, message, help);
        }
        node
    }
}

pub(crate) fn text(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<At<String>> {
    let Value::Text(text) = &node.value else {
        let help = match &node.value {
            Value::Bool(_) | Value::Number(..) => "put it in single quotes",
            _ => "write one text, in single quotes if it has special characters",
        };
        report.error(
            report.codes.mistyped,
            node.place,
            format!("{key} must be a text, not {}", node.value.kind()),
            help,
        );
        return None;
    };
    Some(At { place: node.place, value: text.clone() })
}

pub(crate) fn texts(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<Vec<At<String>>> {
    let nodes = list(node, key, report)?;
    Some(nodes.iter().filter_map(|node| text(node, key, report)).collect())
}

pub(crate) fn list<'n>(node: &'n Node, key: &str, report: &mut Reporter<'_>) -> Option<&'n [Node]> {
    let Value::List(nodes) = &node.value else {
        let message = format!("{key} must be a list, not {}", node.value.kind());
        report.error(report.codes.mistyped, node.place, message, "write `[a, b]`, or one `- …` per line");
        return None;
    };
    Some(nodes)
}

pub(crate) fn number(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<At<usize>> {
    let Value::Number(_, Some(value)) = node.value else {
        let message = format!("{key} must be a whole number from 0, not {}", describe(&node.value));
        report.error(report.codes.mistyped, node.place, message, format!("write `{key}: 1`"));
        return None;
    };
    Some(At { place: node.place, value })
}

pub(crate) fn boolean(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<bool> {
    let Value::Bool(value) = node.value else {
        let message = format!("{key} must be true or false, not {}", describe(&node.value));
        report.error(report.codes.mistyped, node.place, message, format!("write `{key}: true` or `{key}: false`"));
        return None;
    };
    Some(value)
}

pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Number(written, _) => format!("`{written}`"),
        Value::Text(text) => format!("`{}`", shown(text)),
        other => other.kind().to_owned(),
    }
}

/// The start of a text for a message: one line, no control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}
