//! The gate: where a literal stands, which of the patterns that go on from it do so here?
//!
//! One lazy DFA over all patterns, each from its literal on, anchored at the literal's place. On ordinary text it dies after
//! a few bytes, and most candidates end here without a regex of their own having been asked. A pattern is cut where it could
//! make the DFA run far: the gate may let too many through, never too few.

use std::borrow::Borrow;

use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Repetition};

use super::BuildError;
use super::regex::lazily;
use crate::rules::beginnings::{COPIES_FEW, NARROW};
use crate::rules::firsts::Firsts;

/// Immutable; the cache is the caller's.
#[derive(Debug)]
pub(super) struct Gate {
    automaton: dfa::DFA,
    units: Box<[u32]>,
    /// Units with a part that may be of any length here.
    endless: Box<[u32]>,
}

/// Bytes after a literal that the gate looks at.
const REACH: usize = 24;

/// What such a run counts for among the bytes that the gate looks at.
const RUN_ROOM: usize = 8;

/// Bytes of text after which the gate lets everything through that may be inside of such a run.
const STEPS: usize = 160;

/// Memory for the lazy DFA. It is cleared when full and never gives up.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

impl Gate {
    /// `patterns`: units and what each goes on with from its literal, [`cut`]. One that may match the empty text passes
    /// wherever the gate is asked.
    pub(super) fn new(patterns: &[(u32, impl Borrow<Hir>)]) -> Result<Option<Self>, BuildError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let hirs: Vec<&Hir> = patterns.iter().map(|(_, hir)| hir.borrow()).collect();
        let automaton = automaton(&hirs, false, CACHE_BYTES)?;
        let units = || patterns.iter();
        let endless =
            units().filter(|(_, hir)| hir.borrow().properties().maximum_len().is_none()).map(|(unit, _)| *unit);
        Ok(Some(Self { automaton, endless: endless.collect(), units: units().map(|(unit, _)| *unit).collect() }))
    }

    pub(super) fn create_cache(&self) -> dfa::Cache {
        self.automaton.create_cache()
    }

    pub(super) fn memory(&self) -> usize {
        self.automaton.memory_usage() + self.automaton.get_nfa().memory_usage()
    }

    /// All units that it knows.
    pub(super) fn units(&self) -> &[u32] {
        &self.units
    }

    /// Appends the units that may go on from `at`, each once. False: the gate cannot say.
    pub(super) fn passes(&self, text: &[u8], at: usize, cache: &mut dfa::Cache, passed: &mut Vec<u32>) -> bool {
        self.run(text, at, true, cache, passed).is_some()
    }

    /// As [`Gate::passes`], of a text that may go on: true when more of it may let more through. `None`: the gate cannot say.
    pub(super) fn is_open(
        &self,
        text: &[u8],
        at: usize,
        cache: &mut dfa::Cache,
        passed: &mut Vec<u32>,
    ) -> Option<bool> {
        self.run(text, at, false, cache, passed)
    }

    /// True: the text ended before the automaton did.
    fn run(&self, text: &[u8], at: usize, ended: bool, cache: &mut dfa::Cache, passed: &mut Vec<u32>) -> Option<bool> {
        let dfa = &self.automaton;
        let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
        let mut state = dfa.start_state_forward(cache, &input).ok()?;
        for (step, byte) in text.get(at..)?.iter().enumerate() {
            if step == STEPS {
                let new = self.endless.iter().filter(|unit| !passed.contains(unit)).copied().collect::<Vec<_>>();
                passed.extend(new);
                return Some(false);
            }
            state = dfa.next_state(cache, state, *byte).ok()?;
            if state.is_tagged() {
                if state.is_dead() {
                    return Some(false);
                }
                if state.is_quit() {
                    return None;
                }
                self.collect(state, cache, passed);
            }
        }
        if ended {
            state = dfa.next_eoi_state(cache, state).ok()?;
            self.collect(state, cache, passed);
        }
        Some(true)
    }

    fn collect(&self, state: regex_automata::hybrid::LazyStateID, cache: &dfa::Cache, passed: &mut Vec<u32>) {
        if !state.is_match() {
            return;
        }
        for index in 0..self.automaton.match_len(cache, state) {
            let pattern = self.automaton.match_pattern(cache, state, index);
            if let Some(unit) = self.units.get(pattern.as_usize()).filter(|unit| !passed.contains(unit)) {
                passed.push(*unit);
            }
        }
    }
}

