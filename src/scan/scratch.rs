//! Search state, used again from text to text; nothing in it outlives a search but its memory.

use regex_automata::PatternSet;
use regex_automata::hybrid::dfa;
use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;

use super::lane::LaneScratch;
use super::program::Program;
use super::regex::Regex;
use super::sieve::Block;

/// Search state for one thread at a time. Take one with [`super::Scanner::scratch`].
#[derive(Debug)]
pub struct Scratch {
    /// The program that the caches belong to.
    program: u64,
    /// One per unit.
    pub(super) states: Vec<UnitState>,
    /// Units whose state must be reset.
    pub(super) touched: Vec<u32>,
    pub(super) regexes: RegexCaches,
    pub(super) gate: Option<dfa::Cache>,
    /// Folded text of the literal pass.
    pub(super) block: Block,
    pub(super) loose: Vec<(meta::Cache, PatternSet)>,
    pub(super) raw_lane: LaneScratch,
    pub(super) canonical_lane: LaneScratch,
    pub(super) both_lane: LaneScratch,
    /// Units that the gate let through.
    pub(super) hits: Vec<u32>,
    pub(super) folded: String,
    /// What each unit cost so far, where somebody asks.
    pub(super) costs: Option<Box<[Cost]>>,
    pub(super) sightings: Sightings,
}

/// What the literal pass and the gate have done.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Sightings {
    /// Literals that stood in the text.
    pub literals: u64,
    /// Of these, places where the gate was asked.
    pub gate: u64,
    /// Patterns that it let through.
    pub passed: u64,
}

/// What one pattern has cost.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Cost {
    /// Places that the literal pass and the gate left for it.
    pub candidates: u64,
    /// Searches of its regex.
    pub searches: u64,
    /// Bytes of text that those searches could look at.
    pub bytes: u64,
    /// Matches that its validators accepted.
    pub matches: u64,
    /// Time in its searches.
    pub nanoseconds: u64,
}

/// What one search knows about one unit.
#[derive(Debug, Default)]
pub(super) struct UnitState {
    pub(super) is_touched: bool,
    /// No match may start before this byte.
    pub(super) cursor: usize,
    pub(super) listed: usize,
    /// Ranges, both ends included, in which a match may start.
    pub(super) windows: Vec<(usize, usize)>,
}

/// Caches kept in one scratch. Each may grow to a megabyte under hostile text; past this many, all are dropped and made
/// again when needed.
pub(super) const CACHES_MAX: usize = if cfg!(test) { 64 } else { 512 };

/// Caches of the regexes, made when first needed.
#[derive(Debug)]
pub(super) struct RegexCaches {
    caches: Vec<Option<Box<UnitCaches>>>,
    kept: usize,
}

/// Caches of one regex, and room for its groups.
#[derive(Debug)]
pub(super) struct UnitCaches {
    pub(super) anchored: dfa::Cache,
    pub(super) full: Option<meta::Cache>,
    pub(super) slots: Vec<Option<NonMaxUsize>>,
}

impl Scratch {
    pub(super) fn new(program: u64, units: usize) -> Self {
        Self {
            program,
            states: std::iter::repeat_with(UnitState::default).take(units).collect(),
            touched: Vec::new(),
            regexes: RegexCaches { kept: 0, caches: std::iter::repeat_with(|| None).take(units).collect() },
            gate: None,
            block: Block::default(),
            loose: Vec::new(),
            raw_lane: LaneScratch::default(),
            canonical_lane: LaneScratch::default(),
            both_lane: LaneScratch::default(),
            hits: Vec::new(),
            folded: String::new(),
            costs: None,
            sightings: Sightings::default(),
        }
    }

    /// What the literal pass and the gate have done with this scratch so far.
    pub fn sightings(&self) -> Sightings {
        self.sightings
    }

    /// From now on notes what each pattern costs: that takes time itself.
    pub fn profile(&mut self) {
        self.costs = Some(vec![Cost::default(); self.states.len()].into());
    }

    /// Makes the scratch fit for a program: that of another scanner is made anew, since an automaton must never meet
    /// the cache of another.
    pub(super) fn fit(&mut self, program: &Program) {
        if self.program != program.id {
            *self = Self::new(program.id, program.units.len());
        }
    }
}

impl RegexCaches {
    /// The caches of one unit's regex.
    pub(super) fn of(&mut self, unit: u32, regex: &Regex) -> Option<&mut UnitCaches> {
        if self.caches.get(unit as usize)?.is_none() {
            if self.kept == CACHES_MAX {
                self.caches.fill_with(|| None);
                self.kept = 0;
            }
            self.kept += 1;
        }
        let made = || Box::new(UnitCaches { anchored: regex.anchored.create_cache(), full: None, slots: Vec::new() });
        Some(self.caches.get_mut(unit as usize)?.get_or_insert_with(made))
    }
}
