//! What people write: rule files with their lists, the configuration, and configurations of gitleaks. Any text is taken or
//! refused with problems that name a place in it; rules that load also compile; laid out by `rules fmt` they say the same.
//!
//! Input: a rule file. Lines `%%% NAME` begin further files, which may be lists. The first file is read as a configuration and
//! as a TOML file as well.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::config::{DEFAULT, Written};
use portcullis::rules::import::gitleaks;
use portcullis::rules::{RuleSet, format, from_sources};
use portcullis::scan::Scanner;
use portcullis::yaml::Diagnostics;

/// What begins a further file.
const NEXT_FILE: &str = "\n%%% ";

fuzz_target!(|data: &[u8]| -> Corpus {
    let input = String::from_utf8_lossy(data);
    let mut files = input.split(NEXT_FILE);
    let content = files.next().unwrap_or_default();
    let further = files.map(|file| file.split_once('\n').unwrap_or((file, "")));
    let mut sources = vec![(path(content), content.to_owned())];
    for (name, content) in further {
        // As in a folder, no name is there twice.
        if sources.iter().all(|(other, _)| other != Path::new(name)) {
            sources.push((PathBuf::from(name), content.to_owned()));
        }
    }
    rules(content, &sources);
    layout(content, &sources);
    configuration(content);
    import(content);
    Corpus::Keep
});

/// A file lies in the folder that its family names.
fn path(content: &str) -> PathBuf {
    let family = content.lines().find_map(|line| line.strip_prefix("family:"));
    let family = family.map_or("", |rest| rest.split('#').next().unwrap_or_default().trim());
    let is_name = !family.is_empty() && family.bytes().all(|byte| byte.is_ascii_lowercase());
    Path::new(if is_name { family } else { "injection" }).join("fuzz.yaml")
}

fn rules(content: &str, sources: &[(PathBuf, String)]) {
    let text = |file: &Path| sources.iter().find(|(path, _)| path == file).map(|(_, content)| content.as_str());
    match from_sources(sources.to_vec()) {
        Ok(loaded) => {
            assert!(loaded.warnings.errors.is_empty());
            in_place(&loaded.warnings, text);
            Scanner::new(Arc::new(loaded.set)).unwrap_or_else(|error| panic!("loads, yet {error}: {content}"));
        }
        Err(problems) => {
            assert!(!problems.errors.is_empty(), "refused without a reason");
            in_place(&problems, text);
        }
    }
}

/// Every problem that has a place has it inside its file, and can be shown.
fn in_place<'c>(problems: &Diagnostics, text: impl Fn(&Path) -> Option<&'c str>) {
    assert!(problems.to_string().len() >= problems.errors.len());
    for problem in problems.errors.iter().chain(&problems.warnings) {
        if let (Some(place), Some(content)) = (problem.place, text(&problem.file)) {
            assert!(is_inside(place, content), "{problem:?} lies outside {content:?}");
            let shown = problem.line_text.as_deref().unwrap_or_default();
            assert!(content.contains(shown) && shown.chars().count() + 1 >= place.1, "{problem:?} shows another line");
        }
    }
}

/// The end of the file, and the end of each line, are inside: something may be missing there.
fn is_inside((line, column): (usize, usize), content: &str) -> bool {
    // A carriage return alone ends a line of YAML as well.
    let content = content.replace("\r\n", "\n").replace('\r', "\n");
    match line.checked_sub(1).map(|before| content.split('\n').nth(before)) {
        Some(Some(text)) => column >= 1 && column <= text.chars().count() + 1,
        Some(None) => line == content.split('\n').count() + 1 && column == 1,
        None => false,
    }
}

fn layout(content: &str, sources: &[(PathBuf, String)]) {
    let formatted = match format::format(content) {
        Ok(formatted) => formatted,
        Err(left) => {
            assert!(left.line >= 1);
            // It found out by itself that it would have said something else. Rules that load must never come to that.
            assert!(!left.what.contains("please report") || load(sources).is_none(), "{}: {content:?}", left.what);
            return;
        }
    };
    let again = format::format(&formatted);
    assert_eq!(again.as_ref(), Ok(&formatted), "laid out twice, from {content:?}");
    if let Some(before) = load(sources) {
        let mut changed = sources.to_vec();
        changed[0].1 = formatted;
        let after = load(&changed).unwrap_or_else(|| panic!("laid out, it does not load: {:?}", changed[0].1));
        assert_eq!(said(&after), said(&before), "laid out: {:?}", changed[0].1);
    }
}

fn load(sources: &[(PathBuf, String)]) -> Option<RuleSet> {
    from_sources(sources.to_vec()).ok().map(|loaded| loaded.set)
}

/// What the rules say, without the lines in which they say it.
fn said(set: &RuleSet) -> Vec<serde_json::Value> {
    let said = |rule: &portcullis::rules::Rule| {
        let mut value = serde_json::to_value(rule).expect("rules can be listed");
        value.as_object_mut().expect("a rule is listed as an object").remove("line");
        let examples = rule.examples.iter().map(|example| {
            let found = example.found.as_deref();
            serde_json::json!([example.text, example.is_match, found, example.role.map(|role| role.name())])
        });
        serde_json::json!([value, examples.collect::<Vec<_>>()])
    };
    set.iter().map(|(_, rule)| said(rule)).collect()
}

fn configuration(content: &str) {
    let name = Path::new("/etc/portcullis.yaml");
    let text = |file: &Path| (file == name).then_some(content);
    let written = Written::kept(name.to_owned(), content.to_owned(), Vec::new());
    match written.load() {
        Ok(loaded) => {
            let warnings = Diagnostics { warnings: loaded.warnings, ..Diagnostics::default() };
            in_place(&warnings, text);
            assert!(written.policy().is_ok(), "the whole loads, the policy in it does not");
            let shipped = Written::kept(name.to_owned(), DEFAULT.to_owned(), Vec::new());
            let (there, back) = (written.needs_restart(&shipped), shipped.needs_restart(&written));
            assert_eq!(there.is_empty(), back.is_empty(), "{there:?}, {back:?}");
            assert!(written.needs_restart(&written).is_empty());
        }
        Err(problems) => {
            assert!(!problems.errors.is_empty(), "refused without a reason");
            in_place(&problems, text);
        }
    }
    if let Err(problems) = written.policy() {
        in_place(&problems, text);
    }
}

/// What comes out of another program's rules is for people to look at; what they are told of is never empty.
fn import(content: &str) {
    if let Ok(imported) = gitleaks::import(content) {
        assert!(imported.notes.iter().all(|note| !note.what.is_empty()));
    }
}