/// One lazy DFA over many patterns that tells all of them that match. `backwards`: it is run from the end of a text.
pub(super) fn automaton(hirs: &[&Hir], backwards: bool, cache_bytes: usize) -> Result<dfa::DFA, BuildError> {
    let config = thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(None).reverse(backwards);
    let nfa = thompson::Compiler::new()
        .configure(config)
        .build_many_from_hir(hirs)
        .map_err(|error| BuildError::new(&error))?;
    dfa::Builder::new()
        .configure(lazily(MatchKind::All, cache_bytes, &nfa)?)
        .build_from_nfa(nfa)
        .map_err(|error| BuildError::new(&error))
}

/// The beginning of an expression, of at most [`REACH`] bytes: whatever matches the whole begins with a match of it.
pub(super) fn cut(hir: &Hir) -> Hir {
    begin(hir, &mut { REACH }).0
}

/// True where a part may be repeated many times more than it must: behind it the automaton would be in another state after
/// nearly every text, and each new state costs a thousand steps.
fn has_gap(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            max.is_none_or(|max| max - min > COPIES_FEW) || has_gap(sub)
        }
        HirKind::Capture(capture) => has_gap(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_gap),
        _ => false,
    }
}

/// Bytes of the longest match, where each character of a class counts as one byte: in most text it is.
fn width(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(0),
        HirKind::Literal(literal) => Some(literal.0.len()),
        HirKind::Class(_) => Some(1),
        HirKind::Repetition(Repetition { max, sub, .. }) => width(sub)?.checked_mul(usize::try_from((*max)?).ok()?),
        HirKind::Capture(capture) => width(&capture.sub),
        HirKind::Concat(parts) => parts.iter().try_fold(0, |all: usize, part| all.checked_add(width(part)?)),
        HirKind::Alternation(parts) => parts.iter().try_fold(0, |most: usize, part| Some(most.max(width(part)?))),
    }
}

/// The class of all bytes that an expression may have, if they are few and not spaces.
fn narrow(hir: &Hir) -> Option<Hir> {
    let bytes = Firsts::all_of(hir);
    let is_narrow = bytes.len() <= NARROW && (0..=b' ').all(|byte| !bytes.holds(byte));
    let ranges = (0..=u8::MAX).filter(|byte| bytes.holds(*byte)).map(|byte| ClassBytesRange::new(byte, byte));
    is_narrow.then(|| Hir::class(Class::Bytes(ClassBytes::new(ranges))))
}

