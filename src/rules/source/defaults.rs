//! `defaults:` of a file: keys that its rules need not repeat.

use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::table::Table;

/// Keys that belong to one rule and to no other.
const OWN: [&str; 7] = ["id", "title", "description", "patterns", "condition", "lint", "examples"];

/// The keys that `defaults` may have, of those that a rule has.
pub(super) fn keys(of_rules: &'static [&'static str]) -> Vec<&'static str> {
    of_rules.iter().copied().filter(|key| !OWN.contains(key)).collect()
}

/// The defaults of a file, checked for keys that cannot stand there.
pub(super) fn open(node: &Node, of_rules: &'static [&'static str], report: &mut Reporter<'_>) -> Vec<(String, Node)> {
    let keys = keys(of_rules);
    let Some(table) = Table::open(node, "defaults", &keys, report) else { return Vec::new() };
    keys.iter().filter_map(|key| Some(((*key).to_owned(), table.get(key)?.clone()))).collect()
}

/// A rule with the defaults put in where it says nothing itself, and the keys that it has from them. Of a mapping (`applies`)
/// each key by itself; a list is taken or replaced as a whole.
pub(super) fn inherit(rule: &Node, defaults: &[(String, Node)]) -> (Node, Vec<String>) {
    let mut rule = rule.clone();
    let mut inherited = Vec::new();
    let Value::Map(own) = &mut rule.value else { return (rule, inherited) };
    for (key, default) in defaults {
        match own.iter_mut().find(|(name, ..)| name == key) {
            None => {
                own.push((key.clone(), default.place, default.clone()));
                inherited.push(key.clone());
            }
            Some((_, _, Node { value: Value::Map(own), .. })) => {
                let Value::Map(pairs) = &default.value else { continue };
                for pair in pairs {
                    if !own.iter().any(|(name, ..)| *name == pair.0) {
                        own.push(pair.clone());
                    }
                }
            }
            Some(_) => {}
        }
    }
    (rule, inherited)
}
