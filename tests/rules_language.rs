//! The rule language through the whole inspection: conditions over the readings and parts of a message, scores of the
//! classifier, transforms, lists from the disk.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use portcullis::base::limits::rules as limits;
use portcullis::base::{Cause, ExchangeId, Fault, FaultAction, FaultPolicy, Limits, Span};
use portcullis::inspect::{Answer, BlockEnd, Encode, Judged, Judgement, Outcome, ReplyStream, Scanned, Snapshot, Step};
use portcullis::protocol::openai::{ChatChunk, ChatRequest, ChatStream, Template};
use portcullis::rules::{Facts, Loaded, from_sources, load};
use portcullis::scan::{Context, Reading, Scanner};
use portcullis::text::{Direction, Role, canonical};
use portcullis::verdict::{Action, Levels, ModelLevels, ModelThresholds, Source, Verdict};
use serde_json::{Value, json};
use support::snapshot;

/// Rules of the same head: each the lines that it adds.
fn rules(each: &[&str]) -> Loaded {
    let mut file = "family: injection\ndefaults: { severity: info, tags: [owasp:LLM01:2025], action: score, \
                    applies: { direction: request } }\nrules:\n"
        .to_owned();
    for (number, lines) in each.iter().enumerate() {
        let _ =
            write!(file, "  - id: INJ-{number:03}\n    title: t\n    examples: {{ match: [a, b], pass: [c, d] }}\n");
        lines.lines().for_each(|line| file.push_str(&format!("    {}\n", line.trim())));
    }
    match from_sources(vec![(PathBuf::from("injection/test.yaml"), file.clone())]) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{problems}\n{file}"),
    }
}

/// The classifier is asked about users' texts and replies where `asks`.
fn snapshot(loaded: Loaded, asks: bool, block_end: BlockEnd) -> Arc<Snapshot> {
    let mut snapshot = snapshot::of(loaded.set, Levels { flag: 2, block: Some(100) });
    let asked = ModelLevels { flag: asks.then_some(0.99), block: None };
    snapshot.policy.model = ModelThresholds { user: asked, provider: asked, ..snapshot.policy.model };
    snapshot.faults = FaultPolicy::from_names(|_| FaultAction::Pass);
    Arc::new(Snapshot { block_end, ..snapshot })
}

fn scan(snapshot: &Arc<Snapshot>, content: &Value) -> Scanned<ChatRequest> {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": content }] });
    let request = ChatRequest::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
    snapshot.scan(request, Direction::Request, &Facts::default())
}

fn parts(texts: &[&str]) -> Value {
    texts.iter().map(|text| json!({ "type": "text", "text": text })).collect()
}

fn found(verdict: &Verdict) -> Vec<(String, String)> {
    let mut found: Vec<_> = verdict
        .findings
        .iter()
        .filter(|finding| matches!(finding.source, Source::Rule { .. }))
        .map(|finding| (finding.source.name().to_owned(), finding.excerpt.clone()))
        .collect();
    found.sort();
    found
}

fn shown(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect()
}

fn sent<T: Encode>(judged: Judged<T>) -> String {
    match judged.outcome {
        Outcome::Cleared(cleared) => String::from_utf8(cleared.encode().into_bytes().to_vec()).unwrap(),
        Outcome::Blocked(_) | Outcome::Refused(..) => panic!("not sent"),
    }
}

const BOTH: &str = "patterns: [{ name: a, literal: alpha }, { name: b, literal: beta }, { name: c, literal: gamma }]
                    condition: a and b and not c";

#[test]
fn all_readings_of_a_text_are_judged_together() {
    let snapshot = snapshot(rules(&[BOTH]), false, BlockEnd::Hold);
    let judge = |content: Value| found(&scan(&snapshot, &content).judge(Answer::NotAsked).verdict);
    let hidden = BASE64_STANDARD.encode("and now beta too, of course");
    let both = judge(json!(format!("alpha, then {hidden}")));
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(both[1], ("INJ-000".to_owned(), "alpha".to_owned()));
    assert!(judge(json!(format!("alpha, gamma, then {hidden}"))).is_empty());
    assert!(judge(json!("alpha and alph\u{200B}a")).is_empty());
    assert_eq!(judge(json!("\u{200B}al\u{200B}pha bet\u{200B}a")).len(), 2);
}

