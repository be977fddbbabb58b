//! Exceptions: findings that somebody looked at and found harmless, until a day.

use std::path::PathBuf;

use jiff::civil::Date;
use regex_automata::meta;
use regex_syntax::hir::{Hir, Look};
use sha2::{Digest, Sha256};

use super::applies::{Facts, Reach, Scope};
use super::overlay::{Selector, reach, selectors};
use crate::base::limits::rules as limits;
use crate::text::{Direction, Passage};
use crate::yaml::diagnostic::{Diagnostic, Reporter};
use crate::yaml::node::Node;
use crate::yaml::table::{At, Table, shown, text};

/// One exception. What it covers is recorded under its id and does not act.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exception {
    /// Stable, unique over all files.
    pub id: String,
    /// Why it is there.
    pub reason: String,
    /// Who wrote it.
    pub by: Option<String>,
    /// The last day (UTC) that it holds.
    pub expires: Date,
    /// The file it stands in.
    pub file: PathBuf,
    /// The line of its `id`, from 1.
    pub line: u64,
    column: usize,
    reach: Reach,
    matched: Option<Matched>,
}

/// What the found text must be.
#[derive(Debug)]
enum Matched {
    /// The whole of it fits.
    Regex(Box<meta::Regex>),
    /// SHA-256 of its bytes, for what must not stand in a file.
    Sha256([u8; 32]),
    /// Byte for byte.
    Text(String),
}

impl Exception {
    /// True while it holds: to the end of its last day.
    pub fn is_in_force(&self, today: Option<Date>) -> bool {
        today.is_some_and(|today| today <= self.expires)
    }

    /// True when it lies further ahead than anybody can answer for.
    pub fn is_far(&self, today: Date) -> bool {
        let days = i32::try_from(limits::EXCEPTION_DAYS).unwrap_or(i32::MAX);
        today.checked_add(jiff::Span::new().days(days)).is_ok_and(|bound| self.expires > bound)
    }

    pub(super) fn place(&self) -> (usize, usize) {
        (usize::try_from(self.line).unwrap_or(0), self.column)
    }

    /// Where it holds.
    pub fn scope(&self) -> &Scope {
        &self.reach.scope
    }

    /// True when it is in force and covers this passage.
    pub(super) fn covers(&self, facts: &Facts, direction: Direction, passage: &Passage<'_>) -> bool {
        self.is_in_force(facts.today) && self.reach.covers(facts, direction, passage)
    }
}

/// The first of these exceptions, which all cover the passage, that covers the text which was found there, as it was sent.
pub fn first<'e>(exceptions: &[&'e Exception], found: &str) -> Option<&'e Exception> {
    // Hashed once, however many exceptions ask for it.
    let mut hash = None;
    exceptions.iter().copied().find(|exception| match &exception.matched {
        None => true,
        Some(Matched::Regex(regex)) => regex.is_match(found),
        Some(Matched::Sha256(expected)) => {
            hash.get_or_insert_with(|| Sha256::digest(found)).as_slice() == expected.as_slice()
        }
        Some(Matched::Text(text)) => text == found,
    })
}

/// What is to be said of the exceptions on a day: those that have ended, and those that end too far ahead.
pub fn notices(exceptions: &[Exception], today: Date) -> Vec<Diagnostic> {
    let notice = |exception: &Exception, code, message, help: &str| Diagnostic {
        code,
        file: exception.file.clone(),
        place: Some(exception.place()),
        message,
        help: help.to_owned(),
        line_text: None,
    };
    let said = exceptions.iter().flat_map(|exception| {
        let Exception { id, expires, .. } = exception;
        let mut said = Vec::new();
        if !exception.is_in_force(Some(today)) {
            let help = "look at it again: renew the day with its reason, or delete it";
            said.push(notice(
                exception,
                "W010",
                format!("the exception `{id}` ended on {expires}: it holds no more"),
                help,
            ));
            return said;
        }
        if exception.is_far(today) {
            let message = format!("the exception `{id}` holds until {expires}, over {} days", limits::EXCEPTION_DAYS);
            said.push(notice(exception, "W011", message, "let it end sooner, so that somebody looks at it again"));
        }
        if exception.matched.is_none() && exception.reach.is_everywhere() {
            let message = format!("the exception `{id}` covers everything that its rules find, everywhere");
            let help =
                "say which text, or where it applies; a rule that is no good here gets `mode: shadow` by an override";
            said.push(notice(exception, "W012", message, help));
        }
        said
    });
    said.collect()
}

