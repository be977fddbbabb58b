//! The end of a stream's text, read backwards: from where on may something be under way?
//!
//! One lazy DFA over everything that matches may have begun with, reversed and anchored at the text's end: wherever it
//! matches, some pattern has got as far as the end. It runs through the last word or so and is dead. Counts are dropped where
//! they are large, so that it stays small: it may name too many patterns, never too few, and each that it names is asked by
//! itself.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use crate::scan::BuildError;
use crate::scan::gate;
use crate::scan::sketch::{exact_up_to, relaxed};

/// Immutable; the cache is the caller's.
#[derive(Debug)]
pub(super) struct Tail {
    automaton: dfa::DFA,
    /// Of each pattern its unit, and up to which length in bytes a claim of it is true.
    units: Box<[(u32, usize)]>,
    /// No pattern is under way for longer than this, in bytes, before its text is there.
    longest: usize,
}

/// A place from which on something may be under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) at: usize,
    state: LazyStateID,
}

/// Memory for the lazy DFA. It is cleared when full.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

impl Tail {
    /// `heads`: units, and what their matches have up to the text by which they are found.
    pub(super) fn new(heads: &[(u32, Hir)]) -> Result<Option<Self>, BuildError> {
        let begun = |(unit, head): &(u32, Hir)| Some((*unit, exact_up_to(head), beginnings(&relaxed(head))?));
        let mut begun: Vec<(u32, usize, Hir)> = heads.iter().filter_map(begun).collect();
        if begun.is_empty() {
            return Ok(None);
        }
        // Those that need not be asked come first.
        begun.sort_by_key(|(_, exact, _)| std::cmp::Reverse(*exact));
        let automaton = gate::automaton(&begun.iter().map(|(.., hir)| hir).collect::<Vec<_>>(), true, CACHE_BYTES)?;
        let longest = heads.iter().map(|(_, head)| head.properties().maximum_len().unwrap_or(usize::MAX));
        Ok(Some(Self {
            automaton,
            units: begun.iter().map(|(unit, exact, _)| (*unit, *exact)).collect(),
            longest: longest.max().unwrap_or(0),
        }))
    }

    pub(super) fn create_cache(&self) -> dfa::Cache {
        self.automaton.create_cache()
    }

    pub(super) fn memory(&self) -> usize {
        self.automaton.memory_usage() + self.automaton.get_nfa().memory_usage()
    }

    /// Lists the places from `from` on from which something may be under way at the text's end, the last one first. False: it
    /// cannot say.
    pub(super) fn claims(&self, text: &[u8], from: usize, cache: &mut dfa::Cache, claims: &mut Vec<Claim>) -> bool {
        // A state is forgotten when the cache is cleared; then the second time most of them are there.
        (0..2).any(|_| {
            claims.clear();
            let before = cache.clear_count();
            self.run(text, from, cache, claims).is_some() && cache.clear_count() == before
        })
    }

    fn run(&self, text: &[u8], from: usize, cache: &mut dfa::Cache, claims: &mut Vec<Claim>) -> Option<()> {
        let dfa = &self.automaton;
        let from = from.max(text.len().saturating_sub(self.longest));
        let input = Input::new(text).span(from..text.len()).anchored(Anchored::Yes);
        let mut state = dfa.start_state_reverse(cache, &input).ok()?;
        // A match is told one byte late.
        for (at, byte) in text.iter().enumerate().skip(from).rev() {
            state = dfa.next_state(cache, state, *byte).ok()?;
            if state.is_tagged() {
                if state.is_match() {
                    claims.push(Claim { at: at + 1, state });
                } else if state.is_dead() {
                    return Some(());
                } else if state.is_quit() {
                    return None;
                }
            }
        }
        state = match from.checked_sub(1).and_then(|before| text.get(before)) {
            Some(before) => dfa.next_state(cache, state, *before).ok()?,
            None => dfa.next_eoi_state(cache, state).ok()?,
        };
        if state.is_match() {
            claims.push(Claim { at: from, state });
        }
        Some(())
    }

    /// The units that may be under way from a claim on, and up to which length in bytes that is certain. The cache has seen
    /// nothing since.
    pub(super) fn units<'a>(&'a self, claim: Claim, cache: &'a dfa::Cache) -> impl Iterator<Item = (u32, usize)> + 'a {
        let matches = 0..self.automaton.match_len(cache, claim.state);
        let patterns = matches.map(move |index| self.automaton.match_pattern(cache, claim.state, index));
        patterns.filter_map(|pattern| self.units.get(pattern.as_usize()).copied())
    }
}

/// What a match may have begun with: at least a byte. `None`: there is no such thing.
fn beginnings(hir: &Hir) -> Option<Hir> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => None,
        HirKind::Class(_) => Some(hir.clone()),
        HirKind::Literal(literal) => {
            let one = |byte: &u8| Hir::literal([*byte]);
            literal.0.iter().rev().map(one).reduce(|behind, byte| Hir::concat(vec![byte, at_most(1, behind)]))
        }
        HirKind::Capture(capture) => beginnings(&capture.sub),
        HirKind::Repetition(Repetition { max: Some(0), .. }) => None,
        HirKind::Repetition(Repetition { max, sub, .. }) => {
            let before = at_most(max.map(|max| max - 1), sub.as_ref().clone());
            Some(Hir::concat(vec![before, beginnings(sub)?]))
        }
        HirKind::Concat(parts) => parts.iter().rev().fold(None, |behind, part| {
            let behind = behind.map(|behind| Hir::concat(vec![part.clone(), behind]));
            either(beginnings(part), behind)
        }),
        HirKind::Alternation(parts) => parts.iter().map(beginnings).reduce(either).flatten(),
    }
}

