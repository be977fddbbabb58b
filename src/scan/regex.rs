//! One pattern's regex: an anchored lazy DFA for nearly all searches, and the full engine for the rest.

use std::sync::OnceLock;

use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{MatchKind, meta};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::BuildError;

/// Immutable; caches are the caller's.
#[derive(Debug)]
pub(super) struct Regex {
    /// Finds the end of the match that starts at a given place, as leftmost-first regexes have it.
    pub(super) anchored: dfa::DFA,
    /// Bytes with which a match can begin.
    pub(super) firsts: Firsts,
    /// Bytes of the longest match.
    pub(super) length_max: Option<usize>,
    /// Groups, and searches that hostile text makes long: made when first needed.
    full: OnceLock<Option<meta::Regex>>,
    hir: Hir,
}

/// Memory for one pattern's lazy DFA.
const CACHE_BYTES: usize = 512 * 1024;

impl Regex {
    pub(super) fn new(hir: &Hir, length_max: Option<usize>) -> Result<Self, BuildError> {
        let config = thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(None);
        let nfa =
            thompson::Compiler::new().configure(config).build_from_hir(hir).map_err(|error| BuildError::new(&error))?;
        let config = |bytes| {
            dfa::Config::new()
                .match_kind(MatchKind::LeftmostFirst)
                .cache_capacity(bytes)
                .minimum_cache_clear_count(None)
                .minimum_bytes_per_state(None)
        };
        let least = config(0).get_minimum_cache_capacity(&nfa).map_err(|error| BuildError::new(&error))?;
        let anchored = dfa::Builder::new()
            .configure(config(CACHE_BYTES.max(least.saturating_mul(2))))
            .build_from_nfa(nfa)
            .map_err(|error| BuildError::new(&error))?;
        let mut firsts = Firsts([0; 4]);
        if !firsts.add(hir) {
            firsts = Firsts([u64::MAX; 4]);
        }
        Ok(Self { anchored, firsts, length_max, full: OnceLock::new(), hir: hir.clone() })
    }

    /// The full engine. The loader has compiled the expression within its limits, so that there is one.
    pub(super) fn full(&self) -> Option<&meta::Regex> {
        self.full.get_or_init(|| many(&[&self.hir], false, CACHE_BYTES).ok()).as_ref()
    }
}

/// The full engine over some expressions. `all`: searched for every pattern that matches anywhere, rather than for the
/// leftmost match.
pub(super) fn many(hirs: &[&Hir], all: bool, cache_bytes: usize) -> Result<meta::Regex, BuildError> {
    let kind = if all { MatchKind::All } else { MatchKind::LeftmostFirst };
    let config = meta::Config::new()
        .match_kind(kind)
        .nfa_size_limit(None)
        .hybrid_cache_capacity(cache_bytes)
        // Look-around is ASCII; the pattern's own syntax was applied when the rule was checked.
        .utf8_empty(true);
    meta::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new())
        .build_many_from_hir(hirs)
        .map_err(|error| BuildError::new(&error))
}

/// A set of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Firsts([u64; 4]);

impl Firsts {
    pub(super) fn holds(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    fn put(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Adds the bytes with which a match can begin; false when the expression can match the empty text.
    fn add(&mut self, hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => false,
            HirKind::Literal(literal) => literal.0.first().is_some_and(|byte| {
                self.put(*byte);
                true
            }),
            HirKind::Class(Class::Bytes(class)) => {
                class.ranges().iter().flat_map(|range| range.start()..=range.end()).for_each(|byte| self.put(byte));
                true
            }
            HirKind::Class(Class::Unicode(class)) => {
                for range in class.ranges() {
                    let first = |c: char| c.encode_utf8(&mut [0; 4]).bytes().next().unwrap_or(0);
                    // Leading bytes are in the order of the characters.
                    (first(range.start())..=first(range.end())).for_each(|byte| self.put(byte));
                }
                true
            }
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Repetition(repetition) => self.add(&repetition.sub) && repetition.min > 0,
            HirKind::Concat(parts) => parts.iter().any(|part| self.add(part)),
            HirKind::Alternation(parts) => parts.iter().fold(true, |all, part| self.add(part) && all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(regex: &str) -> String {
        let hir = regex_syntax::parse(regex).unwrap();
        let mut firsts = Firsts([0; 4]);
        if !firsts.add(&hir) {
            return "all".to_owned();
        }
        (0..=127u8).filter(|byte| firsts.holds(*byte)).map(char::from).collect()
    }

    #[test]
    fn first_bytes_are_those_of_every_match() {
        assert_eq!(firsts("abc|[x-z]"), "axyz");
        assert_eq!(firsts(r"(?-u:\b)(?:q?r)+s*"), "qr");
        assert_eq!(firsts("a*b?"), "all");
        assert_eq!(firsts("[é-ü]z"), "");
        let mut set = Firsts([0; 4]);
        assert!(set.add(&regex_syntax::parse("[é忽]z").unwrap()));
        assert!(set.holds(0xC3) && set.holds(0xE5) && !set.holds(0xC4));
    }
}
