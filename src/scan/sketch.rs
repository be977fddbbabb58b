//! A pattern without its large counts: small, and asked first.
//!
//! An automaton that counts is in another state after nearly every text, each as dear as a thousand steps, and text that is
//! almost a match of many patterns is nothing but such states. Without counts there are few of them. What is refused here is no
//! match; what is not refused is asked of the pattern itself.

use regex_automata::hybrid::{LazyStateID, dfa};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::BuildError;
use super::confirm::Fate;

/// Immutable; the cache is the caller's.
#[derive(Debug)]
pub(super) struct Sketch {
    automaton: dfa::DFA,
    /// Bytes of the pattern's longest match.
    length_max: Option<usize>,
    /// Bytes up to which it is the pattern itself.
    exact_up_to: usize,
}

/// How far a walk through a text has come.
#[derive(Debug)]
enum Walk {
    /// No match, whatever follows.
    Refused,
    /// The pattern itself must be asked.
    Unsure,
    /// To the text's end, or as far as any match goes.
    Through(LazyStateID),
}

/// Memory for the lazy DFA.
const CACHE_BYTES: usize = 256 * 1024;

/// Copies that are counted.
const COUNTED: u32 = 8;

/// The same of a part that takes many states.
const COUNTED_LARGE: u32 = 2;

impl Sketch {
    /// `None`: the pattern has no large count. `compiler` is used again from pattern to pattern.
    pub(super) fn new(
        hir: &Hir,
        length_max: Option<usize>,
        compiler: &mut thompson::Compiler,
    ) -> Result<Option<Self>, BuildError> {
        let exact_up_to = exact_up_to(hir);
        if exact_up_to == usize::MAX {
            return Ok(None);
        }
        let config = thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(None);
        let nfa = compiler.configure(config).build_from_hir(&relaxed(hir)).map_err(|error| BuildError::new(&error))?;
        let automaton = dfa::Builder::new()
            .configure(super::regex::lazily(MatchKind::All, CACHE_BYTES, &nfa)?)
            .build_from_nfa(nfa)
            .map_err(|error| BuildError::new(&error))?;
        Ok(Some(Self { automaton, length_max, exact_up_to }))
    }

    pub(super) fn create_cache(&self) -> dfa::Cache {
        self.automaton.create_cache()
    }

    pub(super) fn memory(&self) -> usize {
        self.automaton.memory_usage() + self.automaton.get_nfa().memory_usage()
    }

    /// False: no match of the pattern starts here. `None`: out of steps.
    pub(super) fn may_match(&self, text: &[u8], at: usize, cache: &mut dfa::Cache, steps: &mut usize) -> Option<bool> {
        Some(match self.walk(text, at, cache, steps)? {
            Walk::Refused => false,
            Walk::Unsure => true,
            Walk::Through(state) => self.end(text, at) == text.len() && self.matches_at_end(state, cache),
        })
    }

    /// What becomes of the pattern at a place of a text that may go on. `None`: the pattern itself must be asked.
    pub(super) fn fate(&self, text: &[u8], at: usize, ended: bool, cache: &mut dfa::Cache) -> Option<Fate> {
        match self.walk(text, at, cache, &mut { usize::MAX })? {
            Walk::Refused => Some(Fate::Nothing),
            Walk::Unsure => None,
            Walk::Through(_) if self.end(text, at) < text.len() => Some(Fate::Nothing),
            Walk::Through(state) if ended => (!self.matches_at_end(state, cache)).then_some(Fate::Nothing),
            Walk::Through(_) => (text.len() - at <= self.exact_up_to).then_some(Fate::Open),
        }
    }

    /// Runs from a place to where it can be told. `None`: out of steps.
    fn walk(&self, text: &[u8], at: usize, cache: &mut dfa::Cache, steps: &mut usize) -> Option<Walk> {
        let dfa = &self.automaton;
        let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return Some(Walk::Unsure) };
        for byte in text.get(at..self.end(text, at))? {
            *steps = steps.checked_sub(1)?;
            let Ok(next) = dfa.next_state(cache, state, *byte) else { return Some(Walk::Unsure) };
            state = next;
            if state.is_tagged() {
                if state.is_match() || state.is_quit() {
                    return Some(Walk::Unsure);
                }
                if state.is_dead() {
                    return Some(Walk::Refused);
                }
            }
        }
        Some(Walk::Through(state))
    }

    /// Whether a text that ends here may match: true, too, where the automaton cannot say.
    fn matches_at_end(&self, state: LazyStateID, cache: &mut dfa::Cache) -> bool {
        self.automaton.next_eoi_state(cache, state).map_or(true, |state| state.is_match())
    }

    /// Behind the last byte that tells of a match from a place on: it is told one byte late.
    fn end(&self, text: &[u8], at: usize) -> usize {
        self.length_max.map_or(text.len(), |length| at.saturating_add(length).saturating_add(1).min(text.len()))
    }
}

