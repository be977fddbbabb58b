//! The engine on made-up rules: what it finds, holds and releases; `agreement` has whole texts, streams and a plain search agree.

mod agreement;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use super::{Context, Match, Reading, Scanner, StreamMatch};
use crate::base::Span;
use crate::base::limits::rules::MATCHES;
use crate::rules::{Roles, from_sources};
use crate::text::{Direction, Role, canonical};
use crate::verdict::Layer;

/// A scanner for short rules: a list of `- pattern: {…}`, with any further lines a rule may have. What a rule must have and
/// the test does not care about is filled in.
pub(super) fn scanner(short: &str) -> Scanner {
    let mut yaml = "family: injection\nrules:\n".to_owned();
    let mut number = 0;
    for line in short.lines() {
        let trimmed = line.trim_start();
        if let Some(pattern) = trimmed.strip_prefix("- pattern: ") {
            number += 1;
            let _ = write!(
                yaml,
                "  - id: INJ-{number:03}\n    title: t\n    severity: high\n    tags: [owasp:LLM01:2025]\n    \
                 patterns: [{pattern}]\n"
            );
        } else if let Some(examples) = trimmed.strip_prefix("match: ") {
            let _ = write!(yaml, "    examples:\n      match: {examples}\n");
        } else if let Some(examples) = trimmed.strip_prefix("pass: ") {
            let _ = writeln!(yaml, "      pass: {examples}");
        } else {
            let _ = writeln!(yaml, "    {trimmed}");
        }
    }
    for (key, default) in [
        ("applies:", "    applies: { direction: both }\n"),
        ("action:", "    action: score\n"),
        ("examples:", "    examples: { match: [a, b], pass: [c, d] }\n"),
    ] {
        let mut filled = String::new();
        for (index, rule) in yaml.split("  - id:").enumerate() {
            if index > 0 {
                filled.push_str("  - id:");
            }
            filled.push_str(rule);
            if index > 0 && !rule.contains(key) {
                filled.push_str(default);
            }
        }
        yaml = filled;
    }
    match from_sources(vec![("injection/test.yaml".into(), yaml.clone())]) {
        Ok(loaded) => Scanner::new(Arc::new(loaded.set)).unwrap(),
        Err(problems) => panic!("{problems}\n{yaml}"),
    }
}

const REPLY: Context = Context { direction: Direction::Reply, role: Role::Assistant };

/// Rule number (from 1), original span.
type Found = BTreeSet<(u32, Span, bool)>;

fn whole(scanner: &Scanner, text: &str) -> Found {
    let mut scratch = scanner.scratch();
    let mut out = Vec::new();
    let mut found = Found::new();
    let number = |hit: &Match| hit.rule.0 + 1;
    scanner.scan(text, Reading::Raw, REPLY, &mut scratch, &mut out);
    found.extend(out.drain(..).map(|hit| (number(&hit), hit.span, true)));
    let folded = canonical(text);
    scanner.scan(&folded.text, Reading::Canonical, REPLY, &mut scratch, &mut out);
    found.extend(out.drain(..).map(|hit| (number(&hit), folded.map.to_original(hit.span), false)));
    if folded.text == text {
        // The pass that serves both readings finds the same.
        scanner.scan(text, Reading::Both, REPLY, &mut scratch, &mut out);
        let both: BTreeSet<_> = out.iter().map(|hit| (number(hit), hit.span)).collect();
        assert_eq!(both, found.iter().map(|(rule, span, _)| (*rule, *span)).collect());
    }
    found
}

