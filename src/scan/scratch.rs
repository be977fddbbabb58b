//! Search state, used again from text to text; nothing in it outlives a search but its memory, and what somebody asked to be
//! counted.

use regex_automata::hybrid::dfa;
use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;

use super::finder::{FinderCaches, Scope};
use super::lane::LaneScratch;
use super::program::Program;
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
    /// One per finder.
    pub(super) finders: [FinderCaches; Scope::ALL.len()],
    /// Folded text of the literal pass.
    pub(super) block: Block,
    pub(super) raw_lane: LaneScratch,
    pub(super) canonical_lane: LaneScratch,
    pub(super) both_lane: LaneScratch,
    /// Units that the gate let through.
    pub(super) hits: Vec<u32>,
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

/// Bytes of the caches of regexes in one scratch: past it they are dropped, and made again when needed. Each may grow to three
/// quarters of a megabyte under hostile text.
const CACHES_BYTES: usize = if cfg!(test) { 64 * 1024 } else { 128 * 1024 * 1024 };
/// Their bytes are counted with each new one, and once in so many searches.
const COUNTED_EVERY: u32 = if cfg!(test) { 8 } else { 512 };

/// Caches of the regexes.
#[derive(Debug)]
pub(super) struct RegexCaches {
    caches: Vec<Option<Box<UnitCaches>>>,
    /// Searches since their bytes were counted.
    uncounted: u32,
}

/// Caches of one regex, made when first needed, and room for its groups.
#[derive(Debug, Default)]
pub(super) struct UnitCaches {
    pub(super) sketch: Option<dfa::Cache>,
    pub(super) anchored: Option<dfa::Cache>,
    pub(super) full: Option<meta::Cache>,
    pub(super) slots: Vec<Option<NonMaxUsize>>,
}

impl Scratch {
    pub(super) fn new(program: u64, units: usize) -> Self {
        Self {
            program,
            states: std::iter::repeat_with(UnitState::default).take(units).collect(),
            touched: Vec::new(),
            regexes: RegexCaches { uncounted: 0, caches: std::iter::repeat_with(|| None).take(units).collect() },
            finders: Default::default(),
            block: Block::default(),
            raw_lane: LaneScratch::default(),
            canonical_lane: LaneScratch::default(),
            both_lane: LaneScratch::default(),
            hits: Vec::new(),
            costs: None,
            sightings: Sightings::default(),
        }
    }

    /// What the literal pass and the gate have done with this scratch so far.
    pub fn sightings(&self) -> Sightings {
        self.sightings
    }

    /// Bytes of memory that it takes: it grows with what it meets, up to a bound for each automaton's cache.
    pub fn memory(&self) -> usize {
        let states = self.states.iter().map(|state| state.windows.capacity() * size_of::<(usize, usize)>());
        size_of::<Self>()
            + self.states.capacity() * size_of::<UnitState>()
            + states.sum::<usize>()
            + (self.touched.capacity() + self.hits.capacity()) * size_of::<u32>()
            + self.regexes.memory()
            + self.finders.iter().map(FinderCaches::memory).sum::<usize>()
            + self.block.memory()
            + self.raw_lane.memory()
            + self.canonical_lane.memory()
            + self.both_lane.memory()
            + self.costs.as_ref().map_or(0, |costs| size_of_val(&**costs))
    }

    /// From now on notes what each pattern costs: that takes time itself.
    pub fn profile(&mut self) {
        self.costs = Some(vec![Cost::default(); self.states.len()].into());
    }

    /// Forgets what a search knew that never came to its end, for a panic: another text must not begin with it.
    pub(super) fn settle(&mut self) {
        for number in self.touched.drain(..) {
            if let Some(state) = self.states.get_mut(number as usize) {
                state.reset();
            }
        }
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
    fn memory(&self) -> usize {
        let of_unit = |unit: &UnitCaches| {
            size_of::<UnitCaches>()
                + [&unit.sketch, &unit.anchored].into_iter().flatten().map(dfa::Cache::memory_usage).sum::<usize>()
                + unit.full.as_ref().map_or(0, meta::Cache::memory_usage)
                + unit.slots.capacity() * size_of::<Option<NonMaxUsize>>()
        };
        let units = self.caches.iter().flatten().map(|unit| of_unit(unit));
        self.caches.capacity() * size_of::<Option<Box<UnitCaches>>>() + units.sum::<usize>()
    }

    /// The caches of one unit's regex.
    pub(super) fn of(&mut self, unit: u32) -> Option<&mut UnitCaches> {
        self.uncounted += 1;
        // Each new one is room for more, and those that are there grow.
        if self.uncounted >= COUNTED_EVERY || self.caches.get(unit as usize)?.is_none() {
            self.uncounted = 0;
            if self.memory() > CACHES_BYTES {
                self.caches.fill_with(|| None);
            }
        }
        Some(self.caches.get_mut(unit as usize)?.get_or_insert_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::rules::RuleSet;
    use crate::scan::Scanner;

    #[test]
    fn what_a_scratch_holds_is_counted() {
        let scanner = Scanner::new(Arc::new(RuleSet::default())).unwrap();
        let mut scratch = scanner.scratch();
        let before = scratch.memory();
        scratch.hits.reserve_exact(1000);
        assert!(scratch.memory() >= before + 4000, "{before} {}", scratch.memory());
    }
}
