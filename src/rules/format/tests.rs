use super::*;

#[track_caller]
fn formats(text: &str, expected: &str) {
    let formatted = format(text).unwrap();
    assert_eq!(formatted, expected);
    assert_eq!(format(&formatted).unwrap(), formatted, "twice is once");
}

#[test]
fn keys_quotes_and_lines_are_put_in_order_and_comments_stay() {
    formats(
        r##"
# Head of the file.
#
# More.

family:   secrets
rules:
# About the first.
- id: SEC-901   # beside the id
  patterns:
  # above the pattern
  - regex: "\\bkey-[a-z]{3}\""
  - {regex: plain a,   name: x}
  title: "A made-up key"


  tags:
    - owasp:LLM02:2025
    - 'cwe:CWE-798'
  severity: info
  description: >-
      folded
      words
  examples:
      match: [ "k\x65y-abc" , 'it''s' ]
      pass:
      - text: "two
          lines"
        role: user
      - |
        block
          more
  # above the action
  action: flag
  lint:
    allow:
    - no-literal
    - expensive
    because:   it is 'meant' so
- id: SEC-902
# the end
"##,
        r##"# Head of the file.
#
# More.

family: secrets
rules:
  # About the first.
  - id: SEC-901 # beside the id
    title: "A made-up key"
    description: >-
      folded
      words
    severity: info
    tags: [owasp:LLM02:2025, 'cwe:CWE-798']
    patterns:
      # above the pattern
      - regex: '\bkey-[a-z]{3}"'
      - { regex: 'plain a', name: x }
    # above the action
    action: flag
    lint:
      allow: [no-literal, expensive]
      because: it is 'meant' so
    examples:
      match: ["k\x65y-abc", 'it''s']
      pass:
        - text: "two
            lines"
          role: user
        - |
          block
            more

  - id: SEC-902
# the end
"##,
    );
}

#[test]
fn long_lists_are_filled_and_short_ones_joined() {
    let words: Vec<String> = (0..40).map(|number| format!("word{number:02}")).collect();
    let text = format!("family: leak\nvariables:\n  a: [one,\n    two]\n  b: [{}]\nrules: []\n", words.join(", "));
    let formatted = format(&text).unwrap();
    assert!(formatted.contains("  a: [one, two]\n  b: [\n    word00, word01"), "{formatted}");
    assert!(formatted.lines().all(|line| line.chars().count() <= 120));
    assert_eq!(format(&formatted).unwrap(), formatted);
}

#[test]
fn escapes_are_never_undone() {
    let text = "family: secrets\nrules:\n  - id: SEC-901\n    patterns:\n      - regex: \"k\\x65y\"\n";
    formats(text, text);
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for (text, reason) in [
        ("family: &a secrets\nrules: []\n", "anchors"),
        ("family: leak\nrules: [a, # why\n  b]\n", "comment inside brackets"),
        ("family: leak\nrules:\n  - title: |2\n      x\n", "indent of its own"),
        ("family: [\n", "not YAML"),
        ("- a\n", "mapping"),
    ] {
        let error = format(text).unwrap_err();
        assert!(error.what.contains(reason), "{text:?}: {error:?}");
    }
}

#[test]
fn the_shipped_rules_say_the_same_afterwards() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/rules"))];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let formatted = format(&text).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
                assert_eq!(format(&formatted).unwrap(), formatted, "{}: twice is once", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 10);
}
