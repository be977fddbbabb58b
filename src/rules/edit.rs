//! Changes of rule files that a program makes for people: an exception, or another example, put where an author would have put it.
//! Pure: text in, text out. What comes of it is loaded and tested before anybody keeps it.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::draft::{flow, quoted, scalar};

/// A change.
#[derive(Clone, Debug)]
pub enum RuleEdit {
    /// A finding that somebody looked at and found harmless.
    Exception(ExceptionDraft),
    /// A text that a rule must find, or must leave alone.
    Example {
        /// The rule's id.
        rule: String,
        /// It must find it.
        is_match: bool,
        /// The text.
        text: String,
    },
}

/// An exception, but for its id.
#[derive(Clone, Debug)]
pub struct ExceptionDraft {
    /// The rule's id.
    pub rule: String,
    /// Where it holds: key and values of `applies`, in the order of the manual.
    pub applies: Vec<(&'static str, Vec<String>)>,
    /// What the found text is; `None`: whatever the rule finds there.
    pub found: Option<Found>,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub by: String,
    /// The last day (UTC).
    pub expires: Date,
}

/// What a found text is.
#[derive(Clone, Debug)]
pub enum Found {
    /// Byte for byte.
    Text(String),
    /// By its hash, in hex, for what must not stand in a file.
    Sha256(String),
}

/// A file with an exception more; `None`: there is no such file yet.
///
/// # Errors
/// A file that does not end with its exceptions: what to do.
pub fn with_exception(file: Option<&str>, id: &str, draft: &ExceptionDraft) -> Result<String, String> {
    let mut out = match file.map(str::trim_end).filter(|text| !text.is_empty()) {
        None => "# Exceptions that the console wrote. Take out what is not needed any more.\nexceptions:\n".to_owned(),
        Some(text) => {
            let is_key = |line: &&str| line.starts_with(|c: char| !c.is_whitespace() && c != '#');
            match text.lines().rev().find(is_key) {
                Some(key) if key.trim_end() == "exceptions:" => format!("{text}\n\n"),
                _ => {
                    return Err("the file does not end with a list `exceptions:`; move that list to its end".to_owned());
                }
            }
        }
    };
    let mut line = |start: &str, value: String| {
        let _ = writeln!(out, "{start}{value}");
    };
    line("  - id: ", scalar(id));
    line("    rules: ", flow(std::slice::from_ref(&draft.rule)));
    if !draft.applies.is_empty() {
        let scopes = draft.applies.iter().map(|(key, values)| format!("{key}: {}", flow(values)));
        line("    applies: ", format!("{{ {} }}", scopes.collect::<Vec<_>>().join(", ")));
    }
    match &draft.found {
        Some(Found::Text(text)) => line("    text: ", quoted(text)),
        Some(Found::Sha256(hash)) => line("    sha256: ", quoted(hash)),
        None => {}
    }
    line("    reason: ", scalar(&draft.reason));
    line("    by: ", scalar(&draft.by));
    line("    expires: ", draft.expires.to_string());
    Ok(out)
}

/// A file in which the rule whose `id` stands in this line (from 1) has an example more.
///
/// # Errors
/// A rule that is laid out in another way: what to do.
pub fn with_example(file: &str, line: usize, is_match: bool, example: &str) -> Result<String, String> {
    let lines: Vec<&str> = file.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_empty = |line: &str| line.trim().is_empty();
    let odd = || {
        let list = if is_match { "match" } else { "pass" };
        format!("the rule has no list `{list}` of its own under `examples`; `portcullis rules fmt` lays the file out")
    };
    let start = line.checked_sub(1).filter(|start| *start < lines.len()).ok_or_else(odd)?;
    // The keys of the rule stand as deep as its `id`, whose hyphen is part of that.
    let depth = lines.get(start).map(|line| indent(&line.replacen("- ", "  ", 1))).ok_or_else(odd)?;
    let key = |from: usize, depth: usize, name: &str| {
        let rest = lines.iter().enumerate().skip(from);
        let own = rest.take_while(|(_, line)| is_empty(line) || indent(line) >= depth);
        own.filter(|(_, line)| indent(line) == depth && line.trim() == name).map(|(at, _)| at).next()
    };
    let examples = key(start + 1, depth, "examples:").ok_or_else(odd)?;
    let inner = lines.get(examples + 1).map(|line| indent(line)).filter(|inner| *inner > depth).ok_or_else(odd)?;
    let list = key(examples + 1, inner, if is_match { "match:" } else { "pass:" }).ok_or_else(odd)?;
    let items = lines.get(list + 1).filter(|line| line.trim_start().starts_with("- ")).map(|line| indent(line));
    let items = items.filter(|items| *items >= inner).ok_or_else(odd)?;
    let is_item = |line: &&&str| {
        is_empty(line) || indent(line) > items || line.trim_start().starts_with("- ") && indent(line) == items
    };
    let mut end = list + 1 + lines.iter().skip(list + 1).take_while(is_item).count();
    while end > list + 1 && lines.get(end - 1).is_some_and(|line| is_empty(line)) {
        end -= 1;
    }
    let mut out = String::with_capacity(file.len() + example.len() + 64);
    for (at, line) in lines.iter().enumerate() {
        if at == end {
            let _ = writeln!(out, "{:items$}- {}", "", quoted(example));
        }
        let _ = writeln!(out, "{line}");
    }
    if end == lines.len() {
        let _ = writeln!(out, "{:items$}- {}", "", quoted(example));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::rules::from_sources;

    const RULES: &str = "family: injection\nrules:\n  - id: INJ-900\n    title: Says abracadabra\n    severity: high\n    tags: [owasp:LLM01:2025]\n    applies: { direction: request }\n    patterns:\n      - literal: abracadabra\n    action: score\n    examples:\n      match:\n        - 'abracadabra'\n        - 'so: abracadabra'\n      pass:\n        - 'abra'\n        - 'cadabra'\n\n  # The next one.\n  - id: INJ-901\n    title: Says simsalabim\n    severity: high\n    tags: [owasp:LLM01:2025]\n    applies: { direction: request }\n    patterns:\n      - literal: simsalabim\n    action: score\n    examples:\n      match:\n        - simsalabim\n        - |\n          a\n          simsalabim\n      pass:\n        - 'simsa'\n        - 'labim'\n";

    fn load(extra: Vec<(PathBuf, String)>, rules: &str) -> crate::rules::RuleSet {
        let mut sources = vec![(PathBuf::from("injection/own.yaml"), rules.to_owned())];
        sources.extend(extra);
        from_sources(sources).unwrap_or_else(|found| panic!("{found}")).set
    }

    fn examples(set: &crate::rules::RuleSet, id: &str, is_match: bool) -> Vec<String> {
        let (_, rule) = set.by_id(id).unwrap();
        rule.examples.iter().filter(|one| one.is_match == is_match).map(|one| one.text.clone()).collect()
    }

    #[test]
    fn an_example_goes_where_it_belongs_whatever_it_says() {
        let hostile = "it's \"odd\": - #x\n\u{202e}\u{1b}[2J {a: b}\t| abracadabra simsalabim";
        for (id, line, is_match) in
            [("INJ-900", 3, true), ("INJ-900", 3, false), ("INJ-901", 20, true), ("INJ-901", 20, false)]
        {
            let text = with_example(RULES, line, is_match, hostile).unwrap();
            let set = load(Vec::new(), &text);
            let before = load(Vec::new(), RULES);
            let mut expected = examples(&before, id, is_match);
            expected.push(hostile.to_owned());
            assert_eq!(examples(&set, id, is_match), expected, "{text}");
            for other in ["INJ-900", "INJ-901"] {
                if other != id {
                    assert_eq!(examples(&set, other, is_match), examples(&before, other, is_match));
                }
            }
            assert!(text.contains("# The next one."));
        }
        assert!(with_example(RULES, 0, true, "x").is_err());
        assert!(with_example(RULES, 999, true, "x").is_err());
        let flowing = RULES.replace(
            "      match:\n        - 'abracadabra'\n        - 'so: abracadabra'\n",
            "      match: ['abracadabra', 'so: abracadabra']\n",
        );
        assert!(with_example(&flowing, 3, true, "x").unwrap_err().contains("rules fmt"));
    }

    #[test]
    fn exceptions_follow_each_other_whatever_they_say() {
        let draft = ExceptionDraft {
            rule: "INJ-900".to_owned(),
            applies: vec![("models", vec!["gpt-4o, mini".to_owned()]), ("tenants", vec!["acme: {x}".to_owned()])],
            found: Some(Found::Text("abra\u{202e}'\"\n- x".to_owned())),
            reason: "it's: fine # really".to_owned(),
            by: "ann@example.com".to_owned(),
            expires: "2027-01-31".parse().unwrap(),
        };
        let one = with_exception(None, "EXC-1", &draft).unwrap();
        let hash = Found::Sha256("ab".repeat(32));
        let two = ExceptionDraft { applies: Vec::new(), found: Some(hash), ..draft.clone() };
        let two = with_exception(Some(&one), "EXC-2", &two).unwrap();
        let set = load(vec![(PathBuf::from("console.yaml"), two)], RULES);
        let told: Vec<_> = set.exceptions().iter().map(|one| (one.id.as_str(), one.reason.as_str())).collect();
        assert_eq!(told, [("EXC-1", "it's: fine # really"), ("EXC-2", "it's: fine # really")]);
        assert_eq!(set.exceptions()[0].scope().tenants, ["acme: {x}"]);
        assert!(with_exception(Some("exceptions: []\nrules: []\n"), "EXC-1", &draft).is_err());
    }
}
