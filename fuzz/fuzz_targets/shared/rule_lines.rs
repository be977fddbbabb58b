//! Rule sets in a notation in which nearly every text means a set that loads, so that mutations stay useful: a line a rule,
//! a letter a choice.
//!
//! ```text
//! x abcA+|bc          a regex (letters as they are, signs from the table below)
//! l abc cab           a literal                 w: word-bounded
//! n2 abc;cab          near, two words apart     q: sequence     c3: count    (/ in front of a part: a regex)
//! ```
//!
//! Letters behind the first choose more: `r` raw, `s` case-sensitive, `i` insensitive, `d` redact (the mask is [`MASK`]), `k` block, `b` judged at the
//! block's end, `g` the finding is the first group, `y` gaps count bytes, and one letter for each of some validators. Several
//! patterns of one rule stand apart by ` & `.

use std::cell::RefCell;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis::rules::from_sources;
use portcullis::scan::Scanner;

/// Rules read from one input, and bytes of one rule's line: beyond, a run spends its time in compiling.
const RULES_MAX: usize = 6;
const LINE_BYTES_MAX: usize = 200;

/// Stands for what was redacted.
#[allow(dead_code, reason = "not every target redacts")]
pub const MASK: char = '\u{2588}';

const VALIDATORS: [(char, &str); 6] = [
    ('1', "luhn"),
    ('2', "not_placeholder"),
    ('3', "entropy_3_0"),
    ('4', "iban_mod97"),
    ('5', "letters_and_digits"),
    ('6', "ssn_us"),
];

/// Scanners kept, so that mutations of the text alone need not compile the rules again.
const SCANNERS_MAX: usize = 64;

thread_local! {
    static SCANNERS: RefCell<Vec<(String, Option<Scanner>)>> = const { RefCell::new(Vec::new()) };
}

/// The scanner for those of the lines that are rules, from an earlier input with the same; `None`: not one is.
pub fn kept(lines: &str) -> Option<Scanner> {
    SCANNERS.with_borrow_mut(|kept| {
        if let Some((_, scanner)) = kept.iter().find(|(known, _)| known == lines) {
            return scanner.clone();
        }
        if kept.len() >= SCANNERS_MAX {
            kept.clear();
        }
        let scanner = scanner(lines);
        kept.push((lines.to_owned(), scanner.clone()));
        scanner
    })
}

/// The scanner for those of the lines that are rules; `None`: not one is.
fn scanner(lines: &str) -> Option<Scanner> {
    let lines = lines.lines().filter(|line| line.len() <= LINE_BYTES_MAX).take(RULES_MAX);
    let rules: Vec<String> = lines.enumerate().map(|(number, line)| rule(number, line)).collect();
    let loaded = load(&rules).or_else(|| {
        // One wrong rule spoils the set: leave out those that do not load by themselves.
        let right: Vec<String> =
            rules.iter().filter(|rule| load(std::slice::from_ref(rule)).is_some()).cloned().collect();
        load(&right)
    })?;
    Some(Scanner::new(Arc::new(loaded)).expect("a small set that loads also compiles"))
}

fn load(rules: &[String]) -> Option<portcullis::rules::RuleSet> {
    if rules.is_empty() {
        return None;
    }
    let yaml = format!("family: injection\nrules:\n{}", rules.concat());
    from_sources(vec![(PathBuf::from("injection/fuzz.yaml"), yaml)]).ok().map(|loaded| loaded.set)
}

fn rule(number: usize, line: &str) -> String {
    let (choices, patterns) = line.split_once(' ').unwrap_or(("x", line));
    let mut yaml = format!(
        "  - id: INJ-{:03}\n    title: t\n    severity: high\n    tags: [owasp:LLM01:2025]\n    applies: {{ direction: \
         both }}\n    examples: {{ match: [a, b], pass: [c, d] }}\n",
        number + 1
    );
    let has = |choice: char| choices.chars().skip(1).any(|other| other == choice);
    for (choice, key) in [('r', "on: raw"), ('s', "case: sensitive"), ('b', "stream: block_end"), ('g', "capture: 1")] {
        if has(choice) {
            let _ = writeln!(yaml, "    {key}");
        }
    }
    if has('i') && !has('s') {
        yaml.push_str("    case: insensitive\n");
    }
    let (redacts, blocks) = (has('d'), has('k'));
    yaml.push_str(match (redacts, blocks) {
        (_, true) => "    action: block\n",
        (true, _) => "    action: redact\n    mask: \"\\u2588\"\n",
        _ => "    action: score\n",
    });
    // The number of a gap or a count is the first digit; a validator is a digit behind a `v`.
    let (sizes, validators) = choices.split_once('v').unwrap_or((choices, ""));
    let validators: Vec<&str> =
        VALIDATORS.iter().filter(|(choice, _)| validators.contains(*choice)).map(|(_, name)| *name).collect();
    if !validators.is_empty() {
        let _ = writeln!(yaml, "    validators: [{}]", validators.join(", "));
    }
    let size = sizes.chars().find_map(|c| c.to_digit(10)).unwrap_or(2);
    yaml.push_str("    patterns:\n");
    for text in patterns.split(" & ") {
        let _ = writeln!(yaml, "      - {}", pattern(choices.chars().next(), size, has('y'), text));
    }
    yaml
}

