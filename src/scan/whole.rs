//! Searching a whole text: one literal pass that collects windows, then confirmation inside them.

use std::time::Instant;

use regex_automata::PatternSet;

use super::Match;
use super::confirm::{self, Window};
use super::program::{Kind, Program, Unit, Wanted};
use super::scratch::{RegexCaches, Scratch, UnitState};
use super::sieve::Sighting;
use crate::base::Span;
use crate::base::limits::rules as limits;
use crate::rules::set::Literal;

/// Windows that lie so near to each other are made one: a new search costs more than a few bytes.
const WINDOW_GAP: usize = if cfg!(test) { 1 } else { 32 };
/// More windows of one unit become one, so that hostile text cannot fill the memory with them. Small in tests, so that
/// short texts reach it.
const WINDOWS_MAX: usize = if cfg!(test) { 3 } else { 1024 };

/// Searching each window by itself may look at so many times the text's bytes. Past that, windows whose searches would
/// overlap become one, which is searched in one linear pass: slower on plain text, and what hostile text cannot multiply.
const SEARCH_FACTOR: usize = if cfg!(test) { 1 } else { 8 };

/// Appends all matches of the wanted units, in order of place.
pub(super) fn scan(program: &Program, text: &str, wanted: &Wanted, scratch: &mut Scratch, out: &mut Vec<Match>) {
    scratch.fit(program);
    scratch.settle();
    let before = out.len();
    literals(program, text, wanted, scratch, out);
    loose(program, text, wanted, scratch);
    for touched in 0..scratch.touched.len() {
        let Some(number) = scratch.touched.get(touched).copied() else { break };
        if let (Some(unit), Some(state)) = (program.unit(number), scratch.states.get_mut(number as usize)) {
            let start = scratch.costs.is_some().then(|| (Instant::now(), out.len()));
            let cost = scratch.costs.as_mut().and_then(|costs| costs.get_mut(number as usize));
            if let Some((cost, _)) = cost.zip(start) {
                cost.candidates += state.windows.len() as u64;
                cost.searches += state.windows.len() as u64;
                cost.bytes += state.windows.iter().map(|(first, last)| (last - first) as u64).sum::<u64>();
            }
            regexes(number, unit, text, state, &mut scratch.regexes, out);
            state.reset();
            let cost = scratch.costs.as_mut().and_then(|costs| costs.get_mut(number as usize));
            if let Some((cost, (start, before))) = cost.zip(start) {
                cost.matches += (out.len() - before) as u64;
                cost.nanoseconds += u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            }
        }
    }
    scratch.touched.clear();
    tidy(before, out);
}

/// Puts the new matches in order of place, each once.
pub(super) fn tidy(before: usize, out: &mut Vec<Match>) {
    if out.len() > before + 1
        && let Some(new) = out.get_mut(before..)
    {
        new.sort_unstable_by_key(|found| (found.span, found.rule, found.pattern));
        // Two patterns of a rule may find the same.
        let mut keep = before;
        for index in before..out.len() {
            if index == before || out.get(index) != out.get(keep - 1) {
                out.swap(keep, index);
                keep += 1;
            }
        }
        out.truncate(keep);
    }
}

/// The literal pass: literal units are decided at once, the others get a window.
fn literals(program: &Program, text: &str, wanted: &Wanted, scratch: &mut Scratch, out: &mut Vec<Match>) {
    let Scratch { states, touched, regexes, finders, block, hits, sightings, .. } = scratch;
    let (finder, caches) = program.finder(wanted.context, finders);
    finder.sieve.search(text.as_bytes(), 0, block, |literal, at, sighting| {
        let Some(candidates) = finder.candidates.get(literal as usize) else { return };
        if sighting != Sighting::Whole {
            return;
        }
        sightings.literals += 1;
        if let Some(crowd) = &candidates.crowd {
            let there = text.as_bytes().get(at..).unwrap_or_default();
            crowd.standing(there.iter().map(|byte| Literal::fold(*byte)), |number| {
                let Some(unit) = program.unit(number).filter(|unit| unit.is_wanted(wanted)) else { return };
                if let Some(state) = touch(number, states, touched) {
                    search(number, unit, text, Window { first: at, last: at }, state, regexes, out);
                }
            });
        }
        for number in candidates.direct.iter().copied() {
            let Some(unit) = program.unit(number).filter(|unit| unit.is_wanted(wanted)) else { continue };
            let Some(state) = touch(number, states, touched) else { continue };
            match &unit.kind {
                Kind::Literal { .. } => {
                    search(number, unit, text, Window { first: at, last: at }, state, regexes, out);
                }
                Kind::Regex { .. } => add_window(unit, state, at, text),
            }
        }
        if let Some(compiled) = finder.gate.as_ref().filter(|_| candidates.asks_gate(wanted)) {
            let cache = caches.gate.get_or_insert_with(|| compiled.create_cache());
            hits.clear();
            sightings.gate += 1;
            if !compiled.passes(text.as_bytes(), at, cache, hits) {
                hits.clear();
                hits.extend(compiled.units());
            }
            sightings.passed += hits.len() as u64;
            for number in hits.iter().copied() {
                let Some(unit) = program.unit(number).filter(|unit| unit.is_wanted(wanted)) else { continue };
                if let Some(state) = touch(number, states, touched) {
                    add_window(unit, state, at, text);
                }
            }
        }
    });
}

