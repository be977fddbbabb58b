//! Output of commands: results to stdout, everything else to stderr.
//!
//! Callers of models, and whoever writes to a bucket, choose much of what is shown here. Nothing in it may drive a terminal: control
//! characters, directions and what is not seen at all are shown as escapes.

use std::io::{self, Write};

use crate::inspect::visible;

/// One line, or several, to stdout. A reader that went away (`| head`) is an error like any other.
pub(super) fn line(text: impl AsRef<str>) -> io::Result<()> {
    verbatim(&shown(text.as_ref()))
}

/// As it is, to stdout: a file's text, that is to be the same when it is read again.
pub(super) fn verbatim(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
}

/// One line, or several, to stderr. When that fails there is nobody left to tell.
pub(super) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", shown(text.trim_end()));
}

/// A value as JSON to stdout.
pub(super) fn json(value: &impl serde::Serialize) -> io::Result<()> {
    verbatim(&escaped(&serde_json::to_string_pretty(value).map_err(io::Error::other)?))
}

/// A value as one line of JSON to stdout.
pub(super) fn json_line(value: &impl serde::Serialize) -> io::Result<()> {
    verbatim(&escaped(&serde_json::to_string(value).map_err(io::Error::other)?))
}

/// Somebody's text as part of a line, cut after so many characters: it begins no line of its own.
pub(super) fn part(text: &str, characters: usize) -> String {
    visible(&text.chars().take(characters).collect::<String>())
}

fn shown(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// The same JSON: outside of strings all of it is plain.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        let plain = c == '\n' || visible(c.encode_utf8(&mut [0; 4])).len() == c.len_utf8();
        if plain {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(shown("a\n\tb\u{1b}[2Jc\rd\u{202e}e\u{9b}f"), "a\n\\u{9}b\\u{1b}[2Jc\\u{d}d\\u{202e}e\\u{9b}f");
        assert_eq!(shown("Grüße, 世界 →"), "Grüße, 世界 →");
        assert_eq!(shown(&part("one\ntwo", 5)), "one\\u{a}t");
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "text\u{7f}": "a\u{1b}\n\t\"\\ \u{202e}\u{e0041}é世" });
        let text = escaped(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.contains(r"\u202e\udb40\udc41é世") && text.contains(r"text\u007f"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
