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

/// Caches of the regexes.
#[derive(Debug)]
pub(super) struct RegexCaches {
    caches: Vec<Option<Box<UnitCaches>>>,
    /// Bytes of those, but for what the last one that was asked for has grown since.
    bytes: usize,
    last: usize,
}

/// Caches of one regex, made when first needed, and room for its groups.
#[derive(Debug, Default)]
pub(super) struct UnitCaches {
    pub(super) sketch: Option<dfa::Cache>,
    pub(super) anchored: Option<dfa::Cache>,
    pub(super) full: Option<meta::Cache>,
    pub(super) slots: Vec<Option<NonMaxUsize>>,
    /// Bytes of it when they were counted last.
    counted: usize,
}

impl Scratch {
    pub(super) fn new(program: u64, units: usize) -> Self {
        Self {
            program,
            states: std::iter::repeat_with(UnitState::default).take(units).collect(),
            touched: Vec::new(),
            regexes: RegexCaches::new(units),
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
    fn new(units: usize) -> Self {
        Self { caches: std::iter::repeat_with(|| None).take(units).collect(), bytes: 0, last: 0 }
    }

    fn memory(&self) -> usize {
        let units = self.caches.iter().flatten().map(|unit| unit.memory());
        self.caches.capacity() * size_of::<Option<Box<UnitCaches>>>() + units.sum::<usize>()
    }

    /// The caches of one unit's regex.
    pub(super) fn of(&mut self, unit: u32) -> Option<&mut UnitCaches> {
        // Whatever has grown is the one that was in use until now.
        if let Some(last) = self.caches.get_mut(self.last).and_then(Option::as_mut) {
            let now = last.memory();
            self.bytes = (self.bytes + now).saturating_sub(last.counted);
            last.counted = now;
        }
        if self.bytes > CACHES_BYTES {
            self.caches.fill_with(|| None);
            self.bytes = 0;
        }
        self.last = unit as usize;
        Some(self.caches.get_mut(self.last)?.get_or_insert_default())
    }
}

impl UnitCaches {
    fn memory(&self) -> usize {
        size_of::<Self>()
            + [&self.sketch, &self.anchored].into_iter().flatten().map(dfa::Cache::memory_usage).sum::<usize>()
            + self.full.as_ref().map_or(0, meta::Cache::memory_usage)
            + self.slots.capacity() * size_of::<Option<NonMaxUsize>>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::rules::RuleSet;
    use crate::scan::Scanner;

    use super::*;

    #[test]
    fn caches_of_regexes_are_dropped_when_they_are_large() {
        let mut caches = RegexCaches::new(3);
        let grow = |caches: &mut RegexCaches, unit: u32, bytes: usize| {
            caches.of(unit).unwrap().slots.reserve_exact(bytes / size_of::<Option<NonMaxUsize>>());
        };
        grow(&mut caches, 0, CACHES_BYTES / 2);
        grow(&mut caches, 1, 1000);
        let capacity = caches.of(0).unwrap().slots.capacity();
        assert!(capacity >= CACHES_BYTES / 16, "{capacity}");
        assert!(caches.bytes >= CACHES_BYTES / 2 + 1000, "{}", caches.bytes);
        grow(&mut caches, 2, CACHES_BYTES / 2);
        assert_eq!(caches.of(0).unwrap().slots.capacity(), 0);
        assert_eq!(caches.bytes, 0);
        assert!(caches.of(3).is_none());
    }

    #[test]
    fn what_a_scratch_holds_is_counted() {
        let scanner = Scanner::new(Arc::new(RuleSet::default())).unwrap();
        let mut scratch = scanner.scratch();
        let before = scratch.memory();
        scratch.hits.reserve_exact(1000);
        assert!(scratch.memory() >= before + 4000, "{before} {}", scratch.memory());
    }
}
