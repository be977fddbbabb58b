//! Values of the configuration's own types, each with an error that says what to write.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::suggest;
use crate::yaml::table::{Table, boolean, text};

/// A word out of a list, as the value that stands beside it.
pub(super) fn word<T: Copy>(node: &Node, key: &str, words: &[(&str, T)], report: &mut Reporter<'_>) -> Option<T> {
    let written = text(node, key, report)?;
    let found = words.iter().find(|(word, _)| *word == written.value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("{key} cannot be `{}`", written.value);
        report.error("C007", written.place, message, suggest::help(&written.value, &known));
    }
    found.map(|(_, value)| *value)
}

/// An address with a port.
pub(super) fn address(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<SocketAddr> {
    let written = text(node, key, report)?;
    let parsed = SocketAddr::from_str(&written.value).ok();
    if parsed.is_none() {
        let message = format!("{key}: `{}` is not an address with a port", written.value);
        report.error("C007", written.place, message, "write for example 127.0.0.1:8080 or [::1]:8080");
    }
    parsed
}

/// A path; a relative one counts from the configuration file's folder.
pub(super) fn path(node: &Node, key: &str, base: &Path, report: &mut Reporter<'_>) -> Option<PathBuf> {
    let written = text(node, key, report)?;
    if written.value.is_empty() {
        report.error("C007", written.place, format!("{key} is empty"), "write a path");
        return None;
    }
    Some(base.join(written.value))
}

/// A name: 1 to 64 characters of letters, digits, `.`, `_`, `-`.
pub(super) fn name(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<String> {
    let written = text(node, key, report)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if written.value.is_empty() || written.value.len() > 64 || !written.value.bytes().all(plain) {
        let message = format!("{key}: `{}` is not a name", written.value);
        report.error("C007", written.place, message, "use 1 to 64 letters, digits, dots, hyphens and underscores");
        return None;
    }
    Some(written.value)
}

/// A whole number from 0.
pub(super) fn number(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<u64> {
    let parsed = match &node.value {
        Value::Number(written, _) => written.parse().ok(),
        _ => None,
    };
    if parsed.is_none() {
        let message = format!("{key} must be a whole number from 0, not {}", node.value.kind());
        report.error("C007", node.place, message, "write digits only");
    }
    parsed
}

/// A probability from 0 to 1, or `null`. The outer `None`: wrong, and reported.
pub(super) fn probability(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<Option<f32>> {
    let parsed = match &node.value {
        Value::Null => return Some(None),
        Value::Number(written, _) => written.parse().ok().filter(|value| (0.0..=1.0).contains(value)),
        _ => None,
    };
    if parsed.is_none() {
        report.error("C007", node.place, format!("{key} must be a probability"), "write a number from 0 to 1, or null");
    }
    parsed.map(Some)
}

/// A whole number of points, or `null`. The outer `None`: wrong, and reported.
pub(super) fn points(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<Option<u32>> {
    if matches!(node.value, Value::Null) {
        return Some(None);
    }
    let written = number(node, key, report)?;
    let Ok(points) = u32::try_from(written) else {
        report.error(
            "C007",
            node.place,
            format!("{key}: {written} points cannot be reached"),
            "write null to say never",
        );
        return None;
    };
    Some(Some(points))
}

/// US dollars, in millionths of one.
pub(super) fn dollars(node: &Node, key: &str, report: &mut Reporter<'_>) -> Option<u64> {
    let parsed = match &node.value {
        Value::Number(written, _) => millionths(written),
        _ => None,
    };
    if parsed.is_none() {
        let message = format!("{key} must be US dollars for a million tokens");
        report.error("C007", node.place, message, "write a number from 0 to 10000, with six decimal places at most");
    }
    parsed
}

/// A decimal number as it stands there: a price is not rounded on its way through a binary fraction.
fn millionths(written: &str) -> Option<u64> {
    let (whole, fraction) = written.split_once('.').unwrap_or((written, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 6 || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    let millionths = whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)?;
    (millionths <= DOLLARS_MAX * 1_000_000).then_some(millionths)
}

/// Dearest price of a million tokens, in dollars.
const DOLLARS_MAX: u64 = 10_000;

/// An optional key, read by `read`.
pub(super) fn optional<'n, T>(table: &Table<'n>, key: &str, read: impl FnOnce(&'n Node) -> Option<T>) -> Option<T> {
    table.get(key).filter(|node| !matches!(node.value, Value::Null)).and_then(read)
}

/// An optional switch, off when absent.
pub(super) fn switch(table: &Table<'_>, key: &str, report: &mut Reporter<'_>) -> bool {
    table.get(key).and_then(|node| boolean(node, key, report)).unwrap_or(false)
}