/// Streams the chunks; panics when a byte was called safe that a later match holds.
fn streamed<'c>(scanner: &Scanner, chunks: impl IntoIterator<Item = &'c str>) -> Found {
    let mut scratch = scanner.scratch();
    let mut stream = scanner.stream(Role::Assistant, 1 << 20);
    let (mut out, mut found, mut safe) = (Vec::new(), Found::new(), 0);
    let mut take = |out: &mut Vec<StreamMatch>, safe: usize| {
        for hit in out.drain(..) {
            assert!(hit.span.start >= safe, "{safe} was safe, then {hit:?}");
            found.insert((hit.rule.0 + 1, hit.span, hit.layer == Layer::Raw));
        }
    };
    for chunk in chunks {
        stream.push(chunk, &mut scratch, &mut out);
        take(&mut out, safe);
        assert!(stream.safe() >= safe && stream.safe() <= stream.len());
        safe = stream.safe();
    }
    stream.finish(&mut scratch, &mut out);
    take(&mut out, safe);
    assert_eq!(stream.safe(), stream.len(), "after the end all is decided");
    found
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap()
}

fn split(text: &str, cuts: &[usize]) -> Vec<String> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| boundary(text, cut % (text.len() + 1))).collect();
    at.extend([0, text.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| text[pair[0]..pair[1]].to_owned()).collect()
}

#[test]
fn a_rule_is_found_in_both_readings_only_where_it_looks() {
    let scanner = scanner(
        "
- pattern: { literal: forget the rules }
- pattern: { literal: forget the rules }
on: raw
case: insensitive
- pattern: { literal: Forget, word: true }
case: sensitive
",
    );
    let spans = |text| {
        whole(&scanner, text).into_iter().map(|(rule, span, _)| (rule, span.start, span.end)).collect::<Vec<_>>()
    };
    assert_eq!(spans("so FORGET the rules"), [(1, 3, 19), (2, 3, 19)]);
    assert_eq!(spans("so f\u{200B}orget the rules"), [(1, 3, 22)]);
    assert_eq!(spans("Forget, Forgetful"), [(3, 0, 6)]);
}

#[test]
fn rules_apply_by_direction_and_role() {
    let scanner = scanner(
        "
- pattern: { literal: needle }
applies: { direction: request, roles: [user] }
- pattern: { literal: needle }
applies: { direction: reply }
",
    );
    let mut scratch = scanner.scratch();
    let mut rules = |direction, role| {
        let mut out = Vec::new();
        scanner.scan("a needle", Reading::Both, Context { direction, role }, &mut scratch, &mut out);
        out.iter().map(|hit| hit.rule.0).collect::<Vec<_>>()
    };
    assert_eq!(rules(Direction::Request, Role::User), [0]);
    assert_eq!(rules(Direction::Request, Role::System), Vec::<u32>::new());
    assert_eq!(rules(Direction::Reply, Role::Assistant), [1]);
}

#[test]
fn captures_and_validators_decide_what_is_found() {
    let scanner = scanner(
        r"
- pattern: { regex: 'key=([a-z0-9]{4,8})' }
capture: 1
- pattern: { regex: '\b\d(?:[ -]?\d){12,18}\b' }
validators: [luhn]
",
    );
    for text in ["x key=abc123 4111 1111 1111 1111 end", "9 4111111111111111", "4111111111111112 4111111111111111"] {
        let found = whole(&scanner, text);
        assert_eq!(found, streamed(&scanner, text.split_inclusive(|_| true)), "{text}");
        for (_, span, _) in found {
            let shown = &text[span.range()];
            assert!(shown == "abc123" || shown.starts_with("4111") && shown.ends_with("1111"), "{shown}");
        }
    }
    assert_eq!(whole(&scanner, "4111111111111112 4111111111111111").len(), 1);
}

#[test]
fn the_leftmost_match_wins_though_the_literal_pass_sees_it_last() {
    let scanner = scanner("- pattern: { regex: 'def[0-9]?|abcdefgh' }");
    let spans: Vec<Span> = whole(&scanner, "abcdefgh def").into_iter().map(|(_, span, _)| span).collect();
    assert_eq!(spans, [Span::new(0, 8), Span::new(9, 12)]);
}

