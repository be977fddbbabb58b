//! The environment over the file: `PORTCULLIS_SERVER__DATA=…` sets `server.data`.

use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{self, Node, Place, Value};

const PREFIX: &str = "PORTCULLIS_";

/// Variables with our prefix that are not configuration keys: they are read by scripts and the command line.
const RESERVED: [&str; 3] = ["PORTCULLIS_CONFIG", "PORTCULLIS_ONNXRUNTIME", "PORTCULLIS_TEST_REPORT"];

/// Variables that are not meant as configuration: [`RESERVED`], and those with which Kubernetes describes a service that is
/// named `portcullis` to every pod beside it (`PORTCULLIS_SERVICE_HOST`, `PORTCULLIS_PORT_8080_TCP_ADDR` …).
fn is_foreign(name: &str, path: &str) -> bool {
    RESERVED.contains(&name) || path == "PORT" || path.starts_with("PORT_") || path.starts_with("SERVICE_")
}

/// Sets every `PORTCULLIS_A__B` as key `a.b`. Values are YAML, so numbers, lists and mappings can be given.
pub(super) fn overlay(tree: &mut Node, environment: &[(String, String)], report: &mut Reporter<'_>) {
    for (name, written) in environment {
        let Some(path) = name.strip_prefix(PREFIX).filter(|path| !is_foreign(name, path)) else { continue };
        let place = report.elsewhere(format!("environment {name}"));
        let mut value = match node::parse(written) {
            Ok(value) => value,
            // A text that is no YAML (it begins with `*`, say) means itself.
            Err(_) => Node { place, value: Value::Text(written.clone()) },
        };
        relocate(&mut value, place);
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        set(tree, &keys, value, place);
    }
}

/// The section that a variable sets something in; `None`: it is no key of the configuration.
pub(super) fn section(name: &str) -> Option<String> {
    let path = name.strip_prefix(PREFIX).filter(|path| !is_foreign(name, path))?;
    path.split("__").next().map(str::to_lowercase)
}

fn set(node: &mut Node, keys: &[String], value: Node, place: Place) {
    let Some((first, rest)) = keys.split_first() else {
        *node = value;
        return;
    };
    if !matches!(node.value, Value::Map(_)) {
        *node = Node { place, value: Value::Map(Vec::new()) };
    }
    let Value::Map(entries) = &mut node.value else { return };
    if let Some((_, _, below)) = entries.iter_mut().find(|(key, ..)| key == first) {
        return set(below, rest, value, place);
    }
    let mut below = Node { place, value: Value::Map(Vec::new()) };
    set(&mut below, rest, value, place);
    entries.push((first.clone(), place, below));
}

fn relocate(node: &mut Node, place: Place) {
    node.place = place;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| relocate(item, place)),
        Value::Map(entries) => {
            for (_, key_place, value) in entries {
                *key_place = place;
                relocate(value, place);
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(..) | Value::Text(_) => {}
    }
}