#[test]
fn the_parts_of_a_message_are_judged_together_too() {
    let snapshot = snapshot(rules(&[BOTH]), false, BlockEnd::Hold);
    let judge = |texts: &[&str]| found(&scan(&snapshot, &parts(texts)).judge(Answer::NotAsked).verdict);
    assert_eq!(shown(&judge(&["al", "pha", "beta"])), [("INJ-000", "al")]);
    assert!(judge(&["alpha", "delta"]).is_empty());
    assert!(judge(&["alpha", "beta", "gamma"]).is_empty());
    // What a part says alone stands, whatever the others say.
    assert_eq!(judge(&["alpha beta", "gamma"]).len(), 2);
}

#[test]
fn counts_are_of_places_not_of_readings() {
    let count = "patterns: [{ name: a, literal: alpha }]
                 condition: 'count(a) == 2'";
    let snapshot = snapshot(rules(&[count]), false, BlockEnd::Hold);
    let judge = |text: &str| found(&scan(&snapshot, &json!(text)).judge(Answer::NotAsked).verdict).len();
    // `é` makes the canonical text another than the raw one: both readings see each match.
    assert_eq!(["é alpha", "é alpha alpha", "é alpha alpha alpha"].map(judge), [0, 2, 0]);
}

const SCORED: &str = "patterns: [{ name: a, literal: alpha }]
                      condition: a and score.injection > 0.5
                      action: redact
                      mask: '[x]'";
const UNSCORED: &str = "patterns: [{ name: b, literal: beta }]
                        condition: b and not score.attack > 0.5";

fn judgement(score: f32, label: &'static str) -> Judgement {
    Judgement { score, label, window: Span::new(0, 1), unjudged: false }
}

#[test]
fn the_classifier_decides_what_asks_for_its_scores() {
    let snapshot = snapshot(rules(&[SCORED, UNSCORED]), true, BlockEnd::Hold);
    let judge =
        |score, label| scan(&snapshot, &json!("alpha beta")).judge(Answer::Scores(vec![judgement(score, label)]));
    let high = judge(0.6, "injection");
    assert_eq!(shown(&found(&high.verdict)), [("INJ-000", "alpha")]);
    assert_eq!(high.verdict.action, Action::Redact);
    assert!(sent(high).contains("[x] beta"));
    let other = judge(0.6, "extraction");
    assert!(found(&other.verdict).is_empty());
    let low = judge(0.5, "injection");
    assert_eq!(shown(&found(&low.verdict)), [("INJ-001", "beta")]);
    assert!(sent(low).contains("alpha beta"));
}

#[test]
fn a_score_that_nobody_knows_reaches_no_level() {
    let silent = snapshot(rules(&[SCORED, UNSCORED]), false, BlockEnd::Hold);
    let judged = scan(&silent, &json!("alpha beta")).judge(Answer::NotAsked);
    assert_eq!(shown(&found(&judged.verdict)), [("INJ-001", "beta")]);
    let failing = snapshot(rules(&[SCORED, UNSCORED]), true, BlockEnd::Hold);
    let fault = Answer::Fault(Fault::ours(Cause::Timeout, "slow"));
    let judged = scan(&failing, &json!("alpha beta")).judge(fault);
    assert_eq!(shown(&found(&judged.verdict)), [("INJ-001", "beta")]);
}