/// Notes where a match of a regex may start whose literal begins at `at`.
fn add_window(unit: &Unit, state: &mut UnitState, at: usize, text: &str) {
    match unit.before_max {
        _ if unit.is_unbounded() => state.add_window(0, text.len(), 0),
        // The literal begins the match: a search anchored there mostly ends after a few bytes.
        Some(0) => state.add_window(at, at, 0),
        before_max => {
            let first = before_max.map_or(0, |before| at.saturating_sub(before));
            if let Some(last) = at.checked_sub(unit.before_min) {
                state.add_window(first, last, WINDOW_GAP);
            }
        }
    }
}

/// The patterns without a literal: one pass says which of them match at all.
fn loose(program: &Program, text: &str, wanted: &Wanted, scratch: &mut Scratch) {
    let is_wanted = |number: &u32| program.unit(*number).is_some_and(|unit| unit.is_wanted(wanted));
    let Scratch { states, touched, finders, .. } = scratch;
    let (finder, caches) = program.finder(wanted.context, finders);
    for (index, loose) in finder.loose.iter().enumerate() {
        if (loose.beyond_ascii && text.is_ascii()) || !loose.units.iter().any(is_wanted) {
            continue;
        }
        while caches.loose.len() <= index {
            let Some(loose) = finder.loose.get(caches.loose.len()) else { return };
            let set = PatternSet::new(loose.automaton.pattern_len());
            caches.loose.push((loose.automaton.create_cache(), set));
        }
        let Some((cache, set)) = caches.loose.get_mut(index) else { return };
        set.clear();
        loose.automaton.which_overlapping_matches_with(cache, &regex_automata::Input::new(text), set);
        for pattern in set.iter() {
            let Some(number) = loose.units.get(pattern.as_usize()).copied().filter(is_wanted) else { continue };
            if let Some(state) = touch(number, states, touched) {
                state.add_window(0, text.len(), 0);
            }
        }
    }
}

/// Joins sorted windows that lie nearer to each other than the longest match.
fn join(windows: &mut Vec<(usize, usize)>, length: usize) {
    windows.dedup_by(|next, kept| {
        let joins = next.0 <= kept.1.saturating_add(length);
        if joins {
            kept.1 = kept.1.max(next.1);
        }
        joins
    });
}

fn touch<'s>(number: u32, states: &'s mut [UnitState], touched: &mut Vec<u32>) -> Option<&'s mut UnitState> {
    let state = states.get_mut(number as usize)?;
    if !state.is_touched {
        state.is_touched = true;
        touched.push(number);
    }
    Some(state)
}

fn regexes(
    number: u32,
    unit: &Unit,
    text: &str,
    state: &mut UnitState,
    caches: &mut RegexCaches,
    out: &mut Vec<Match>,
) {
    let mut windows = std::mem::take(&mut state.windows);
    windows.sort_unstable();
    if let Kind::Regex { regex, .. } = &unit.kind
        && let Some(length) = regex.length_max
        && windows.len().saturating_mul(length) > SEARCH_FACTOR.saturating_mul(text.len())
    {
        join(&mut windows, length);
    }
    for &(first, last) in &windows {
        search(number, unit, text, Window { first, last }, state, caches, out);
    }
    // The memory is kept for the next text.
    windows.clear();
    state.windows = windows;
}

/// Lists the matches that start in one window, from the cursor on.
fn search(
    number: u32,
    unit: &Unit,
    text: &str,
    window: Window,
    state: &mut UnitState,
    caches: &mut RegexCaches,
    out: &mut Vec<Match>,
) {
    let last = window.last.min(text.len());
    state.cursor = state.cursor.max(window.first);
    while state.cursor <= last && (unit.lists_all || state.listed < limits::MATCHES) {
        let Some(found) = confirm::find(number, unit, text, Window { first: state.cursor, last }, caches) else {
            break;
        };
        let accepted = text.get(found.finding.range()).is_some_and(|finding| unit.accepts(finding));
        state.cursor = confirm::next_cursor(unit, found, accepted, text);
        if !accepted {
            continue;
        }
        state.listed += 1;
        let mut span = found.finding;
        if state.listed >= limits::MATCHES && unit.is_unbounded() {
            // Searching on for matches of unbounded length could take quadratic time: the rest of the text counts as
            // part of the last one.
            span.end = text.len();
            state.cursor = text.len() + 1;
        }
        out.push(Match { rule: unit.rule, pattern: unit.pattern, span });
    }
    // Starts up to here are decided. (Breaking off early, at the cap, decides them as well.)
    state.cursor = state.cursor.max(last.saturating_add(1));
}

impl UnitState {
    /// Adds a range of starts; ranges nearer than `gap` become one. Looking at more starts than asked for changes nothing
    /// but the cost.
    fn add_window(&mut self, first: usize, last: usize, gap: usize) {
        if let Some((open, close)) = self.windows.last_mut()
            && first >= *open
            && first <= close.saturating_add(gap)
        {
            *close = (*close).max(last);
            return;
        }
        if self.windows.len() >= WINDOWS_MAX {
            let all = self
                .windows
                .iter()
                .fold(Span::new(first, last), |all, (open, close)| all.cover(Span::new(*open, *close)));
            self.windows.clear();
            self.windows.push((all.start, all.end));
            return;
        }
        self.windows.push((first, last));
    }

    pub(super) fn reset(&mut self) {
        self.is_touched = false;
        self.cursor = 0;
        self.listed = 0;
        self.windows.clear();
    }
}