/// The same with at least as many copies of each part, where they are many: whatever matches the pattern matches this, and
/// whatever a match of the pattern begins with, one of this does.
pub(super) fn relaxed(hir: &Hir) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(relaxed).collect();
    match hir.kind() {
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => Hir::repetition(Repetition {
            min: (*min).min(COUNTED),
            max: max.filter(|max| *max <= counted(sub)),
            greedy: *greedy,
            sub: Box::new(relaxed(sub)),
        }),
        HirKind::Capture(capture) => relaxed(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
        _ => hir.clone(),
    }
}

fn counted(part: &Hir) -> u32 {
    let is_small = matches!(part.kind(), HirKind::Class(_)) && part.properties().maximum_len() == Some(1);
    if is_small { COUNTED } else { COUNTED_LARGE }
}

/// Bytes up to which [`relaxed`] changes nothing.
pub(super) fn exact_up_to(hir: &Hir) -> usize {
    let least = |parts: &[Hir]| parts.iter().map(exact_up_to).min().unwrap_or(usize::MAX);
    match hir.kind() {
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            let copies = match max {
                _ if *min > COUNTED => COUNTED,
                Some(max) if *max > counted(sub) => *max,
                _ => return exact_up_to(sub),
            };
            exact_up_to(sub).min(copies as usize * sub.properties().minimum_len().unwrap_or(1).max(1))
        }
        HirKind::Capture(capture) => exact_up_to(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => least(parts),
        _ => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::scan::regex::Regex;

    const PATTERNS: [&str; 9] = [
        "a[ab]{2,20}-c",
        "a(?s:.){0,12}c",
        r"(?-u:\b)a[^c]{9,30}c(?-u:\b)",
        "(?:ab|a-){1,9}c",
        "a{10}|b{1,9}?c|ab",
        "(?:a|ab)(?:[bc]{0,10}|-)a",
        "a(?:b[ac]{0,9}){0,3}c$",
        "ab{9,}c",
        "a[bé]{0,9}c(?m:$)",
    ];

    /// Runs the pattern's own automaton: whether it matches at a place, and whether it ends before the text does.
    fn exactly(regex: &Regex, text: &[u8], at: usize) -> (bool, bool) {
        let dfa = &regex.anchored;
        let mut cache = dfa.create_cache();
        let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
        let mut state = dfa.start_state_forward(&mut cache, &input).unwrap();
        let mut matched = false;
        for byte in &text[at..] {
            state = dfa.next_state(&mut cache, state, *byte).unwrap();
            matched |= state.is_match();
            if state.is_dead() {
                return (matched, true);
            }
        }
        (matched || dfa.next_eoi_state(&mut cache, state).unwrap().is_match(), false)
    }

    proptest! {
        /// What is refused matches nowhere, what is dead is dead, and what is surely open is open.
        #[test]
        fn never_refuses_a_match(which in 0..PATTERNS.len(), text in "[- é]?(a|ab|b){0,3}[abc]{0,12}[- abcé]{0,6}(a{0,12}|b{0,12})c?") {
            let hir = regex_syntax::parse(PATTERNS[which]).unwrap();
            let mut compiler = thompson::Compiler::new();
            let regex = Regex::new(&hir, hir.properties().maximum_len(), &mut compiler).unwrap();
            let sketch = regex.sketch.as_ref().unwrap();
            let mut cache = sketch.create_cache();
            let bytes = text.as_bytes();
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                let (matches, is_dead) = exactly(&regex, bytes, at);
                let may = sketch.may_match(bytes, at, &mut cache, &mut { usize::MAX });
                prop_assert!(may == Some(true) || !matches, "{} at {at}", PATTERNS[which]);
                match sketch.fate(bytes, at, false, &mut cache) {
                    Some(Fate::Open) => prop_assert!(!is_dead, "{} at {at}", PATTERNS[which]),
                    Some(fate) => {
                        prop_assert_eq!(fate, Fate::Nothing);
                        prop_assert!(is_dead && !matches, "{} at {at}", PATTERNS[which]);
                    }
                    None => {}
                }
                let ended = sketch.fate(bytes, at, true, &mut cache);
                prop_assert!(ended.is_none() || (ended == Some(Fate::Nothing) && !matches), "{} at {at}", PATTERNS[which]);
            }
        }
    }

    #[test]
    fn only_what_counts_far_has_one() {
        let sketch = |regex: &str| {
            let hir = regex_syntax::parse(regex).unwrap();
            Sketch::new(&hir, hir.properties().maximum_len(), &mut thompson::Compiler::new()).unwrap()
        };
        assert!(sketch("ab+[cd]{1,8}[^x]*d").is_none());
        assert!(sketch("ab{2,9}").is_some() && sketch("(?:abc){2}").is_none() && sketch("(?:abc){0,3}").is_some());
        // Longer than any match.
        let counted = sketch("a[b-d]{0,20}x").unwrap();
        let text = format!("a{}x", "b".repeat(40));
        let mut cache = counted.create_cache();
        assert_eq!(counted.may_match(text.as_bytes(), 0, &mut cache, &mut 100), Some(false));
        assert_eq!(counted.fate(text.as_bytes(), 0, false, &mut cache), Some(Fate::Nothing));
        assert_eq!(counted.may_match(text.as_bytes(), 0, &mut cache, &mut 10), None);
    }
}
