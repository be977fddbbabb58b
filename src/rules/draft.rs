//! A rule that a tool writes: as a value, and as the text of a rule file.

use std::fmt::Write;

use super::family::{self, Family};

/// A rule on its way into a file.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Comment lines above the rule, without their `#`.
    pub comments: Vec<String>,
    /// Stable id.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// More words; may be empty.
    pub description: String,
    /// `info` … `critical`.
    pub severity: String,
    /// 1 to 4; 0: left out.
    pub paranoia: u8,
    /// `owasp:…`, `atlas:…`, `cwe:…`.
    pub tags: Vec<String>,
    /// `request`, `reply` or `both`.
    pub direction: String,
    /// The rule judges the text as it was sent.
    pub raw: bool,
    /// Case does not count on raw text.
    pub ignores_case: bool,
    /// Kind (`literal`, `word`, `regex`, `list`) and what it says.
    pub patterns: Vec<(PatternForm, String)>,
    /// Names of validators.
    pub validators: Vec<String>,
    /// The group that is the finding.
    pub capture: usize,
    /// What it demands.
    pub action: String,
    /// For `redact`.
    pub mask: String,
    /// The matched text must not appear in the record.
    pub sensitive: bool,
    /// Judged only when the block is complete.
    pub block_end: bool,
    /// Texts it must find, each with the finding where it is told.
    pub matching: Vec<(String, Option<String>)>,
    /// Texts it must leave alone.
    pub passing: Vec<String>,
}

/// How a drafted pattern looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatternForm {
    /// A file of literals.
    List,
    /// A text.
    Literal,
    /// A regular expression.
    Regex,
    /// A text that must stand as a word.
    Word,
}

impl Draft {
    /// The rule as an item of `rules:`, indented by two.
    pub fn yaml(&self) -> String {
        let mut out = String::new();
        for comment in &self.comments {
            let _ = writeln!(out, "  # {}", one_line(comment));
        }
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "    {key}: {value}");
        };
        line("id", &self.id);
        line("title", &scalar(&self.title));
        if !self.description.is_empty() {
            line("description", &scalar(&self.description));
        }
        line("severity", &self.severity);
        if self.paranoia > 0 {
            line("paranoia", &self.paranoia.to_string());
        }
        line("tags", &flow(&self.tags));
        line("applies", &format!("{{ direction: {} }}", self.direction));
        if self.raw {
            line("on", "raw");
        }
        if self.ignores_case {
            line("case", "insensitive");
        }
        out.push_str("    patterns:\n");
        for (form, text) in &self.patterns {
            let _ = match form {
                PatternForm::List => writeln!(out, "      - list: {}", scalar(text)),
                PatternForm::Literal => writeln!(out, "      - literal: {}", scalar(text)),
                PatternForm::Regex => writeln!(out, "      - regex: {}", regex(text)),
                PatternForm::Word => writeln!(out, "      - {{ literal: {}, word: true }}", quoted(text)),
            };
        }
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "    {key}: {value}");
        };
        if !self.validators.is_empty() {
            line("validators", &flow(&self.validators));
        }
        if self.capture > 0 {
            line("capture", &self.capture.to_string());
        }
        line("action", &self.action);
        if !self.mask.is_empty() {
            line("mask", &quoted(&self.mask));
        }
        if self.sensitive {
            line("sensitive", "true");
        }
        if self.block_end {
            line("stream", "block_end");
        }
        out.push_str("    examples:\n      match:\n");
        for (text, found) in &self.matching {
            let _ = match found {
                None => writeln!(out, "        - {}", self.example(text, &[text])),
                Some(found) => {
                    let (all, part) = (self.example(text, &[found]), self.example(found, &[found]));
                    writeln!(out, "        - text: {all}\n          found: {part}")
                }
            };
        }
        out.push_str("      pass:\n");
        for text in &self.passing {
            let _ = writeln!(out, "        - {}", self.example(text, &[]));
        }
        let at = out.find("    id:").unwrap_or_default();
        out.replace_range(at..at + 4, "  - ");
        out
    }

    /// An example. Of a secret one some characters are written as escapes, so that scanners of repositories do not take the file
    /// for a leak; the loader reads the true characters.
    fn example(&self, text: &str, secrets: &[&str]) -> String {
        if !self.sensitive {
            return quoted(text);
        }
        let mut escaped = Vec::new();
        for secret in secrets {
            let Some(start) = text.find(secret) else { continue };
            for part in [0, 4, secret.len() / 2, secret.len().saturating_sub(2)] {
                let letter = secret.char_indices().find(|(at, c)| *at >= part && c.is_ascii_alphanumeric());
                escaped.extend(letter.map(|(at, _)| start + at));
            }
        }
        double_quoted(text, &escaped)
    }
}

/// A whole file.
pub fn file(family: Family, head: &[String], rules: &[Draft]) -> String {
    let mut out = String::new();
    for comment in head {
        let comment = one_line(comment);
        let _ = writeln!(out, "{}", if comment.is_empty() { "#".to_owned() } else { format!("# {comment}") });
    }
    let _ = writeln!(out, "family: {}\nrules:", family.name());
    let rules: Vec<String> = rules.iter().map(Draft::yaml).collect();
    out.push_str(&rules.join("\n"));
    out
}

