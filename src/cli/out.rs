//! Output of commands: results to stdout, everything else to stderr.

use std::io::{self, Write};

/// One line to stdout. A reader that went away (`| head`) is an error like any other.
pub(super) fn line(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref())
}

/// One line to stderr. When that fails there is nobody left to tell.
pub(super) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// A value as JSON to stdout.
pub(super) fn json(value: &impl serde::Serialize) -> io::Result<()> {
    line(serde_json::to_string_pretty(value).map_err(io::Error::other)?)
}
