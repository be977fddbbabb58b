//! The queue as a file for spreadsheets, which take what begins with certain signs for a formula: an attacker's text must not be one.

use std::fmt::Write as _;

use serde_json::Value;

use crate::inspect::visible;

/// The columns, in order.
const COLUMNS: [&str; 18] = [
    "id",
    "at",
    "tenant",
    "principal",
    "direction",
    "action",
    "severity",
    "score",
    "title",
    "rules",
    "excerpt",
    "fingerprint",
    "outcome",
    "provider",
    "model",
    "disposition",
    "assignee",
    "reviewed_at",
];

/// The first line.
pub(super) fn head() -> String {
    COLUMNS.join(",") + "\r\n"
}

/// An incident as a line: RFC 4180, every field in quotes.
pub(super) fn line(incident: &Value) -> String {
    let mut line = String::new();
    for (number, column) in COLUMNS.iter().enumerate() {
        let text = match incident.get(column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            Some(other) => other.to_string(),
        };
        let comma = if number > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(line, "{comma}\"{}\"", harmless(&text).replace('"', "\"\""));
    }
    line + "\r\n"
}

/// Control and invisible characters as escapes; an apostrophe before whatever a spreadsheet would reckon with.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn harmless(text: &str) -> String {
    let shown = visible(text);
    let first = shown.trim_start().chars().next();
    // Full-width signs are taken for the others.
    let is_formula = first.is_some_and(|c| "=+-@|%\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c));
    if is_formula { format!("'{shown}") } else { shown.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_field_is_a_formula_or_ends_early() {
        for text in ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\u{ff1d}1", "%x", "|x"] {
            let line = line(&json!({ "title": text }));
            let field = line.split(',').nth(8).unwrap();
            assert!(
                !field.trim_start_matches('"').trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '%', '|']),
                "{line:?}"
            );
        }
        let line = line(
            &json!({ "title": "a \"quoted\"\r\n\u{202e}line", "rules": ["A-1", "B-2"], "score": 7, "assignee": null }),
        );
        assert_eq!(line.matches("\r\n").count(), 1, "{line:?}");
        assert!(
            line.contains("\"a \"\"quoted\"\"")
                && !line.contains('\u{202e}')
                && line.contains("\"A-1 B-2\"")
                && line.contains("\"7\"")
        );
        assert_eq!(line.matches("\",\"").count(), COLUMNS.len() - 1);
    }
}
