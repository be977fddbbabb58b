//! The literal pass against looking everywhere.

use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::*;
use crate::rules::frequency::fold;

fn found(literals: &[&str], text: &str, from: usize) -> Vec<(String, usize, Sighting)> {
    let mut folded: Vec<Vec<u8>> = literals.iter().map(|text| text.bytes().map(fold).collect()).collect();
    folded.sort();
    folded.dedup();
    let slices: Vec<&[u8]> = folded.iter().map(Vec::as_slice).collect();
    let [once, twice] = [false, true].map(|has_second| sightings(&slices, false, has_second, text, from));
    let whole = |all: &[(String, usize, Sighting)]| -> Vec<_> {
        all.iter().filter(|(_, at, sighting)| *at >= from && *sighting == Sighting::Whole).cloned().collect()
    };
    assert_eq!(whole(&once), whole(&twice), "with a second test");
    once
}

fn sightings(
    literals: &[&[u8]],
    of_beginnings: bool,
    has_second: bool,
    text: &str,
    from: usize,
) -> Vec<(String, usize, Sighting)> {
    let sieve = Sieve::with(literals, |_| of_beginnings, has_second);
    let mut found = Vec::new();
    sieve.search(text.as_bytes(), from, &mut Block::default(), |literal, at, sighting| {
        found.push((String::from_utf8_lossy(literals[literal as usize]).into_owned(), at, sighting));
    });
    found.sort_by_key(|(text, at, _)| (*at, text.clone()));
    found
}

/// The same by looking everywhere.
fn plainly(literals: &[&str], text: &str) -> Vec<(String, usize, Sighting)> {
    let folded: Vec<u8> = text.bytes().map(fold).collect();
    let mut found = Vec::new();
    for literal in literals {
        let literal: Vec<u8> = literal.bytes().take(LITERAL_BYTES_MAX).map(fold).collect();
        for at in 0..folded.len() {
            if folded[at..].starts_with(&literal) {
                found.push((String::from_utf8_lossy(&literal).into_owned(), at, Sighting::Whole));
            }
        }
    }
    found.sort_by_key(|(text, at, _)| (*at, text.clone()));
    found.dedup();
    found
}

#[test]
fn finds_literals_of_every_length_at_the_ends_of_the_text() {
    let literals = ["@", "k:", "abc", "Word", "longer literal", "AKIA12"];
    for literal in literals {
        assert_eq!(found(&literals, literal, 0).first().unwrap().1, 0, "{literal}");
        let text = format!("........ {literal}");
        assert!(found(&literals, &text, 0).contains(&(
            literal.bytes().map(|b| fold(b) as char).collect(),
            9,
            Sighting::Whole
        )));
    }
    assert_eq!(found(&["word"], "xwordword", 2), [("word".to_owned(), 5, Sighting::Whole)]);
}

#[test]
fn what_the_end_cuts_is_open() {
    let open: Vec<_> = found(&["ignore previous"], "please ignore previou", 0);
    assert_eq!(open, [("ignore previous".to_owned(), 7, Sighting::Open)]);
}

#[test]
fn many_literals_take_the_larger_tables() {
    for (count, length) in [(20_000usize, 6), (120_000, 6), (20_000, 12), (120_000, 12)] {
        let words: Vec<String> = (0..count)
            .map(|n| {
                let letters = |mut n: usize| -> String {
                    (0..length)
                        .map(|_| {
                            let c = b'a' + (n % 26) as u8;
                            n /= 26;
                            c as char
                        })
                        .collect()
                };
                letters(n.wrapping_mul(7919) % 308_915_776)
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = [words[5], words[count / 2], "ZZ", words[count - 1]].join(" ");
        let wanted = plainly(&words[..0], &text);
        assert!(wanted.is_empty());
        let found = found(&words, &text, 0);
        for word in [words[5], words[count / 2], words[count - 1]] {
            assert!(found.iter().any(|(text, _, sighting)| text == word && *sighting == Sighting::Whole));
        }
    }
}

proptest! {
    #[test]
    fn finds_what_looking_everywhere_finds(
        literals in prop::collection::btree_set("[abK1@:é ]{1,6}|[ab]{7,14}|[a-c]{30,40}", 1..12),
        text in "([abK1@:é ]{0,40}|x{4090,4110}){0,4}",
        from in any::<prop::sample::Index>(),
    ) {
        let folded: std::collections::BTreeSet<String> = literals
            .iter()
            .map(|text| String::from_utf8_lossy(&text.bytes().take(LITERAL_BYTES_MAX).map(fold).collect::<Vec<_>>()).into_owned())
            .collect();
        // A literal cut inside a character is no text any more.
        let literals: Vec<&str> = folded.iter().filter(|text| !text.contains('\u{FFFD}')).map(String::as_str).collect();
        let wanted = plainly(&literals, &text);
        let whole: Vec<_> = found(&literals, &text, 0).into_iter().filter(|(_, _, s)| *s == Sighting::Whole).collect();
        prop_assert_eq!(&whole, &wanted);
        // From a later place on: all that begin there, and some that began before.
        let from = from.index(text.len() + 1);
        let later: Vec<_> = found(&literals, &text, from).into_iter().filter(|(_, at, s)| *at >= from && *s == Sighting::Whole).collect();
        let wanted: Vec<_> = wanted.into_iter().filter(|(_, at, _)| *at >= from).collect();
        prop_assert_eq!(later, wanted);
    }

    #[test]
    fn beginnings_are_found_and_those_that_the_end_cuts(
        literals in prop::collection::btree_set("[ab]{4,9}|[abé ]{8,12}|(?:ab){5}[a-c]{1,9}", 1..40),
        text in "([abé ]{0,40}|x{4080,4100}){0,3}(?:ab){0,7}",
        from in any::<prop::sample::Index>(),
    ) {
        let slices: Vec<&[u8]> = literals.iter().map(String::as_bytes).collect();
        let names: Vec<&str> = literals.iter().map(String::as_str).collect();
        let from = from.index(text.len() + 1);
        let wanted: Vec<_> = plainly(&names, &text).into_iter().filter(|(_, at, _)| *at >= from).collect();
        for has_second in [false, true] {
            let all = sightings(&slices, true, has_second, &text, from);
            let (whole, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, _, sighting)| *sighting == Sighting::Whole);
            prop_assert_eq!(&whole, &wanted);
            // Behind its last three bytes the text has no gram.
            for at in from..text.len().saturating_sub(GRAM - 1) {
                let rest = &text.as_bytes()[at..];
                let is_cut = slices.iter().any(|literal| literal.len() > rest.len() && literal.starts_with(rest));
                prop_assert_eq!(open.iter().any(|(_, place, _)| *place == at), is_cut, "{} {}", has_second, at);
            }
        }
    }
}