#[test]
fn the_parts_of_a_message_share_the_score() {
    let both = "patterns: [{ name: a, literal: alpha }, { name: b, literal: beta }]
                condition: a and b and score.injection > 0.5";
    let snapshot = snapshot(rules(&[both, SCORED]), true, BlockEnd::Hold);
    let scanned = scan(&snapshot, &parts(&["one alpha", "two beta"]));
    assert_eq!(scanned.questions().len(), 1);
    let judged = scanned.judge(Answer::Scores(vec![judgement(0.9, "injection")]));
    assert_eq!(shown(&found(&judged.verdict)), [("INJ-000", "alpha"), ("INJ-001", "alpha")]);
    assert!(sent(judged).contains("one [x]"));
    let low = scan(&snapshot, &parts(&["one alpha", "two beta"]));
    assert!(found(&low.judge(Answer::Scores(vec![judgement(0.4, "injection")])).verdict).is_empty());
}

#[test]
fn what_the_classifier_confirms_over_two_parts_cannot_be_replaced_and_blocks() {
    let snapshot = snapshot(rules(&[SCORED]), true, BlockEnd::Hold);
    let judge = |texts: &[&str], score| {
        scan(&snapshot, &parts(texts)).judge(Answer::Scores(vec![judgement(score, "injection")])).verdict
    };
    let apart = judge(&["one al", "pha"], 0.9);
    assert_eq!((apart.action, shown(&found(&apart))), (Action::Block, vec![("INJ-000", "al")]));
    assert_eq!(judge(&["one al", "pha"], 0.4).action, Action::Allow);
    // One that stands in a part by itself is replaced there, and told of once.
    let alone = judge(&["one alpha", "two"], 0.9);
    assert_eq!((alone.action, shown(&found(&alone))), (Action::Redact, vec![("INJ-000", "alpha")]));
}

#[test]
fn what_the_classifier_confirms_comes_too_late_to_be_stripped_and_blocks() {
    let strips = |condition: &str| {
        format!(
            "patterns: [{{ name: a, literal: alpha }}, {{ name: b, literal: beta }}]\ncondition: {condition}\naction: strip"
        )
    };
    let judge = |condition: &str| {
        let snapshot = snapshot(rules(&[&strips(condition)]), true, BlockEnd::Hold);
        let scanned = scan(&snapshot, &parts(&["one alpha and beta", "two"]));
        scanned.judge(Answer::Scores(vec![judgement(0.9, "injection")]))
    };
    assert_eq!(judge("a and b and score.injection > 0.5").verdict.action, Action::Block);
    assert_eq!(judge("a and b and score.injection > 0.95").verdict.action, Action::Allow);
    let known = judge("a and b");
    assert_eq!(known.verdict.action, Action::Strip);
    assert!(!sent(known).contains("alpha"));
}