/// Takes what fits into `room`; false when something was left out, so that nothing may follow.
fn begin(hir: &Hir, room: &mut usize) -> (Hir, bool) {
    if let Some(length) = width(hir).filter(|length| length <= room && !has_gap(hir)) {
        *room -= length;
        return (hir.clone(), true);
    }
    match hir.kind() {
        HirKind::Capture(capture) => begin(&capture.sub, room),
        HirKind::Concat(parts) => {
            let mut taken = Vec::new();
            let mut is_whole = true;
            for part in parts {
                let (part, whole) = begin(part, room);
                taken.push(part);
                is_whole = whole;
                if !whole {
                    break;
                }
            }
            (Hir::concat(taken), is_whole)
        }
        // A run that ordinary text soon ends: any number of copies, so that the automaton need not count.
        HirKind::Repetition(Repetition { min, sub, .. })
            if has_gap(hir)
                && let Some(run) = narrow(sub).filter(|_| *room > RUN_ROOM) =>
        {
            *room -= RUN_ROOM;
            let many = |min, sub| Hir::repetition(Repetition { min, max: None, greedy: true, sub: Box::new(sub) });
            match (sub.kind(), min) {
                (HirKind::Class(_), _) => (many((*min).min(RUN_ROOM as u32), sub.as_ref().clone()), true),
                (_, 0) => (many(0, run), true),
                // The first copy as it is.
                _ => match begin(sub, room) {
                    (first, true) => (Hir::concat(vec![first, many(0, run)]), true),
                    cut => cut,
                },
            }
        }
        // As many copies as there must be, if they fit.
        HirKind::Repetition(Repetition { min, sub, .. }) => {
            let each = sub.properties().maximum_len().unwrap_or(usize::MAX).max(1);
            let copies = u32::try_from(*room / each).unwrap_or(u32::MAX).min(*min);
            if copies == 0 && *min > 0 {
                return (begin(sub, room).0, false);
            }
            *room = 0;
            let taken = Repetition { min: copies, max: Some(copies), greedy: true, sub: sub.clone() };
            (if copies == 0 { Hir::empty() } else { Hir::repetition(taken) }, false)
        }
        HirKind::Literal(literal) => {
            let taken = literal.0.get(..*room).unwrap_or(&literal.0).to_vec();
            *room = 0;
            (Hir::literal(taken), false)
        }
        HirKind::Alternation(parts) => {
            let (each, mut least, mut is_whole) = (*room, *room, true);
            let branch = |part| {
                let mut room = each;
                let (part, whole) = begin(part, &mut room);
                least = least.min(room);
                is_whole &= whole;
                part
            };
            let parts = parts.iter().map(branch).collect();
            *room = least;
            (Hir::alternation(parts), is_whole)
        }
        _ => (Hir::empty(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(patterns: &[&str], text: &str) -> Vec<u32> {
        let hirs: Vec<Hir> = patterns.iter().map(|regex| regex_syntax::parse(regex).unwrap()).collect();
        let numbered: Vec<(u32, Hir)> = hirs.iter().enumerate().map(|(n, hir)| (n as u32, cut(hir))).collect();
        let gate = Gate::new(&numbered).unwrap().unwrap();
        let mut passed = Vec::new();
        assert!(gate.passes(text.as_bytes(), 0, &mut gate.create_cache(), &mut passed));
        passed.sort();
        passed
    }

    #[test]
    fn tells_all_that_go_on() {
        assert_eq!(passing(&["ab", "a[a-z]c", "abd", r"(?-u:\bab\b)"], "abc"), [0, 1]);
        assert_eq!(passing(&["ab", r"(?-u:\bab\b)"], "ab"), [0, 1]);
    }

    #[test]
    fn long_patterns_are_cut_and_let_all_matches_through() {
        for regex in
            ["k-[a-z]{40,4000}x", "k-(?s:.){0,900}y", "(k-)(?:[a-z]{70}|b)", &"k-".repeat(90), "(?:k-[a-z]{1,9}){20}"]
        {
            let hir = regex_syntax::parse(regex).unwrap();
            let short = cut(&hir);
            assert!(short.properties().maximum_len().is_none_or(|length| length <= REACH), "{regex}");
            assert!(short.properties().minimum_len().is_some_and(|length| length >= 2), "{regex}");
        }
        // A run of few characters may be of any length here: its pattern counts them.
        assert_eq!(passing(&["k-[a-z]{40,4000}x"], &format!("k-{}x", "a".repeat(50))), [0]);
        assert_eq!(passing(&["k-[a-z]{40,4000}x"], &format!("k-{}-", "a".repeat(50))), [0; 0]);
        assert_eq!(passing(&["k-[a-z]{40,4000}x"], &format!("k-{}", "a".repeat(STEPS + 1))), [0]);
        assert_eq!(passing(&["k-[a-z]{40,4000}x"], "k-aaaa"), [0; 0]);
    }
}