fn either(one: Option<Hir>, other: Option<Hir>) -> Option<Hir> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Hir::alternation(vec![one, other])),
        (one, other) => one.or(other),
    }
}

fn at_most(copies: impl Into<Option<u32>>, hir: Hir) -> Hir {
    Hir::repetition(Repetition { min: 0, max: copies.into(), greedy: true, sub: Box::new(hir) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert, prop_oneof, proptest};
    use proptest::strategy::Just;
    use proptest::string::string_regex;

    use super::*;

    const HEADS: [&str; 12] = [
        "[a-c]{2,20}-x",
        r"(?-u:\b)[a-z][a-z.]{0,2}@(?:ab|cd)",
        "(?:a|bc){1,4}d",
        "ab(?:c{3}|d?e){2}f",
        "[^a-z]{1,2}key[0-9]{9,12}:",
        "a{12}b",
        "é{1,3}[а-я]x",
        "(?:a[bc]{0,3}){2,30}-",
        "ab?c?d?e",
        r"x(?-u:\b) y",
        "(?s:.)[ab]{3}c",
        "q",
    ];

    fn tail(heads: &[&str]) -> Tail {
        let parsed = heads.iter().map(|head| regex_syntax::parse(head).unwrap());
        Tail::new(&(0..).zip(parsed).collect::<Vec<_>>()).unwrap().unwrap()
    }

    /// Claimed places, each with the units and up to where they are sure.
    fn claims(tail: &Tail, text: &str) -> Vec<(usize, Vec<(u32, usize)>)> {
        let (mut cache, mut claims) = (tail.create_cache(), Vec::new());
        assert!(tail.claims(text.as_bytes(), 0, &mut cache, &mut claims));
        claims.iter().map(|claim| (claim.at, tail.units(*claim, &cache).collect())).collect()
    }

    /// One of the heads, and what begins like it.
    fn begun() -> impl Strategy<Value = (usize, String)> {
        let matching = |head: usize| {
            let text = string_regex(&HEADS[head].replace(r"(?-u:\b)", "")).unwrap();
            (Just(head), text, 0.0..1.0f64).prop_map(|(head, text, part)| {
                let cut = (text.len() as f64 * part) as usize;
                let cut = (cut + 1..text.len()).find(|cut| text.is_char_boundary(*cut)).unwrap_or(text.len());
                (head, text[..cut].to_owned())
            })
        };
        (0..HEADS.len()).prop_flat_map(matching)
    }

    proptest! {
        /// Wherever one has begun, that is claimed; and what is sure is so.
        #[test]
        fn what_has_begun_is_claimed(
            before in prop_oneof![Just(String::new()), "[a-d @é-]{0,20}[ -]"],
            (head, text) in begun(),
        ) {
            let all = format!("{before}{text}");
            let claims = claims(&tail(&HEADS), &all);
            let at_place = claims.iter().find(|(at, _)| *at == before.len());
            let is_claimed = at_place.is_some_and(|(_, units)| units.iter().any(|(unit, _)| *unit == head as u32));
            prop_assert!(is_claimed, "{} {all:?} {claims:?}", HEADS[head]);
            for (at, units) in &claims {
                for (unit, _) in units.iter().filter(|(_, exact)| all.len() - at <= *exact) {
                    let regex = regex_syntax::parse(HEADS[*unit as usize]).unwrap();
                    let alone = gate::Gate::new(&[(0, regex)]).unwrap().unwrap();
                    let open = alone.is_open(all.as_bytes(), *at, &mut alone.create_cache(), &mut Vec::new());
                    prop_assert!(open == Some(true), "{} at {at} of {all:?}", HEADS[*unit as usize]);
                }
            }
        }
    }

    #[test]
    fn nothing_is_claimed_in_text_that_nothing_begins_with() {
        assert_eq!(claims(&tail(&["[a-c]{2,20}-x", "key"]), "abcabc- zzz"), []);
        assert_eq!(claims(&tail(&["[a-c]{2,20}-x", "key"]), "zz ke"), [(3, vec![(1, usize::MAX)])]);
    }

    #[test]
    fn counts_are_kept_where_they_are_small() {
        // Up to twenty bytes it is sure that they are no more than twenty.
        let counted = tail(&["x[a-c]{2,20}-", "z{40}y"]);
        assert_eq!(claims(&counted, &format!("x{}", "a".repeat(25))), [(0, vec![(0, 20)])]);
        // None is longer.
        assert_eq!(claims(&counted, &format!("x{}", "a".repeat(45))), []);
        assert_eq!(claims(&tail(&["x[a-c]{2,5}-"]), &format!("x{}", "a".repeat(6))), []);
        assert_eq!(claims(&tail(&["x[a-c]{2,5}-"]), "xa-"), []);
    }
}
