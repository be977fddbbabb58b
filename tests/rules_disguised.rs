//! Secrets and personal data are found however their characters are spelled: an invisible character, a full-width letter or one that looks alike, a
//! blank or a dash of another kind hides them neither in a whole text nor in a stream, and the finding covers all of the characters so spelled.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use portcullis::base::Span;
use portcullis::rules::{Rule, RuleIndex, Target, load};
use portcullis::scan::{Context, Match, PooledScratch, Reading, Scanner, StreamMatch};
use portcullis::text::{Direction, Role, canonical};

const ROLES: [Role; 7] = [
    Role::User,
    Role::Assistant,
    Role::ToolResult,
    Role::ToolArguments,
    Role::ToolDefinition,
    Role::System,
    Role::Unknown,
];

/// A name, and what it makes of a text.
type Spelling = (&'static str, fn(&str) -> String);

/// Spellings of a finding that a reader takes for the same.
const SPELLINGS: [Spelling; 8] = [
    ("a zero-width space in the middle", |found| in_the_middle(found, '\u{200B}')),
    ("a soft hyphen in the middle", |found| in_the_middle(found, '\u{AD}')),
    ("a tag in the middle", |found| in_the_middle(found, '\u{E0001}')),
    ("zero-width joiners everywhere", |found| found.chars().flat_map(|c| [c, '\u{200D}']).collect()),
    ("full-width", |found| found.chars().map(full_width).collect()),
    ("look-alikes", |found| found.replace('A', "\u{410}").replace('e', "\u{435}").replace('o', "\u{43E}")),
    ("blanks that do not break", |found| found.replace(' ', "\u{A0}")),
    ("hyphens that do not break", |found| found.replace('-', "\u{2011}")),
];

fn in_the_middle(found: &str, c: char) -> String {
    let (at, _) = found.char_indices().nth(found.chars().count() / 2).unwrap();
    let (head, tail) = found.split_at(at);
    format!("{head}{c}{tail}")
}

fn full_width(c: char) -> char {
    match c {
        '!'..='~' => char::from_u32(c as u32 + 0xFEE0).unwrap(),
        _ => c,
    }
}

#[test]
fn no_spelling_hides_a_secret_or_personal_data() {
    let loaded = load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")]).unwrap();
    let scanner = Scanner::new(Arc::new(loaded.set)).unwrap();
    let mut scratch = scanner.scratch();
    let (mut tried, mut flowed, mut rules, mut wrong) = (0, 0, 0, Vec::new());
    let mut by_spelling = [0; SPELLINGS.len()];
    for (index, rule) in scanner.rules().iter() {
        if !["SEC-", "PII-"].iter().any(|family| rule.id.starts_with(family)) {
            continue;
        }
        assert_eq!(rule.target, Target::Canonical, "{} judges the text as it was sent", rule.id);
        let before = tried;
        for example in rule.examples.iter().filter(|example| example.is_match) {
            let context = context(rule, example.role);
            // What is found inside an encoding has the encoding's bytes for its place: nothing to spell there.
            for span in whole(&scanner, index, context, &example.text, &mut scratch) {
                let found = example.text.get(span.range()).unwrap();
                for (number, (name, spell)) in SPELLINGS.into_iter().enumerate() {
                    let spelled = spell(found);
                    if spelled == found {
                        continue;
                    }
                    tried += 1;
                    by_spelling[number] += 1;
                    let (head, tail) = (&example.text[..span.start], &example.text[span.end..]);
                    let text = format!("{head}{spelled}{tail}");
                    // Characters that vanish after the last one belong to nothing.
                    let end = span.start + spelled.trim_end_matches('\u{200D}').len();
                    let hidden = Span::new(span.start, end);
                    let covers =
                        |spans: &[Span]| spans.iter().any(|span| span.start <= hidden.start && span.end >= hidden.end);
                    let here = whole(&scanner, index, context, &text, &mut scratch);
                    if !covers(&here) {
                        wrong.push(format!("{} whole, {name}: {text:?} has {here:?}, not {hidden:?}", rule.id));
                    }
                    if rule.on_reply && context.direction == Direction::Reply {
                        flowed += 1;
                        let flowing = streamed(&scanner, index, context.role, &text, &mut scratch);
                        if !covers(&flowing) {
                            wrong.push(format!("{} streamed, {name}: {text:?} has {flowing:?}", rule.id));
                        }
                    }
                }
            }
        }
        if tried == before {
            wrong.push(format!("{}: none of its examples was tried", rule.id));
        }
        rules += 1;
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rules > 700 && tried > 5_000 && flowed > 1_000, "{rules} rules, {tried} spellings, {flowed} streamed");
    assert!(by_spelling.iter().all(|tried| *tried > 100), "{by_spelling:?}");
}

fn context(rule: &Rule, role: Option<Role>) -> Context {
    let ways = [Direction::Reply, Direction::Request];
    let roles = role.into_iter().chain(ROLES);
    let all = roles.flat_map(|role| ways.map(|direction| Context { direction, role }));
    all.into_iter().find(|context| rule.applies(context.direction, context.role)).unwrap()
}

fn whole(
    scanner: &Scanner,
    rule: RuleIndex,
    context: Context,
    text: &str,
    scratch: &mut PooledScratch<'_>,
) -> Vec<Span> {
    let (folded, mut out) = (canonical(text), Vec::<Match>::new());
    scanner.scan(&folded.text, Reading::Canonical, context, scratch, &mut out);
    out.iter().filter(|found| found.rule == rule).map(|found| folded.map.to_original(found.span)).collect()
}

/// One character after the other.
fn streamed(scanner: &Scanner, rule: RuleIndex, role: Role, text: &str, scratch: &mut PooledScratch<'_>) -> Vec<Span> {
    let (mut stream, mut out) = (scanner.stream(role, text.len()), Vec::<StreamMatch>::new());
    for c in text.chars() {
        stream.push(c.encode_utf8(&mut [0; 4]), scratch, &mut out);
    }
    stream.finish(scratch, &mut out);
    out.iter().filter(|found| found.rule == rule).map(|found| found.span).collect()
}
