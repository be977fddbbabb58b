//! Made-up rules over made-up texts: streams agree with whole texts, and both with a plain search.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::{Just, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{scanner, split, streamed, whole};
use crate::base::Span;
use crate::base::limits::rules::MATCHES;
use crate::scan::Scanner;
use crate::text::canonical;
use crate::verdict::Action;

/// Pieces of regexes over a small alphabet, so that random texts meet them.
fn piece() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        "[abc]{1,3}",
        Just("[ab]".to_owned()),
        Just(r"\d".to_owned()),
        Just(r"\s".to_owned()),
        Just(r"\b".to_owned()),
        Just("[^a]".to_owned()),
        Just("é".to_owned()),
        // Large classes, of which only the first bytes are looked for.
        Just("[а-я一-龥]".to_owned()),
        Just(r"[\x{80}-\x{FFFF}]".to_owned()),
        Just("(?:ab|abc|c)".to_owned()),
        Just("(?i:ba)".to_owned()),
        Just("$".to_owned()),
        Just("^".to_owned()),
        Just("(?m:^)".to_owned()),
        Just("(?m:$)".to_owned()),
        Just(r"(?-u:\B)".to_owned()),
        Just(r"\b{end}".to_owned()),
    ];
    let repeat = prop_oneof![Just(""), Just(""), Just("{1,4}"), Just("?"), Just("{2,3}?"), Just("{0,5}")];
    prop::collection::vec((atom, repeat), 1..5).prop_map(|parts| {
        parts.iter().fold(String::new(), |mut all, (atom, repeat)| {
            let zero_width = matches!(atom.as_str(), r"\b" | "^" | "$");
            let _ = if zero_width { write!(all, "{atom}") } else { write!(all, "(?:{atom}){repeat}") };
            all
        })
    })
}

fn rule() -> impl Strategy<Value = String> {
    let pattern = prop_oneof![
        "[abc][abc ]{1,3}[abc]".prop_map(|text| format!("{{ literal: '{text}' }}")),
        "[abc]{3,4}".prop_map(|text| format!("{{ literal: '{text}', word: true }}")),
        piece().prop_map(|regex| format!("{{ regex: 'abc{regex}' }}")),
        piece().prop_map(|regex| format!("{{ regex: '(?:a|bc){regex}cab' }}")),
        piece().prop_map(|regex| format!("{{ regex: '{regex}[abc1]' }}")),
        // Literals behind starts of varying length, and windows that do not come in order.
        piece().prop_map(|regex| format!("{{ regex: '[ab1]{{1,4}}cab(?:{regex})?' }}")),
        piece().prop_map(|regex| format!("{{ regex: '(?:[ab ]{{2,9}}cab|[abc]{{0,2}}bc{regex}|1a)' }}")),
    ]
    .boxed();
    let more = prop_oneof![
        Just(""),
        Just("on: raw\n"),
        Just("on: raw\ncase: insensitive\n"),
        Just("validators: [not_placeholder]\n"),
        Just("action: redact\nmask: x\n"),
    ]
    .boxed();
    let group =
        (piece(), Just("capture: 1\n")).prop_map(|(regex, more)| (format!("{{ regex: 'ab({regex})[abc]' }}"), more));
    // Lists of what the literal pass takes for one, and of what begins alike.
    let crowd = (prop::collection::btree_set("[123] [123] 1[abc]{0,2}|abc[abc ]{1,30}", 3..9), more.clone()).prop_map(
        |(list, more)| {
            (list.iter().map(|text| format!("{{ literal: '{text}' }}")).collect::<Vec<_>>().join(", "), more)
        },
    );
    let several = (pattern.clone(), pattern.clone()).prop_map(|(one, two)| format!("{one}, {two}"));
    prop_oneof![3 => (pattern, more.clone()), 1 => group, 1 => (several, more), 1 => crowd]
        .prop_map(|(pattern, more)| format!("- pattern: {pattern}\n{more}"))
}

const TEXT: &str = "([abcABC]|[abc]{2,4}|abc|cab|[ 1-3éрбя一\u{200B}\u{301}ａｂ\n\t]|[123] [123]\t1[abc]?){0,30}";

/// What a unit finds by the plain definition: at each character, in order, a search anchored there.
fn plainly(scanner: &Scanner, text: &str, is_raw: bool) -> BTreeSet<(u32, Span)> {
    let mut found = BTreeSet::new();
    for (index, rule) in scanner.rules().iter() {
        if (rule.target == crate::rules::Target::Raw) != is_raw {
            continue;
        }
        for pattern in &rule.patterns {
            let regex = regex_automata::meta::Builder::new().build_from_hir(&pattern.hir()).unwrap();
            let redacts = rule.action == Some(Action::Redact);
            let (mut cursor, mut listed) = (0, 0);
            for (at, _) in text.char_indices() {
                let input = regex_automata::Input::new(text).range(at..).anchored(regex_automata::Anchored::Yes);
                let mut groups = regex.create_captures();
                regex.search_captures(&input, &mut groups);
                let part = groups.get_group(rule.capture).filter(|part| !part.is_empty());
                if let Some(hit) = groups.get_match().filter(|_| at >= cursor && (redacts || listed < MATCHES))
                    && let part = part.unwrap_or(hit.span())
                    && rule.validators.iter().all(|validator| validator.accepts(&text[part.range()]))
                {
                    found.insert((index.0 + 1, Span::new(part.start, part.end)));
                    cursor = hit.end();
                    listed += 1;
                }
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn streams_find_what_whole_texts_show(
        rules in prop::collection::vec(rule(), 1..5),
        texts in prop::collection::vec((TEXT, prop::collection::vec(0usize..400, 0..12)), 1..6),
    ) {
        let scanner = scanner(&rules.concat());
        for (text, cuts) in texts {
            let expected = whole(&scanner, &text);
            let chunks = split(&text, &cuts);
            prop_assert_eq!(&streamed(&scanner, chunks.iter().map(String::as_str)), &expected, "{:?}", &chunks);
            prop_assert_eq!(&streamed(&scanner, text.split_inclusive(|_| true)), &expected, "char by char: {:?}", &text);

            let raw = expected.iter().filter(|(_, _, raw)| *raw).map(|(rule, span, _)| (*rule, *span)).collect();
            prop_assert_eq!(plainly(&scanner, &text, true), raw, "{:?}", &text);
            let folded = canonical(&text);
            let plain: BTreeSet<_> = plainly(&scanner, &folded.text, false)
                .into_iter()
                .map(|(rule, span)| (rule, folded.map.to_original(span)))
                .collect();
            let canonical_found: BTreeSet<_> =
                expected.iter().filter(|(_, _, raw)| !*raw).map(|(rule, span, _)| (*rule, *span)).collect();
            prop_assert_eq!(plain, canonical_found, "{:?}", &text);
            prop_assert!(expected.iter().all(|(_, span, _)| text.get(span.range()).is_some()));
        }
    }
}