/// Streams a reply in these pieces; gives the text that left, and what was found.
fn stream(snapshot: &Arc<Snapshot>, pieces: &[&str], score: f32) -> (String, Verdict) {
    let limits = Limits::default();
    let mut reader = ChatStream::new(Template::new(ExchangeId::new(), "m"), &limits);
    let mut inspected: ReplyStream<ChatChunk> = ReplyStream::new(Arc::clone(snapshot), Arc::default());
    let event = |delta: Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        format!(
            "data: {}\n\n",
            json!({ "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
        )
    };
    let mut events: Vec<String> = pieces.iter().map(|piece| event(json!({ "content": piece }), Value::Null)).collect();
    events.push(event(json!({}), json!("stop")));
    let mut text = String::new();
    for event in events {
        let mut frames = Vec::new();
        reader.push(event.as_bytes(), &mut frames).unwrap();
        for frame in frames {
            let mut step = inspected.frame(frame).unwrap();
            if let Step::Ask(texts) = &step {
                let answer = texts.iter().map(|_| judgement(score, "injection")).collect();
                step = inspected.answer(Answer::Scores(answer)).unwrap();
            }
            let (Step::Continue(out) | Step::Cut(out)) = step else { panic!("asked twice") };
            for frame in out {
                let bytes = frame.encode().into_bytes();
                let data = std::str::from_utf8(&bytes).unwrap().trim().strip_prefix("data: ").unwrap().to_owned();
                if let Ok(frame) = serde_json::from_str::<Value>(&data) {
                    text.push_str(frame["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
                }
            }
        }
    }
    (text, inspected.verdict())
}

#[test]
fn a_streams_conditions_are_judged_at_its_end() {
    let reply = "applies: { direction: reply }
                 stream: block_end";
    let each = [format!("{BOTH}\n{reply}"), format!("{SCORED}\n{reply}")];
    let each = [each[0].as_str(), each[1].as_str()];
    let pieces = ["an al", "pha and", " a be", "ta"];
    let asked = snapshot(rules(&each), true, BlockEnd::Hold);
    let (text, verdict) = stream(&asked, &pieces, 0.9);
    assert_eq!(text, "an [x] and a beta");
    assert_eq!(shown(&found(&verdict)), [("INJ-000", "alpha"), ("INJ-000", "beta"), ("INJ-001", "alpha")]);
    let (text, verdict) = stream(&asked, &pieces, 0.1);
    assert_eq!((text.as_str(), found(&verdict).len()), ("an alpha and a beta", 2));
    let (_, verdict) = stream(&asked, &["alpha be", "ta gamma"], 0.1);
    assert!(found(&verdict).is_empty());
    // Where the text has left by then, what should have been replaced ends the stream.
    let flowing = snapshot(rules(&each), true, BlockEnd::Release);
    assert_eq!(stream(&flowing, &pieces, 0.9).1.action, Action::Block);
    let silent = snapshot(rules(&each), false, BlockEnd::Hold);
    assert_eq!(stream(&silent, &pieces, 0.9).0, "an alpha and a beta");
}

#[test]
fn a_rule_reads_what_its_transforms_undo() {
    let rule = |transforms: &str| format!("patterns: [{{ literal: alpha beta gamma }}]\ntransforms: {transforms}");
    let each = ["all", "encodings", "none", "[base64]", "[base64, hex]", "[hex, rot13]"].map(rule);
    let snapshot = snapshot(rules(&each.each_ref().map(String::as_str)), false, BlockEnd::Hold);
    let judge = |text: &str| -> Vec<String> {
        found(&scan(&snapshot, &json!(text)).judge(Answer::NotAsked).verdict).into_iter().map(|(id, _)| id).collect()
    };
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let phrase = "alpha beta gamma";
    assert_eq!(judge(phrase).len(), 6);
    assert_eq!(judge(&BASE64_STANDARD.encode(phrase)), ["INJ-000", "INJ-001", "INJ-003", "INJ-004"]);
    assert_eq!(judge(&hex(phrase)), ["INJ-000", "INJ-001", "INJ-004", "INJ-005"]);
    assert_eq!(judge(&BASE64_STANDARD.encode(hex(phrase))), ["INJ-000", "INJ-001", "INJ-004"]);
}

#[test]
fn points_of_a_rules_own_stand_in_for_its_severitys() {
    let score = |line: &str| {
        let rule = format!("patterns: [{{ literal: alpha }}]\nseverity: critical\n{line}");
        let snapshot = snapshot(rules(&[&rule]), false, BlockEnd::Hold);
        let verdict = scan(&snapshot, &json!("alpha")).judge(Answer::NotAsked).verdict;
        (verdict.score, verdict.action)
    };
    assert_eq!(score(""), (5, Action::Flag));
    assert_eq!(score("score: 0"), (0, Action::Allow));
    assert_eq!(score("score: 99"), (99, Action::Flag));
    assert_eq!(score(&format!("score: {}", limits::SCORE)), (100, Action::Block));
}

fn rule_file(list: &str) -> String {
    format!(
        "family: injection\nrules:\n  - {{ id: INJ-001, title: t, severity: low, tags: [owasp:LLM01:2025], action: score, \
         applies: {{ direction: request }}, patterns: [{{ name: a, list: '{list}' }}, {{ name: b, literal: besides }}], \
         condition: a and b, examples: {{ match: [a, b], pass: [c, d] }} }}\n"
    )
}

/// A folder with a rule file that names a list, and that list.
fn folder(list: &str, content: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let family = folder.path().join("rules/injection");
    fs::create_dir_all(family.join("lists")).unwrap();
    fs::write(family.join("a.yaml"), rule_file(list)).unwrap();
    fs::write(family.join("lists/words.txt"), content).unwrap();
    folder
}

fn load_in(folder: &Path) -> Result<Loaded, String> {
    load(&[folder.join("rules")]).map_err(|problems| problems.to_string())
}

#[test]
fn a_list_of_a_hundred_thousand_entries_is_one_pattern() {
    let content: String = (0..100_000).map(|number| format!("denied word {number}\n")).collect();
    let folder = folder("lists/words.txt", content.as_bytes());
    let loaded = load_in(folder.path()).unwrap();
    let (_, rule) = loaded.set.by_id("INJ-001").unwrap();
    assert_eq!(rule.written.len(), 2);
    let snapshot = snapshot(loaded, false, BlockEnd::Hold);
    let judge = |text: &str| found(&scan(&snapshot, &json!(text)).judge(Answer::NotAsked).verdict).len();
    assert_eq!(judge("a denied word 99999, besides"), 2);
    assert_eq!(judge("a denied word 100000, besides"), 0);
    assert_eq!(judge("a denied word 7"), 0);
}

#[test]
fn the_version_follows_the_lists() {
    let version = |content: &str| {
        let file = (PathBuf::from("injection/a.yaml"), rule_file("lists/words.txt"));
        let list = (PathBuf::from("injection/lists/words.txt"), content.to_owned());
        from_sources(vec![list, file]).unwrap().set.version().to_owned()
    };
    assert_eq!(version("needle"), version("needle"));
    assert_ne!(version("needle"), version("needle\n# and a comment"));
    let from_disk = load_in(folder("lists/words.txt", b"needle").path()).unwrap();
    assert_eq!(from_disk.set.version(), version("needle"), "wherever it is read from");
}

#[test]
fn lists_are_read_below_their_rule_files_folder_only() {
    let inside = folder("lists/linked.txt", b"needle");
    let family = inside.path().join("rules/injection");
    std::os::unix::fs::symlink("words.txt", family.join("lists/linked.txt")).unwrap();
    load_in(inside.path()).unwrap();
    for (name, target) in [("file", "secret.txt"), ("folder", ".")] {
        let outside = folder("lists/linked/secret.txt", b"needle");
        fs::write(outside.path().join("secret.txt"), "needle").unwrap();
        let family = outside.path().join("rules/injection");
        let link = match name {
            "file" => {
                fs::create_dir(family.join("lists/linked")).unwrap();
                family.join("lists/linked/secret.txt")
            }
            _ => family.join("lists/linked"),
        };
        std::os::unix::fs::symlink(outside.path().join(target), link).unwrap();
        let report = load_in(outside.path()).unwrap_err();
        assert!(report.contains("R024") && report.contains("leads out of"), "{name}: {report}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    for (content, message) in [
        (b"needle\npin\xff\n".as_slice(), "line 2 is not UTF-8"),
        (b"\n# nothing\n", "has no entry"),
        (b"ab\n", "has no entry"),
    ] {
        let report = load_in(folder("lists/words.txt", content).path()).unwrap_err();
        assert!(report.contains("R024") && report.contains(message), "{report}");
    }
    let report = load_in(folder("lists", b"needle").path()).unwrap_err();
    assert!(report.contains("it is no file"), "{report}");
}

#[test]
fn a_list_may_be_as_long_as_its_limits_and_no_longer() {
    let entry = |bytes: usize| "x".repeat(bytes);
    assert!(load_in(folder("lists/words.txt", entry(limits::PATTERN_BYTES).as_bytes()).path()).is_ok());
    let long = load_in(folder("lists/words.txt", entry(limits::PATTERN_BYTES + 1).as_bytes()).path()).unwrap_err();
    assert!(long.contains("words.txt:1") && long.contains("R024"), "{long}");
    // Entries that are there already count too: what is bounded is the work.
    let many = |count: usize| "needle\n".repeat(count);
    assert!(load_in(folder("lists/words.txt", many(limits::LIST_ENTRIES).as_bytes()).path()).is_ok());
    let long = load_in(folder("lists/words.txt", many(limits::LIST_ENTRIES + 1).as_bytes()).path()).unwrap_err();
    assert!(long.contains("words.txt:1000001"), "{long}");
    let comment = |bytes: usize| format!("needle\n#{}", "x".repeat(bytes - 8));
    assert!(load_in(folder("lists/words.txt", comment(limits::LIST_BYTES).as_bytes()).path()).is_ok());
    let large = load_in(folder("lists/words.txt", comment(limits::LIST_BYTES + 1).as_bytes()).path()).unwrap_err();
    assert!(large.contains("it has more than"), "{large}");
}

/// One rule with these patterns, as flow YAML; `variables` in front.
fn codes(variables: &str, patterns: &str) -> Vec<&'static str> {
    let file = format!(
        "family: injection\n{variables}rules:\n  - {{ id: INJ-001, title: t, severity: low, tags: [owasp:LLM01:2025], \
         action: score, applies: {{ direction: request }}, patterns: [{patterns}], \
         examples: {{ match: [a, b], pass: [c, d] }} }}\n"
    );
    match from_sources(vec![(PathBuf::from("injection/a.yaml"), file)]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.errors.iter().map(|error| error.code).collect(),
    }
}

#[test]
fn a_message_has_at_most_so_many_bytes() {
    let with = |bytes: usize| {
        let file = format!(
            "family: injection\nrules:\n  - {{ id: INJ-001, title: t, severity: low, tags: [owasp:LLM01:2025], action: block, \
             applies: {{ direction: both }}, patterns: [{{ literal: needle }}], message: {}, \
             examples: {{ match: [needle, a needle], pass: [c, d] }} }}\n",
            "m".repeat(bytes)
        );
        from_sources(vec![(PathBuf::from("injection/a.yaml"), file)])
    };
    let rules = with(limits::MESSAGE_BYTES).unwrap().set;
    let (_, rule) = rules.by_id("INJ-001").unwrap();
    assert_eq!(rule.message.as_ref().map(String::len), Some(limits::MESSAGE_BYTES));
    let problems = with(limits::MESSAGE_BYTES + 1).unwrap_err();
    assert_eq!(problems.errors.iter().map(|error| error.code).collect::<Vec<_>>(), ["R046"]);
}

#[test]
fn the_limits_of_patterns_hold_at_n_and_break_at_n_plus_1() {
    let count = |count: usize| codes("", &vec!["{ literal: needle }"; count].join(", "));
    assert!(count(limits::PATTERNS).is_empty());
    assert_eq!(count(limits::PATTERNS + 1), ["R013"]);

    let near = |words: usize| codes("", &format!("{{ near: {{ words: {words}, of: [one, two, six] }} }}"));
    assert!(near(limits::GAP_WORDS).is_empty());
    assert_eq!(near(limits::GAP_WORDS + 1), ["R027"]);

    let bytes = |bytes: usize| codes("", &format!("{{ near: {{ bytes: {bytes}, of: [one, two] }} }}"));
    assert!(bytes(limits::GAP_BYTES).is_empty());
    assert_eq!(bytes(limits::GAP_BYTES + 1), ["R027"]);

    let parts = |form: &str, count: usize| {
        let gap = if form == "near" { "words: 1" } else { "gap: { words: 1 }" };
        codes("", &format!("{{ {form}: {{ {gap}, of: [{}] }} }}", vec!["one"; count].join(", ")))
    };
    for (form, most) in [("near", limits::NEAR_PARTS), ("sequence", limits::SEQUENCE_PARTS)] {
        assert!(parts(form, most).is_empty() && parts(form, 2).is_empty());
        assert_eq!((parts(form, most + 1), parts(form, 1)), (vec!["R027"], vec!["R027"]));
    }

    let times =
        |times: usize| codes("", &format!("{{ count: {{ at_least: {times}, of: one, gap: {{ words: 20 }} }} }}"));
    assert!(times(limits::COUNT).is_empty());
    assert_eq!(times(limits::COUNT + 1), ["R027"]);

    let variables = |count: usize| {
        let all: String = (0..count).map(|number| format!("  v{number}: 'x'\n")).collect();
        codes(&format!("variables:\n{all}"), "{ literal: needle }")
    };
    assert!(variables(limits::VARIABLES).is_empty());
    assert_eq!(variables(limits::VARIABLES + 1), ["R023"]);

    // As a group, a variable has four bytes more. (Case is told apart, so that so long a regex is small enough.)
    let variable = format!("variables:\n  v: '{}'\n", "x".repeat(limits::EXPANDED_BYTES / 16 - 4));
    let uses = |count: usize, more: &str| {
        codes(&variable, &format!("{{ case: sensitive, regex: '{}{more}' }}", "{{v}}".repeat(count)))
    };
    assert!(uses(16, "").is_empty());
    assert_eq!(uses(16, "x"), ["R015"]);
}

/// Combined patterns of many shapes, as one rule each, on streams while they flow.
const COMBINED: [&str; 6] = [
    "{ near: { words: 2, of: [abc, cab] } }",
    "{ near: { words: 1, of: [abc, { regex: 'c[ab]' }, { literal: b, word: false }] } }",
    "{ sequence: { of: [abc, { literal: cab, word: false }, b], gap: { words: 1 } } }",
    "{ sequence: { of: [{ regex: 'ab?c' }, { regex: 'c|ca' }], gap: { bytes: 4 } } }",
    "{ count: { of: abc, at_least: 3, gap: { words: 0 } } }",
    "{ near: { words: 0, of: [忽略, { literal: 指, word: false }] } }",
];

proptest::proptest! {
    /// What a stream finds, however it is cut, is what the whole text shows, and no byte of it was called safe before.
    #[test]
    fn combined_patterns_are_found_alike_in_streams_and_in_whole_texts(
        text in "(abc|cab|ca|b|c|忽略|指|é| |  |, |\n){0,24}",
        cuts in proptest::collection::vec(0usize..200, 0..6),
    ) {
        static SCANNER: LazyLock<Scanner> = LazyLock::new(|| {
            let rule = |pattern: &&str| format!("applies: {{ direction: both }}\npatterns: [{pattern}]");
            let each: Vec<String> = COMBINED.iter().map(rule).collect();
            let loaded = rules(&each.iter().map(String::as_str).collect::<Vec<_>>());
            Scanner::new(Arc::new(loaded.set)).unwrap()
        });
        let scanner = &*SCANNER;
        let mut scratch = scanner.scratch();
        let context = Context { direction: Direction::Reply, role: Role::Assistant };
        let folded = canonical(&text);
        let mut matches = Vec::new();
        scanner.scan(&folded.text, Reading::Canonical, context, &mut scratch, &mut matches);
        let whole: BTreeSet<_> = matches.iter().map(|hit| (hit.rule, folded.map.to_original(hit.span))).collect();

        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.retain(|cut| text.is_char_boundary(*cut));
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut stream = scanner.stream(Role::Assistant, 1 << 20);
        let (mut out, mut streamed, mut safe) = (Vec::new(), BTreeSet::new(), 0);
        for pair in cuts.windows(2) {
            stream.push(&text[pair[0]..pair[1]], &mut scratch, &mut out);
            for hit in out.drain(..) {
                proptest::prop_assert!(hit.span.start >= safe, "{} was safe, then {:?}", safe, hit);
                streamed.insert((hit.rule, hit.span));
            }
            safe = stream.safe();
        }
        stream.finish(&mut scratch, &mut out);
        for hit in out.drain(..) {
            proptest::prop_assert!(hit.span.start >= safe, "{} was safe, then {:?}", safe, hit);
            streamed.insert((hit.rule, hit.span));
        }
        proptest::prop_assert_eq!(streamed, whole);
    }
}