/// The OWASP tag that fits most rules of a family.
pub fn usual_tag(family: Family) -> &'static str {
    match family {
        Family::Agent => "owasp:LLM06:2025",
        Family::Extraction => "owasp:LLM10:2025",
        Family::Injection | Family::Invisible | Family::Jailbreak => "owasp:LLM01:2025",
        Family::Leak => "owasp:LLM07:2025",
        Family::Markup | Family::Output => "owasp:LLM05:2025",
        Family::Pii | Family::Secrets => "owasp:LLM02:2025",
    }
}

/// The first `count` ids of the family from `first` on that are not taken; fewer when the numbers run out.
pub fn free_ids(family: Family, first: u32, count: usize, is_taken: impl Fn(&str) -> bool) -> Vec<String> {
    let ids = (first.max(1)..=family::NUMBER_MAX).map(|number| family.id(number));
    ids.filter(|id| !is_taken(id)).take(count).collect()
}

/// A text on one line, control characters gone.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

pub(super) fn flow(items: &[String]) -> String {
    let items: Vec<String> =
        items.iter().map(|item| if is_plain_in_flow(item) { item.clone() } else { quoted(item) }).collect();
    format!("[{}]", items.join(", "))
}

fn is_plain_in_flow(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":._-/".contains(&byte))
        && !text.ends_with(':')
}

/// Plain where nobody could misread it, else quoted.
pub(super) fn scalar(text: &str) -> String {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ._-/".contains(&byte))
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !words.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// In single quotes where that can be, else in double ones.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().any(is_hidden) { double_quoted(text, &[]) } else { format!("'{}'", text.replace('\'', "''")) }
}

/// A regex in single quotes. What cannot stand there is written as the regex's own escape, which means the same.
fn regex(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            let _ = write!(plain, "\\x{{{:x}}}", u32::from(c));
        } else {
            plain.push(c);
        }
    }
    quoted(&plain)
}

/// Controls, and characters that a reader or a YAML parser takes for a line's end or for nothing.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0x85 | 0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F | 0xFEFF | 0xFFF9..=0xFFFF | 0xE0000..=0xE0FFF)
}

fn double_quoted(text: &str, escaped: &[usize]) -> String {
    let mut out = String::from("\"");
    for (at, c) in text.char_indices() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if escaped.contains(&at) || is_hidden(c) => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xFF => write!(out, "\\x{code:02X}"),
                    0x100..=0xFFFF => write!(out, "\\u{code:04X}"),
                    _ => write!(out, "\\U{code:08X}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::rules::from_sources;

    fn draft() -> Draft {
        Draft {
            comments: vec!["made up\nby a test".into()],
            id: "SEC-901".into(),
            title: "It's: a # title".into(),
            description: "Words \"and\" \\ more".into(),
            severity: "info".into(),
            paranoia: 2,
            tags: vec!["owasp:LLM02:2025".into()],
            direction: "both".into(),
            raw: true,
            ignores_case: true,
            patterns: vec![(PatternForm::Regex, "key'\t-([a-z]{6})".into()), (PatternForm::Word, "yes: no".into())],
            action: "redact".into(),
            mask: "[it's]".into(),
            sensitive: true,
            matching: vec![("a key'\t-abcdef".into(), Some("key'\t-abcdef".into())), ("yes: no".into(), None)],
            passing: vec!["\u{202e}\"\\x\n".into(), "null".into()],
            ..Draft::default()
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = file(Family::Secrets, &["Head".into(), String::new(), "more".into()], &[draft()]);
        let loaded = from_sources(vec![(PathBuf::from("secrets/x.yaml"), text.clone())])
            .unwrap_or_else(|e| panic!("{e}\n{text}"));
        let (_, rule) = loaded.set.by_id("SEC-901").unwrap();
        let draft = draft();
        assert_eq!(
            (&rule.title, &rule.description, rule.mask.as_deref()),
            (&draft.title, &draft.description, Some("[it's]"))
        );
        let texts: Vec<&str> = rule.examples.iter().map(|example| example.text.as_str()).collect();
        assert_eq!(texts, ["a key'\t-abcdef", "yes: no", "\u{202e}\"\\x\n", "null"]);
        assert_eq!(rule.examples[0].found.as_deref(), Some("key'\t-abcdef"));
        assert!(!text.contains("key'\\t-abcdef"), "escaped, so that no scanner sees it: {text}");
        assert!(rule.sensitive && !rule.case_sensitive && rule.paranoia == 2);
    }

    #[test]
    fn ids_are_free_and_run_out() {
        let taken = |id: &str| id == "SEC-501";
        assert_eq!(free_ids(Family::Secrets, 500, 3, taken), ["SEC-500", "SEC-502", "SEC-503"]);
        assert_eq!(free_ids(Family::Leak, 998, 3, taken), ["LEAK-998", "LEAK-999", "LEAK-1000"]);
        assert_eq!(free_ids(Family::Leak, 99_998, 9, taken), ["LEAK-99998", "LEAK-99999"]);
        assert!(free_ids(Family::Leak, 100_000, 9, taken).is_empty());
    }
}