/// Reads one exception.
pub(super) fn read(
    node: &Node,
    tenants: &[At<String>],
    report: &mut Reporter<'_>,
) -> Option<(Vec<Selector>, Exception)> {
    let keys = ["id", "rules", "applies", "text", "regex", "sha256", "reason", "by", "expires"];
    let table = Table::open(node, "an exception", &keys, report)?;
    let before = report.error_count();
    let id = table.needed("id", report).and_then(|node| text(node, "id", report));
    let rules = selectors(&table, report);
    let reason = table.needed("reason", report).and_then(|node| text(node, "reason", report));
    let by = table.get("by").and_then(|node| text(node, "by", report));
    let expires = table.needed("expires", report).and_then(|node| date(node, report));
    let reach = reach(&table, tenants, report);
    let matched = matched(&table, report);
    if let Some(id) = &id {
        check_id(id, report);
    }
    if let Some(reason) = reason.as_ref().filter(|reason| reason.value.trim().is_empty()) {
        let help = "say what was looked at and why it is harmless; whoever renews the exception reads it";
        report.error("R042", reason.place, "the reason is empty", help);
    }
    let (id, reason) = (id?, reason?);
    let exception = Exception {
        line: u64::try_from(id.place.0).unwrap_or(0),
        column: id.place.1,
        id: id.value,
        reason: reason.value.trim().to_owned(),
        by: by.map(|by| by.value),
        expires: expires?,
        file: report.file.to_owned(),
        reach,
        matched,
    };
    (report.error_count() == before).then_some((rules, exception))
}

fn check_id(id: &At<String>, report: &mut Reporter<'_>) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if id.value.is_empty() || id.value.len() > limits::EXCEPTION_ID_BYTES || !id.value.bytes().all(is_plain) {
        let help =
            format!("write 1 to {} letters, digits, `-`, `_` or `.`: `EXC-2026-014`", limits::EXCEPTION_ID_BYTES);
        report.error("R042", id.place, format!("`{}` is not an exception's id", shown(&id.value)), help);
    }
}

fn date(node: &Node, report: &mut Reporter<'_>) -> Option<Date> {
    let written = text(node, "expires", report)?;
    // Only the plain form: the parser takes times and zones too, and the day that they mean is not the one that is read.
    let date = (written.value.len() == 10).then(|| written.value.parse().ok()).flatten();
    if date.is_none() {
        let message = format!("`{}` is not a day", shown(&written.value));
        report.error("R042", written.place, message, "write the last day that it holds: `expires: 2026-12-31`");
    }
    date
}

fn matched(table: &Table<'_>, report: &mut Reporter<'_>) -> Option<Matched> {
    let given: Vec<(&str, &Node)> =
        ["text", "regex", "sha256"].into_iter().filter_map(|key| Some((key, table.get(key)?))).collect();
    if let [_, (_, second), ..] = given.as_slice() {
        let help = "keep one of `text`, `regex` and `sha256`, or write two exceptions";
        report.error("R042", second.place, "the found text is described twice", help);
        return None;
    }
    let (key, node) = given.first().copied()?;
    let written = text(node, key, report)?;
    if written.value.is_empty() || written.value.len() > limits::PATTERN_BYTES {
        let message = format!("`{key}` has {} bytes", written.value.len());
        report.error("R042", written.place, message, format!("write 1 to {} bytes", limits::PATTERN_BYTES));
        return None;
    }
    match key {
        "regex" => regex(&written, report),
        "sha256" => sha256(&written, report),
        _ => Some(Matched::Text(written.value)),
    }
}

fn regex(written: &At<String>, report: &mut Reporter<'_>) -> Option<Matched> {
    let hir = match regex_syntax::Parser::new().parse(&written.value) {
        Ok(hir) => hir,
        Err(error) => {
            let said = error.to_string();
            let said = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let help = "the syntax is that of docs.rs/regex: no look-around, no back-references";
            report.error("R014", written.place, format!("the regex is wrong: {said}"), help);
            return None;
        }
    };
    let whole = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
    let config = meta::Config::new().nfa_size_limit(Some(limits::REGEX_BYTES));
    match meta::Builder::new().configure(config).build_from_hir(&whole) {
        Ok(regex) => Some(Matched::Regex(Box::new(regex))),
        Err(_) => {
            let message = format!("compiled, the regex has more than {} bytes", limits::REGEX_BYTES);
            report.error("R015", written.place, message, "make the repeats smaller");
            None
        }
    }
}

fn sha256(written: &At<String>, report: &mut Reporter<'_>) -> Option<Matched> {
    let digits = written.value.as_bytes();
    let mut hash = [0; 32];
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let is_hash = digits.len() == 64
        && hash.iter_mut().zip(digits.chunks(2)).all(|(byte, pair)| match *pair {
            [high, low] => nibble(high).zip(nibble(low)).map(|(high, low)| *byte = high << 4 | low).is_some(),
            _ => false,
        });
    if !is_hash {
        let help = "write 64 hex digits: `printf %s 'the found text' | sha256sum`";
        report.error("R042", written.place, "`sha256` is not a SHA-256", help);
        return None;
    }
    Some(Matched::Sha256(hash))
}
