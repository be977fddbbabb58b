//! Rule files: the reports that bad ones get, and that the shipped ones load and do what their examples say.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis::base::limits::rules as limits;
use portcullis::rules::lint::Level;
use portcullis::rules::{from_sources, load};
use portcullis::scan::Scanner;
use portcullis::scan::examples::run_examples;
use portcullis::scan::lint::lint;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `PORTCULLIS_BLESS=1` writes the reports anew; the diff is then the review.
#[test]
fn bad_files_get_the_reports_beside_them() {
    let bless = std::env::var_os("PORTCULLIS_BLESS").is_some();
    let (mut ran, mut wrong) = (0, Vec::new());
    let mut files: Vec<PathBuf> =
        fs::read_dir(here("tests/data/rules/bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
        ran += 1;
        let name = Path::new("injection").join(file.file_name().unwrap());
        let mut sources = vec![(name, fs::read_to_string(file).unwrap())];
        for list in ["lists/empty.txt", "lists/words.txt"] {
            let content = fs::read_to_string(here("tests/data/rules/bad").join(list)).unwrap();
            sources.push((Path::new("injection").join(list), content));
        }
        let report = from_sources(sources).unwrap_err().to_string();
        let golden = file.with_extension("out");
        if bless {
            fs::write(&golden, &report).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != report {
            wrong.push(format!("{}:\n{report}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 35, "{ran} files ran");
}

/// What the linter says of them is repaired or allowed, with a reason.
#[test]
fn nothing_is_to_be_said_of_the_shipped_rules() {
    let loaded = load(&[here("rules")]).unwrap();
    assert!(loaded.warnings.warnings.is_empty(), "{}", loaded.warnings);
    let linted = lint(&Scanner::new(Arc::new(loaded.set)).unwrap(), None);
    let told = linted.findings.iter().filter(|finding| finding.level >= Level::Warning);
    let told: Vec<String> =
        told.map(|finding| format!("{} {}: {}", finding.rule, finding.lint.name(), finding.message)).collect();
    assert!(told.is_empty(), "{told:#?}");
    assert!(!linted.allowed.is_empty());
}

#[test]
fn an_id_is_unique_over_all_files() {
    let rule = |text: &str| {
        format!(
            "family: injection\nrules:\n- id: INJ-001\n  title: t\n  severity: low\n  tags: [owasp:LLM01:2025]\n  \
             applies: {{ direction: request }}\n  patterns: [{{ literal: {text} }}]\n  action: score\n  \
             examples: {{ match: [{text}, a {text}], pass: [b, c] }}\n"
        )
    };
    let files = |names: [&str; 2]| names.map(|name| (PathBuf::from(name), rule("needle"))).to_vec();
    let problems = from_sources(files(["injection/b.yaml", "injection/a.yaml"])).unwrap_err();
    assert_eq!(problems.errors.len(), 1);
    assert_eq!(problems.errors[0].code, "R009");
    assert_eq!(problems.errors[0].file, Path::new("injection/b.yaml"));
    assert!(problems.errors[0].message.contains("injection/a.yaml:3"), "{problems}");
}

/// Files are checked on all cores; what is reported is as if they were checked one after the other.
#[test]
fn problems_come_in_the_order_of_the_files() {
    let rule = |number: usize, severity: &str| {
        format!(
            "- {{ id: INJ-{number:03}, title: t, severity: {severity}, tags: [owasp:LLM01:2025], applies: {{ direction: request }}, \
             patterns: [{{ literal: needle }}], action: score, examples: {{ match: [needle, a needle], pass: [b, c] }} }}\n"
        )
    };
    // Each file has a rule of its own with a problem, and one whose id the file before it has too.
    let file = |number: usize| {
        let content = format!("family: injection\nrules:\n{}{}", rule(number, "grave"), rule(number / 2 + 500, "low"));
        (PathBuf::from(format!("injection/{number:03}.yaml")), content)
    };
    let report = || from_sources((0..100).rev().map(file).collect()).unwrap_err();
    let problems = report();
    let found: Vec<(String, &str)> =
        problems.errors.iter().map(|error| (error.file.display().to_string(), error.code)).collect();
    let expected = (0..100).flat_map(|number| {
        let codes: &[&str] = if number % 2 == 1 { &["R007", "R009"] } else { &["R007"] };
        codes.iter().map(move |code| (format!("injection/{number:03}.yaml"), *code))
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert!(problems.to_string().contains("the id `INJ-549` is used already, in injection/098.yaml:4"), "{problems}");
    assert_eq!(problems.to_string(), report().to_string());
}

#[test]
fn the_version_follows_content_and_not_the_place() {
    let content = fs::read_to_string(here("tests/data/rules/good/injection/plain.yaml")).unwrap();
    let version = |path: &str, content: &str| {
        let loaded = from_sources(vec![(PathBuf::from(path), content.to_owned())]).unwrap();
        assert_eq!(loaded.set.version().len(), 64);
        assert_eq!(loaded.set.version_short(), &loaded.set.version()[..12]);
        loaded.set.version().to_owned()
    };
    let here = version("injection/plain.yaml", &content);
    assert_eq!(here, version("/etc/portcullis/rules/injection/plain.yaml", &content));
    assert_ne!(here, version("injection/other.yaml", &content));
    assert_ne!(here, version("injection/plain.yaml", &format!("{content}# more\n")));
}

#[test]
fn folders_and_overlays_are_read_recursively() {
    let good = here("tests/data/rules/good");
    let loaded = load(std::slice::from_ref(&good)).unwrap();
    assert!(loaded.set.by_id("INJ-001").is_some() && loaded.set.by_id("SEC-001").is_some());
    let twice = load(&[good.clone(), good]).unwrap_err();
    assert!(twice.errors.iter().all(|error| error.code == "R009"), "{twice}");
    let hidden = tempfile::tempdir().unwrap();
    let family = hidden.path().join("injection");
    fs::create_dir_all(family.join("..2026_11_21")).unwrap();
    for file in ["plain.yaml", ".plain.yaml.swp.yaml", "..2026_11_21/plain.yaml"] {
        fs::copy(here("tests/data/rules/good/injection/plain.yaml"), family.join(file)).unwrap();
    }
    assert_eq!(load(&[hidden.path().to_owned()]).unwrap().set.len(), 1);
    let missing = load(&[here("tests/data/rules/nowhere")]).unwrap_err();
    assert_eq!(missing.errors[0].code, "R001");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(load(&[empty.path().to_owned()]).unwrap_err().errors[0].code, "R049");
    fs::write(empty.path().join("latin.yaml"), b"family: \xe9\n").unwrap();
    let latin = load(&[empty.path().to_owned()]).unwrap_err();
    assert_eq!((latin.errors.len(), latin.errors[0].code), (1, "R001"));
}

#[test]
fn a_file_may_be_as_large_as_the_limit_and_no_larger() {
    let folder = tempfile::tempdir().unwrap();
    let family = folder.path().join("injection");
    fs::create_dir(&family).unwrap();
    let content = fs::read_to_string(here("tests/data/rules/good/injection/plain.yaml")).unwrap();
    let limit = limits::FILE_BYTES;
    for (bytes, loads) in [(limit, true), (limit + 1, false)] {
        let padding = format!("#{}\n", "x".repeat(bytes - content.len() - 2));
        fs::write(family.join("plain.yaml"), format!("{content}{padding}")).unwrap();
        match load(&[folder.path().to_owned()]) {
            Ok(_) => assert!(loads),
            Err(problems) => assert!(!loads && problems.errors[0].code == "R001", "{problems}"),
        }
    }
}

/// A rule file with one pattern and one more example.
fn one_rule(number: usize, pattern: &str, example: &str) -> String {
    format!(
        "- {{ id: INJ-{number:03}, title: t, severity: low, tags: [owasp:LLM01:2025], applies: {{ direction: both }}, \
         patterns: [{pattern}], action: score, examples: {{ match: [abc, '{example}'], pass: [b, c] }} }}\n"
    )
}

fn codes(rules: &str) -> Vec<&'static str> {
    let file = (PathBuf::from("injection/limits.yaml"), format!("family: injection\nrules:\n{rules}"));
    match from_sources(vec![file]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.errors.iter().map(|error| error.code).collect(),
    }
}

#[test]
fn limits_hold_at_n_and_break_at_n_plus_1() {
    assert!(codes(&one_rule(1, "literal: abc", &"x".repeat(limits::EXAMPLE_BYTES))).is_empty());
    assert_eq!(codes(&one_rule(1, "literal: abc", &"x".repeat(limits::EXAMPLE_BYTES + 1))), ["R020"]);

    // A counted repeat may be 1000 at most in some dialects, not in ours.
    let long = |bytes: usize| format!("{{ regex: 'abc[0-9]{{1,{}}}' }}", bytes - 3);
    assert!(codes(&one_rule(1, &long(limits::STREAM_MATCH_BYTES), "abc")).is_empty());
    assert_eq!(codes(&one_rule(1, &long(limits::STREAM_MATCH_BYTES + 1), "abc")), ["R017"]);

    for (files, expected) in [(limits::FILES, None), (limits::FILES + 1, Some("R022"))] {
        let rule = format!("family: injection\nrules:\n{}", one_rule(1, "literal: abc", "abc"));
        let name = |index: usize| PathBuf::from(format!("injection/{index}.yaml"));
        // Only the first file has a rule of its own; what the others say is not the matter here.
        let sources = (0..files).map(|index| (name(index), if index == 0 { rule.clone() } else { "x".to_owned() }));
        let problems = from_sources(sources.collect()).unwrap_err();
        assert_eq!(problems.errors.iter().map(|error| error.code).find(|code| *code == "R022"), expected);
    }
}

proptest::proptest! {
    /// Whatever a file holds, it loads or it is reported, and the report can be written out.
    #[test]
    fn no_file_breaks_the_loader(edits in proptest::collection::vec((0usize..4000, 0usize..12, "[-:'\"\\[{}\\]|>#&*!%@ \\n\\\\a-c(?)+é\u{200B}]{0,4}"), 1..6)) {
        let mut content = fs::read_to_string(here("tests/data/rules/good/injection/plain.yaml")).unwrap();
        for (at, cut, put) in edits {
            let boundary = |at: usize| (0..=at.min(content.len())).rev().find(|at| content.is_char_boundary(*at)).unwrap();
            let from = boundary(at % (content.len() + 1));
            let to = boundary(from + cut).max(from);
            content.replace_range(from..to, &put);
        }
        match from_sources(vec![("injection/plain.yaml".into(), content)]) {
            Ok(loaded) => assert!(!loaded.set.is_empty()),
            Err(problems) => assert!(!problems.errors.is_empty() && problems.to_string().contains("error R")),
        }
    }
}

fn examples_hold(folder: &Path) {
    let loaded = load(&[folder.to_owned()]).unwrap_or_else(|problems| panic!("{problems}"));
    let scanner = Scanner::new(Arc::new(loaded.set)).unwrap();
    let report = run_examples(&scanner);
    assert!(report.is_ok(), "{report}");
    assert!(report.examples >= 4 * report.rules && report.ran >= report.examples, "{report}");
}

#[test]
fn the_test_rules_do_what_their_examples_say() {
    examples_hold(&here("tests/data/rules/good"));
}

#[test]
fn the_shipped_rules_do_what_their_examples_say() {
    examples_hold(&here("rules"));
}