fn pattern(kind: Option<char>, size: u32, in_bytes: bool, text: &str) -> String {
    let unit = if in_bytes { "bytes" } else { "words" };
    let parts = || text.split(';').map(part).collect::<Vec<_>>().join(", ");
    match kind {
        Some('l') => format!("literal: {}", quoted(text)),
        Some('w') => format!("{{ literal: {}, word: true }}", quoted(text)),
        Some('n') => format!("near: {{ {unit}: {size}, of: [{}] }}", parts()),
        Some('q') => format!("sequence: {{ of: [{}], gap: {{ {unit}: {size} }} }}", parts()),
        Some('c') => format!("count: {{ of: {}, at_least: {size}, gap: {{ {unit}: 3 }} }}", part(text)),
        _ => format!("regex: {}", quoted(&regex(text))),
    }
}

fn part(text: &str) -> String {
    match text.strip_prefix('/') {
        Some(text) => format!("{{ regex: {} }}", quoted(&regex(text))),
        None => quoted(text),
    }
}

/// A regex in which every bracket has its partner and every repeat something to repeat.
fn regex(text: &str) -> String {
    let mut out = String::new();
    let mut open = 0;
    // Byte at which the last item began, while a repeat may follow it.
    let mut item = None;
    let mut starts = Vec::new();
    for c in text.chars() {
        let at = out.len();
        match c {
            '(' | '[' => {
                out.push_str(if c == '(' { "(?:" } else { "(" });
                starts.push(at);
                open += 1;
                item = None;
                continue;
            }
            ')' | ']' => {
                if open > 0 {
                    open -= 1;
                    out.push(')');
                    item = starts.pop();
                }
                continue;
            }
            '|' => {
                out.push('|');
                item = None;
                continue;
            }
            _ => {}
        }
        if let Some(repeat) = repeat(c) {
            if let Some(start) = item.take() {
                let repeated = out.split_off(start);
                let _ = write!(out, "(?:{repeated}){repeat}");
            }
            continue;
        }
        out.push_str(&class(c).map_or_else(|| escaped(c), str::to_owned));
        item = Some(at);
    }
    out.extend(std::iter::repeat_n(')', open));
    out
}

fn repeat(c: char) -> Option<&'static str> {
    Some(match c {
        '?' => "?",
        '*' => "{0,5}",
        '+' => "{1,4}",
        '!' => "{2,3}?",
        '=' => "{3}",
        '@' => "{1,40}",
        '%' => "{0,300}",
        '~' => "+",
        '"' => "*?",
        _ => return None,
    })
}

fn class(c: char) -> Option<&'static str> {
    Some(match c {
        'A' => "[abc]",
        'B' => r"\b",
        'C' => "(?i:ba)",
        'D' => r"\d",
        'E' => "[^a]",
        'F' => "[^\\x00-\\x7f]",
        'G' => "[a-c1 ]",
        'H' => r"(?-u:\w)",
        'K' => "(?i:k)",
        'M' => "(?m:$)",
        'N' => r"(?-u:\B)",
        'O' => "(?m:^)",
        'P' => "[[:punct:]]",
        'Q' => r"\b{start}",
        'R' => "(?:ab|abc|c)",
        'S' => r"\s",
        'T' => r"\b{end}",
        'U' => r"\p{Lu}",
        'V' => r"\b{end-half}",
        'W' => r"\w",
        'X' => ".",
        'Y' => "(?s:.)",
        '^' => "^",
        '$' => "$",
        _ => return None,
    })
}

fn escaped(c: char) -> String {
    if c.is_alphanumeric() { c.to_string() } else { format!("\\x{{{:x}}}", u32::from(c)) }
}

/// YAML in double quotes, in ASCII.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}
