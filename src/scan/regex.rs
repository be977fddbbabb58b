//! One pattern's regex: an anchored lazy DFA for nearly all searches, and the full engine for the rest.

use std::sync::OnceLock;

use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{MatchKind, meta};
use regex_syntax::hir::Hir;

use super::BuildError;
use super::sketch::Sketch;
use crate::rules::firsts::Firsts;

/// Immutable; caches are the caller's.
#[derive(Debug)]
pub(super) struct Regex {
    /// Finds the end of the match that starts at a given place, as leftmost-first regexes have it.
    pub(super) anchored: dfa::DFA,
    /// The same without large counts: asked first.
    pub(super) sketch: Option<Sketch>,
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
    /// `compiler` is used again from pattern to pattern.
    pub(super) fn new(
        hir: &Hir,
        length_max: Option<usize>,
        compiler: &mut thompson::Compiler,
    ) -> Result<Self, BuildError> {
        let config = thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(None);
        let nfa = compiler.configure(config).build_from_hir(hir).map_err(|error| BuildError::new(&error))?;
        let anchored = dfa::Builder::new()
            .configure(lazily(MatchKind::LeftmostFirst, CACHE_BYTES, &nfa)?)
            .build_from_nfa(nfa)
            .map_err(|error| BuildError::new(&error))?;
        let sketch = Sketch::new(hir, length_max, compiler)?;
        Ok(Self { anchored, sketch, firsts: Firsts::of(hir), length_max, full: OnceLock::new(), hir: hir.clone() })
    }

    pub(super) fn memory(&self) -> usize {
        let full = self.full.get().and_then(Option::as_ref).map_or(0, meta::Regex::memory_usage);
        let sketch = self.sketch.as_ref().map_or(0, Sketch::memory);
        size_of::<Self>() + sketch + self.anchored.memory_usage() + self.anchored.get_nfa().memory_usage() + full
    }

    /// The full engine. The loader has compiled the expression within its limits, so that there is one.
    pub(super) fn full(&self) -> Option<&meta::Regex> {
        self.full.get_or_init(|| many(&[&self.hir], false, CACHE_BYTES).ok()).as_ref()
    }
}

/// A lazy DFA that never gives up, with so much memory, or more where that would not do for a handful of states.
pub(super) fn lazily(kind: MatchKind, cache_bytes: usize, nfa: &thompson::NFA) -> Result<dfa::Config, BuildError> {
    let config = |bytes| {
        dfa::Config::new()
            .match_kind(kind)
            .cache_capacity(bytes)
            .minimum_cache_clear_count(None)
            .minimum_bytes_per_state(None)
    };
    let least = config(0).get_minimum_cache_capacity(nfa).map_err(|error| BuildError::new(&error))?;
    Ok(config(cache_bytes.max(least.saturating_mul(2))))
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
