//! `portcullis rules new`, `fmt` and `import` as a person runs them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder that holds one rule, which is all that the configuration names.
struct Site(tempfile::TempDir);

const RULE: &str = "family: leak
rules:
  - id: LEAK-001
    title: A made-up phrase
    severity: low
    tags: [owasp:LLM07:2025]
    applies: { direction: both }
    patterns:
      - literal: blue lagoon
    action: score
    examples:
      match: [a blue lagoon, blue lagoons]
      pass: [a lagoon, blue]
";

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(site.path("rules/leak")).unwrap();
        fs::write(site.path("rules/leak/a.yaml"), RULE).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn rules(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.arg("rules").args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("portcullis.yaml");
        command.env("PORTCULLIS_CONFIG", configuration);
        command.env("PORTCULLIS_RULES__FOLDERS", format!("[{}]", self.path("rules").display()));
        command.output().unwrap()
    }

    /// How many rules load, their examples run.
    fn count(&self) -> usize {
        let tested = self.rules(&["test"]);
        assert!(tested.status.success(), "{tested:?}");
        let listed: Value = serde_json::from_slice(&self.rules(&["list", "--json"]).stdout).unwrap();
        listed.as_array().unwrap().len()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn new_gives_the_next_id_and_proves_the_rule() {
    let site = Site::new();
    let shown = site.rules(&["new", "leak", "--literal", "green door"]);
    assert!(shown.status.success(), "{shown:?}");
    let shown = stdout(&shown);
    assert!(
        shown.contains("- id: LEAK-002") && shown.contains("literal: green door") && shown.contains("near miss"),
        "{shown}"
    );
    let file = site.path("rules/leak/a.yaml");
    let file = file.to_str().unwrap();
    let base = ["new", "leak", "--regex", r"\bgreen\s{1,3}doors?\b", "--file", file];
    let add = |more: &[&str]| site.rules(&[&base[..], more].concat());
    assert_eq!(add(&[]).status.code(), Some(64), "without examples");
    let wrong = add(&["--match", "a green door", "--match", "a blue door", "--pass", "a", "--pass", "b"]);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(stderr(&wrong).contains("a blue door"), "{wrong:?}");
    assert_eq!(fs::read_to_string(file).unwrap(), RULE, "nothing was written");
    let added =
        add(&["--match", "a green door", "--match", "green  doors", "--pass", "greendoor", "--pass", "a door: it's"]);
    assert!(added.status.success(), "{added:?}");
    assert_eq!(site.count(), 2);
    assert!(fs::read_to_string(file).unwrap().starts_with(RULE.trim_end()));
    assert_eq!(site.rules(&["fmt", "--check", file]).status.code(), Some(0));
    let elsewhere = site.path("rules/leak/b.yaml");
    let made =
        ["--file", elsewhere.to_str().unwrap(), "--match", "open 1", "--match", "2 open", "--pass", "a", "--pass", "b"];
    let made = site.rules(&[&["new", "leak", "--literal", "open"][..], &made].concat());
    assert!(made.status.success(), "{made:?}");
    assert!(fs::read_to_string(elsewhere).unwrap().contains("LEAK-003"));
    let misplaced = site.rules(&["new", "leak", "--literal", "open", "--file", "rules/secrets/x.yaml"]);
    assert_eq!(misplaced.status.code(), Some(64));
}

#[test]
fn new_makes_the_first_rule_of_a_site_and_says_where_nobody_looks() {
    let site = Site::new();
    fs::remove_file(site.path("rules/leak/a.yaml")).unwrap();
    let add = |file: &Path| {
        let examples = ["--match", "green door 1", "--match", "a green door", "--pass", "a", "--pass", "b"];
        let arguments = ["new", "leak", "--literal", "green door", "--file", file.to_str().unwrap()];
        site.rules(&[&arguments[..], &examples].concat())
    };
    let elsewhere = site.path("more/leak/b.yaml");
    let first = add(&site.path("rules/leak/a.yaml"));
    assert!(first.status.success() && stderr(&first).is_empty(), "{first:?}");
    assert_eq!(site.count(), 1);
    let outside = add(&elsewhere);
    assert!(outside.status.success() && stderr(&outside).contains("not in force"), "{outside:?}");
    assert!(fs::read_to_string(elsewhere).unwrap().contains("green door"));
    assert_eq!(site.count(), 1);
}

#[test]
fn fmt_lays_files_out_and_check_only_says_so() {
    let site = Site::new();
    let file = site.path("rules/leak/a.yaml");
    let name = file.to_str().unwrap();
    assert_eq!(site.rules(&["fmt", "--check", name]).status.code(), Some(0));
    let untidy = RULE
        .replace("    title: A made-up phrase\n", "")
        .replace("    action: score\n", "    action: score # why\n    title:   A made-up phrase\n");
    fs::write(&file, &untidy).unwrap();
    let checked = site.rules(&["fmt", "--check", name]);
    assert_eq!((checked.status.code(), stdout(&checked).trim()), (Some(1), name));
    assert_eq!(fs::read_to_string(&file).unwrap(), untidy);
    assert!(site.rules(&["fmt", name]).status.success());
    assert_eq!(fs::read_to_string(&file).unwrap(), RULE.replace("score\n", "score # why\n"));
    fs::write(&file, "family: [").unwrap();
    let broken = site.rules(&["fmt", name]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(stderr(&broken).contains("a.yaml:1: not YAML"), "{broken:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "family: [");
}

#[test]
fn shipped_files_are_laid_out() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let folders = fs::read_dir(rules).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let files: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    assert!(files.len() > 10);
    let mut arguments = vec!["fmt", "--check"];
    arguments.extend(files.iter().map(String::as_str));
    let checked = Site::new().rules(&arguments);
    assert!(checked.status.success(), "run `portcullis rules fmt` on:\n{}{}", stdout(&checked), stderr(&checked));
}

#[test]
fn gitleaks_rules_load_with_examples_and_what_is_lost_is_listed() {
    let site = Site::new();
    let toml = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rules/import/gitleaks.toml");
    let out = site.path("rules/secrets/imported.yaml");
    let arguments = ["import", "gitleaks", toml.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let strict = site.rules(&[&arguments[..], &["--strict"]].concat());
    assert_eq!(strict.status.code(), Some(1));
    assert!(!out.exists());
    let imported = site.rules(&arguments);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let (said, text) = (stderr(&imported), fs::read_to_string(&out).unwrap());
    for lost in [
        "acme-file: left out: it looks at paths",
        "acme-looking: left out: ",
        "acme-open: repeats without end",
        "settings: for all rules, 1 paths",
    ] {
        assert!(said.contains(lost) && text.contains(lost), "{lost}:\n{said}\n{text}");
    }
    for kept in [
        "id: SEC-900",
        "title: Acme api key",
        "capture: 1",
        "entropy_3_5",
        "case: insensitive",
        "# gitleaks: acme-token",
    ] {
        assert!(text.contains(kept), "{kept}:\n{text}");
    }
    assert_eq!(site.count(), 1 + 4);
    assert_eq!(site.rules(&["fmt", "--check", out.to_str().unwrap()]).status.code(), Some(0));
    assert_eq!(site.rules(&arguments).status.code(), Some(64), "nothing is overwritten");
}

#[test]
fn word_lists_become_a_rule() {
    let site = Site::new();
    let import = |name: &str, words: &str, more: &[&str]| {
        fs::write(site.path("words.txt"), words).unwrap();
        let out = site.path(&format!("rules/leak/{name}.yaml"));
        site.rules(
            &[&["import", "words", "words.txt", "--family", "leak", "--out", out.to_str().unwrap()][..], more].concat(),
        )
    };
    let short = import(
        "short",
        "Project Nightfall\nOperation Daybreak\nab\n",
        &["--id", "LEAK-700", "--action", "redact", "--mask", "[name]"],
    );
    assert_eq!(short.status.code(), Some(0), "{short:?}");
    assert!(stderr(&short).contains("line 3: left out: `ab` is shorter"), "{short:?}");
    let many: String = (0..1000).map(|number| format!("Codename {number}x\n")).collect();
    let long = import("long", &many, &["--strict"]);
    assert_eq!(long.status.code(), Some(0), "{long:?}");
    assert_eq!(fs::read_to_string(site.path("rules/leak/lists/long.txt")).unwrap(), many);
    assert_eq!(site.count(), 3);
    assert_eq!(import("taken", "some words", &["--id", "LEAK-700"]).status.code(), Some(64));
}

#[test]
fn imports_beside_each_other_get_ids_of_their_own() {
    let site = Site::new();
    let import = |name: &str, words: &[u8]| {
        fs::write(site.path("words.txt"), words).unwrap();
        let out = site.path(&format!("elsewhere/leak/{name}.yaml"));
        site.rules(&["import", "words", "words.txt", "--family", "leak", "--out", out.to_str().unwrap()])
    };
    for (name, id) in [("one", "LEAK-900"), ("deeper/two", "LEAK-901"), ("three", "LEAK-902")] {
        assert_eq!(import(name, b"Project Nightfall\n\0bad entry\n").status.code(), Some(0));
        let written = fs::read_to_string(site.path(&format!("elsewhere/leak/{name}.yaml"))).unwrap();
        assert!(written.contains(&format!("id: {id}")), "{name}: {written}");
        assert!(written.contains(r"line 2: left out: `\0bad entry` has a control character"), "{written}");
        assert_eq!(written.matches("bad entry").count(), 1, "{written}");
    }
    let latin = import("latin", b"Project Nightfall\nGr\xfcnes Tor\n");
    assert_eq!(latin.status.code(), Some(64));
    assert!(stderr(&latin).contains("line 2, byte 20") && stderr(&latin).contains("iconv"), "{latin:?}");
}