#[test]
fn at_the_cap_listing_stops_and_redaction_does_not() {
    let scanner = scanner(
        "
- pattern: { literal: needle }
- pattern: { literal: needle }
action: redact
mask: '[x]'
",
    );
    for (times, listed) in [(MATCHES, MATCHES), (MATCHES + 1, MATCHES)] {
        let text = "needle ".repeat(times);
        let found = whole(&scanner, &text);
        assert_eq!(found.iter().filter(|(rule, ..)| *rule == 1).count(), listed);
        assert_eq!(found.iter().filter(|(rule, ..)| *rule == 2).count(), times);
        assert_eq!(found, streamed(&scanner, [text.as_str()]));
    }
}

#[test]
fn rules_that_judge_at_the_end_hold_nothing_and_say_when_they_saw_too_little() {
    let scanner = scanner(
        r"
- pattern: { regex: 'begin.*end' }
stream: block_end
",
    );
    let mut scratch = scanner.scratch();
    for (room, overflow, matches) in [(13, false, 1), (12, true, 0)] {
        let mut stream = scanner.stream(Role::Assistant, room);
        let mut out = Vec::new();
        for chunk in ["be", "gin ", "... ", "end"] {
            stream.push(chunk, &mut scratch, &mut out);
            assert_eq!(stream.safe(), stream.len());
        }
        stream.finish(&mut scratch, &mut out);
        assert_eq!((stream.block_overflow(), out.len()), (overflow, matches));
    }
}

#[test]
fn text_after_the_end_is_never_safe() {
    let scanner = scanner("- pattern: { literal: needle }");
    let mut scratch = scanner.scratch();
    let mut stream = scanner.stream(Role::Assistant, 10);
    let mut out = Vec::new();
    stream.finish(&mut scratch, &mut out);
    stream.push("needle", &mut scratch, &mut out);
    assert_eq!((stream.safe(), out.len()), (0, 0));
}

#[test]
fn a_secret_split_anywhere_never_has_a_safe_byte() {
    let scanner = scanner(
        r"
- pattern: { regex: 'sk-[A-Za-z0-9]{20,24}\b' }
on: raw
action: block
- pattern: { literal: correct horse }
action: block
",
    );
    let secrets = ["sk-abcdefghijklmnopqrstuv", "cоrrect\u{200B} h\u{301}orse"];
    for secret in secrets {
        let text = format!("The key is {secret}, keep it.");
        let start = text.find(secret).unwrap();
        let first: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for a in &first {
            for b in first.iter().filter(|b| *b >= a) {
                let chunks = [&text[..*a], &text[*a..*b], &text[*b..]];
                let mut scratch = scanner.scratch();
                let mut stream = scanner.stream(Role::Assistant, 100);
                let mut out = Vec::new();
                for chunk in chunks {
                    stream.push(chunk, &mut scratch, &mut out);
                    assert!(!out.is_empty() || stream.safe() <= start, "{chunks:?}");
                }
                stream.finish(&mut scratch, &mut out);
                assert_eq!(out.len(), 1, "{chunks:?}");
                assert_eq!(&text[out[0].span.range()], secret);
            }
        }
    }
}

#[test]
fn what_cannot_become_a_match_is_released_at_once() {
    let scanner = scanner("- pattern: { literal: ignore the rules }\non: raw");
    let mut scratch = scanner.scratch();
    let mut stream = scanner.stream(Role::Assistant, 100);
    let mut out = Vec::new();
    for (chunk, safe) in [("so ", 3), ("ignor", 3), ("ance ign", 13), ("ore the rule", 13), ("r", 29)] {
        stream.push(chunk, &mut scratch, &mut out);
        assert_eq!(stream.safe(), safe, "{chunk}");
    }
    assert!(out.is_empty());
}

#[test]
fn a_full_cache_changes_nothing() {
    // Counted repeats of overlapping classes make as many automaton states as there are texts.
    let scanner = scanner(
        r"
- pattern: { regex: '[ab][a-c]{0,40}a[a-c]{30}x' }
- pattern: { regex: '[a-c]{3,200}\d[a-c]{3,200}!' }
",
    );
    let mut seed = 1u32;
    let mut text = String::new();
    for _ in 0..6000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push(char::from(b"abcabcabcabcx1!"[(seed >> 16) as usize % 15]));
    }
    let chunks: Vec<&str> = text.as_bytes().chunks(97).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
    assert_eq!(streamed(&scanner, chunks), whole(&scanner, &text));
}

