//! The literal pass against looking everywhere.

use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::*;
use crate::rules::frequency::fold;

fn found(literals: &[&str], text: &str, from: usize) -> Vec<(String, usize, Sighting)> {
    let mut folded: Vec<Vec<u8>> = literals.iter().map(|text| text.bytes().map(fold).collect()).collect();
    folded.sort();
    folded.dedup();
    let slices: Vec<&[u8]> = folded.iter().map(Vec::as_slice).collect();
    let sieve = Sieve::new(&slices);
    let mut found = Vec::new();
    sieve.search(text.as_bytes(), from, &mut Block::default(), |literal, at, sighting| {
        found.push((String::from_utf8_lossy(slices[literal as usize]).into_owned(), at, sighting));
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
fn every_byte_folds_as_the_compiler_folds() {
    for byte in 0..=u8::MAX {
        assert_eq!(folded(byte), fold(byte), "{byte}");
    }
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
    for count in [20_000usize, 120_000] {
        let words: Vec<String> = (0..count)
            .map(|n| {
                let letters = |mut n: usize| -> String {
                    (0..6)
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
        literals in prop::collection::btree_set("[abK1@:é ]{1,6}|[a-c]{30,40}", 1..12),
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
}
