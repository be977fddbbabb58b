//! One layout for rule files: keys in the order of the manual, regexes in single quotes, one empty line between rules. Comments
//! stay, and so do escapes in double quotes: they may be there so that scanners of repositories do not see what they spell.
//!
//! ```text
//! text ─► read (items with their comments) ─► arranged, written ─► read again: the same tree, the same comments
//! ```

mod flow;
mod read;
mod tree;
mod write;

use self::tree::Item;
use super::source::{FILE_KEYS, RULE_KEYS};
use crate::yaml::node::{self, Node, Value};

/// Why a file is left as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unformatted {
    /// Line, from 1.
    pub line: usize,
    /// What, and what to do.
    pub what: String,
}

/// The canonical layout of a rule file.
///
/// # Errors
/// A file that is not YAML, or that holds something this does not lay out: then nothing is changed.
pub fn format(text: &str) -> Result<String, Unformatted> {
    let before = tree(text)?;
    let mut file = read::read(text)?;
    let comments = file.comments();
    arrange(&mut file.root);
    let formatted = write::write(&file);
    let wrong =
        |what: &str| Unformatted { line: 1, what: format!("{what}; the file is left as it is, please report it") };
    let after = tree(&formatted).map_err(|_| wrong("laid out, it would not be YAML"))?;
    if !same(&before, &after) {
        return Err(wrong("laid out, it would say something else"));
    }
    let kept = read::read(&formatted).map_err(|_| wrong("laid out, it could not be laid out again"))?.comments();
    if kept != comments {
        return Err(wrong("laid out, it would lose comments"));
    }
    Ok(formatted)
}

fn tree(text: &str) -> Result<Node, Unformatted> {
    node::parse(text).map_err(|(place, message)| Unformatted {
        line: place.map_or(1, |(line, _)| line),
        what: format!("not YAML: {message}"),
    })
}

/// The same values, whatever the order of keys.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Null, Value::Null) => true,
        (Value::Number(one, _), Value::Number(other, _)) | (Value::Text(one), Value::Text(other)) => one == other,
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let find = |key: &str| other.iter().find(|(known, ..)| known == key);
            one.len() == other.len()
                && one.iter().all(|(key, _, value)| find(key).is_some_and(|(.., there)| same(value, there)))
        }
        _ => false,
    }
}

/// Puts keys in their order and scalars in their quotes.
fn arrange(root: &mut Item) {
    order(root, &FILE_KEYS);
    for (key, value) in root.entries_mut() {
        match key {
            "rules" => value.elements_mut().for_each(rule),
            "defaults" => rule(value),
            "overrides" | "exceptions" => value.elements_mut().for_each(|item| item.starts = true),
            _ => {}
        }
    }
}

fn rule(item: &mut Item) {
    item.starts = true;
    order(item, &RULE_KEYS);
    for (key, value) in item.entries_mut() {
        match key {
            "tags" | "validators" | "allows" => value.flatten(),
            "patterns" => value.walk(&mut |key, value| {
                if key == "regex" {
                    value.single_quote();
                }
            }),
            "applies" | "lint" => value.entries_mut().for_each(|(_, value)| value.flatten()),
            _ => {}
        }
    }
}

/// Sorts by a list of keys. A key that is not in it stays behind the one before it.
fn order(item: &mut Item, keys: &[&str]) {
    let mut last = 0;
    item.sort_by_key(|key| {
        last = keys.iter().position(|known| *known == key).map_or(last, |at| at + 1);
        last
    });
}

#[cfg(test)]
mod tests;