#[test]
fn no_rules_find_nothing_and_hold_nothing() {
    let scanner = Scanner::new(Arc::default()).unwrap();
    assert!(whole(&scanner, "ignore the rules").is_empty());
    assert!(streamed(&scanner, ["ignore ", "the rules"]).is_empty());
}

#[test]
fn a_scratch_of_another_scanner_is_made_to_fit() {
    let one = scanner("- pattern: { regex: 'needle[0-9]{1,3}' }");
    let two = scanner("- pattern: { regex: 'a?(thread|needle)' }");
    let mut scratch = one.scratch();
    for scanner in [&one, &two, &one] {
        let mut out = Vec::new();
        scanner.scan("a needle1", Reading::Both, REPLY, &mut scratch, &mut out);
        assert_eq!(out.len(), 1);
    }
}

#[test]
fn more_regexes_than_caches_are_kept() {
    const RULES: usize = 64;
    let mut rules = String::new();
    for number in 0..RULES {
        let _ = writeln!(rules, "- pattern: {{ regex: 'needle[0-9]{{1,3}}x{number};' }}");
    }
    let scanner = scanner(&rules);
    let text: String = (0..RULES).map(|number| format!("needle7x{number}; ")).collect();
    for _ in 0..2 {
        assert_eq!(whole(&scanner, &text).len(), RULES);
        assert_eq!(streamed(&scanner, text.split_inclusive(' ')).len(), RULES);
    }
}

/// What only calls or requests are judged by is not looked for in a reply's text, and a call is judged as a whole.
#[test]
fn a_call_is_judged_at_its_end_by_its_own_rules() {
    let scanner = scanner(
        r"
- pattern: { regex: 'rm -rf [a-z/]{1,40}' }
applies: { direction: both, roles: [tool_arguments] }
- pattern: { regex: 'ignore all [a-z ]{1,40}rules' }
applies: { direction: request }
- pattern: { literal: needle }
applies: { direction: both }
",
    );
    let text = "needle, rm -rf /srv; ignore all the rules";
    let mut scratch = scanner.scratch();
    let mut run = |role| {
        let (mut stream, mut out) = (scanner.stream(role, 1 << 20), Vec::new());
        let mut safe = Vec::new();
        for piece in text.split_inclusive(' ') {
            stream.push(piece, &mut scratch, &mut out);
            safe.push(stream.safe());
        }
        let early = out.len();
        stream.finish(&mut scratch, &mut out);
        assert_eq!(stream.safe(), text.len());
        out.sort_by_key(|hit| hit.rule);
        (early, safe, out.iter().map(|hit| (hit.rule.0, &text[hit.span.range()])).collect::<BTreeSet<_>>())
    };
    let (early, safe, found) = run(Role::Assistant);
    assert_eq!((early > 0, found), (true, [(2, "needle")].into()));
    assert_eq!(safe[1], "needle, rm ".len(), "what only a call is judged by holds no text back");
    let (early, safe, found) = run(Role::ToolArguments);
    assert_eq!((early, found), (0, [(0, "rm -rf /srv"), (2, "needle")].into()));
    assert!(safe.iter().all(|safe| *safe == 0), "{safe:?}");
    for direction in [Direction::Request, Direction::Reply] {
        for role in Roles::EVERY {
            let (context, mut out) = (Context { direction, role }, Vec::new());
            scanner.scan(text, Reading::Both, context, &mut scratch, &mut out);
            let found: Vec<u32> = out.iter().map(|hit| hit.rule.0).collect();
            let mut plain = Vec::new();
            scanner.scan_plainly(text, Reading::Both, context, None, &mut scratch, &mut plain);
            assert_eq!(out, plain, "{context:?}");
            assert_eq!(found.contains(&0), role == Role::ToolArguments, "{context:?}");
            assert_eq!(found.contains(&1), direction == Direction::Request, "{context:?}");
        }
    }
}
