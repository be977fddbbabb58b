//! One reading (raw or canonical) of a stream: what is decided, what is still open, what was found.
//!
//! Positions are decided strictly from left to right. At each position one lazy DFA, anchored there, runs over all
//! patterns that judge streams at once. If it dies before the text ends, everything that could ever start at this position
//! is known: nothing, or units that are then confirmed one by one. If it is alive at the text's end, the position is open,
//! and so are all after it. A match is known to the byte before it is reported, whatever follows, because a DFA is dead
//! only when no longer match and no word boundary is pending.

use regex_automata::hybrid::{LazyStateID, dfa};
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchError, PatternID};

use super::confirm::{self, Window};
use super::program::{Program, Unit};
use super::scratch::RegexCaches;
use super::{BuildError, Context, gate};
use crate::base::Span;
use crate::base::limits::rules as limits;
use crate::rules::set::Pattern;
use crate::text::{Direction, Role};

/// The automaton over all units that judge one reading of a stream while it flows.
#[derive(Debug)]
pub(super) struct LaneProgram {
    automaton: dfa::DFA,
    units: Box<[u32]>,
    /// Bytes with which some pattern can begin.
    starts: Box<[bool; 256]>,
    /// Bytes of the longest match of any of them.
    length_max: usize,
}

/// Memory for the lazy DFA. It is cleared when full and never gives up, so a small cache costs time, not correctness.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// How much decided text is kept before the window is cut, so that cutting is not done for every chunk. Small in tests,
/// so that short texts are cut too.
const SLACK: usize = if cfg!(test) { 6 } else { 1024 };

/// Longest UTF-8 sequence: what is kept before a position to look behind it.
const LOOK_BEHIND: usize = 4;

impl LaneProgram {
    pub(super) fn new(patterns: &[(u32, &Pattern)]) -> Result<Option<Self>, BuildError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let hirs: Vec<_> = patterns.iter().map(|(_, pattern)| pattern.hir()).collect();
        let hirs: Vec<_> = hirs.iter().map(AsRef::as_ref).collect();
        let automaton = gate::automaton(&hirs, CACHE_BYTES)?;
        let starts = starts(&automaton)?;
        Ok(Some(Self {
            automaton,
            units: patterns.iter().map(|(unit, _)| *unit).collect(),
            starts,
            length_max: patterns.iter().filter_map(|(_, pattern)| pattern.length_max).max().unwrap_or(0),
        }))
    }

    pub(super) fn memory(&self) -> usize {
        self.automaton.memory_usage() + self.automaton.get_nfa().memory_usage()
    }

    pub(super) fn has_unit_for(&self, program: &Program, role: Role) -> bool {
        let context = Context { direction: Direction::Reply, role };
        self.units.iter().any(|unit| program.unit(*unit).is_some_and(|unit| unit.applies(context)))
    }
}

/// The bytes with which a match can begin, whatever stands before it.
fn starts(automaton: &dfa::DFA) -> Result<Box<[bool; 256]>, BuildError> {
    let mut cache = automaton.create_cache();
    let mut starts = Box::new([false; 256]);
    // One byte of each kind that look-behind tells apart, and the start of the text.
    for before in [None, Some(b'a'), Some(b' '), Some(b'\n'), Some(b'\r')] {
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        for byte in 0..=255u8 {
            let state = automaton.start_state(&mut cache, &config).map_err(|error| BuildError::new(&error))?;
            let state = automaton.next_state(&mut cache, state, byte).map_err(|error| BuildError::new(&error))?;
            if let Some(can) = starts.get_mut(usize::from(byte)) {
                *can |= !state.is_dead();
            }
        }
    }
    Ok(starts)
}

/// The text of one reading that is not decided yet, and what is known about it.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Undecided text, with a little before it to look behind.
    window: String,
    /// Bytes of the reading that were cut off before the window.
    base: usize,
    /// First position, in bytes of the reading, that is not decided.
    next: usize,
    units: Vec<UnitProgress>,
}

/// What a stream knows of a unit that has matched.
#[derive(Clone, Copy, Debug)]
struct UnitProgress {
    unit: u32,
    /// No match may start before this byte of the reading.
    cursor: usize,
    listed: usize,
}

/// What a lane works with during one call.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    pub(super) program: &'a Program,
    pub(super) lane: &'a LaneProgram,
    pub(super) cache: &'a mut dfa::Cache,
    pub(super) regexes: &'a mut RegexCaches,
    pub(super) hits: &'a mut Vec<u32>,
    pub(super) role: Role,
}

impl LaneProgram {
    pub(super) fn create_cache(&self) -> dfa::Cache {
        self.automaton.create_cache()
    }
}

impl Lane {
    /// Adds text of this reading.
    pub(super) fn extend(&mut self, text: &str) {
        self.window.push_str(text);
    }

    /// First position of the reading that is not decided.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    /// Bytes of the reading so far.
    pub(super) fn end(&self) -> usize {
        self.base + self.window.len()
    }

    /// Decides as many positions as can be. `ended`: nothing follows. `found` gets the unit and the finding's span in the
    /// reading.
    pub(super) fn advance(&mut self, ended: bool, tools: &mut Tools<'_>, mut found: impl FnMut(&Unit, Span)) {
        let mut at = self.next - self.base;
        loop {
            let rest = self.window.as_bytes().get(at..).unwrap_or_default();
            let skip = rest.iter().position(|byte| tools.lane.starts[usize::from(*byte)]).unwrap_or(rest.len());
            at += skip;
            if at >= self.window.len() || self.judge(at, ended, tools).is_open() {
                break;
            }
            for hit in 0..tools.hits.len() {
                if let Some(number) = tools.hits.get(hit).copied() {
                    self.confirm(number, at, tools, &mut found);
                }
            }
            at += 1;
        }
        self.next = self.base + at;
        self.cut(at);
    }

    /// Runs the automaton from one position; leaves the units that match there in `hits`.
    fn judge(&self, at: usize, ended: bool, tools: &mut Tools<'_>) -> Fate {
        tools.hits.clear();
        match self.run(at, ended, tools) {
            Ok(fate) => fate,
            // The automaton cannot say. Then length does: no match is longer than the longest.
            Err(_) => {
                tools.hits.clear();
                tools.hits.extend(&tools.lane.units);
                let reaches_end = self.window.len() - at <= tools.lane.length_max;
                if reaches_end && !ended { Fate::Open } else { Fate::Decided }
            }
        }
    }

    fn run(&self, at: usize, ended: bool, tools: &mut Tools<'_>) -> Result<Fate, MatchError> {
        let text = self.window.as_bytes();
        let dfa = &tools.lane.automaton;
        let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
        let gave_up = |offset| move |_| MatchError::gave_up(offset);
        let mut state = dfa.start_state_forward(tools.cache, &input)?;
        for (offset, byte) in text.iter().enumerate().skip(at) {
            state = dfa.next_state(tools.cache, state, *byte).map_err(gave_up(offset))?;
            if state.is_tagged() {
                if state.is_dead() {
                    return Ok(Fate::Decided);
                }
                if state.is_quit() {
                    return Err(MatchError::quit(*byte, offset));
                }
                collect(dfa, state, tools.cache, &tools.lane.units, tools.hits);
            }
        }
        if !ended {
            return Ok(Fate::Open);
        }
        state = dfa.next_eoi_state(tools.cache, state).map_err(gave_up(text.len()))?;
        collect(dfa, state, tools.cache, &tools.lane.units, tools.hits);
        Ok(Fate::Decided)
    }

    /// A unit matches at `at`, and how is decided: finds out where exactly, and whether its validators agree.
    fn confirm(&mut self, number: u32, at: usize, tools: &mut Tools<'_>, found: &mut impl FnMut(&Unit, Span)) {
        let context = Context { direction: Direction::Reply, role: tools.role };
        let Some(unit) = tools.program.unit(number).filter(|unit| unit.applies(context)) else { return };
        let known = self.units.iter().position(|progress| progress.unit == number);
        let progress = known.and_then(|known| self.units.get(known)).copied();
        let mut progress = progress.unwrap_or(UnitProgress { unit: number, cursor: 0, listed: 0 });
        let is_done = !unit.lists_all && progress.listed >= limits::MATCHES;
        if is_done || self.base + at < progress.cursor {
            return;
        }
        let window = Window { first: at, last: at };
        let Some(hit) = confirm::find(number, unit, &self.window, window, tools.regexes) else { return };
        let accepted = self.window.get(hit.finding.range()).is_some_and(|finding| unit.accepts(finding));
        if !accepted {
            return;
        }
        progress.cursor = self.base + confirm::next_cursor(unit, hit, true, &self.window);
        progress.listed += 1;
        match known.and_then(|known| self.units.get_mut(known)) {
            Some(place) => *place = progress,
            None => self.units.push(progress),
        }
        found(unit, Span::new(self.base + hit.finding.start, self.base + hit.finding.end));
    }

    /// Drops text that nobody looks at any more. A little stays, so that the window never begins like a new text.
    fn cut(&mut self, at: usize) {
        if at < SLACK {
            return;
        }
        let behind = at.saturating_sub(LOOK_BEHIND)..=at;
        if let Some(keep) = behind.into_iter().find(|keep| self.window.is_char_boundary(*keep) && *keep < at) {
            self.window.drain(..keep);
            self.base += keep;
        }
    }
}

/// What is known about one position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Decided,
    Open,
}

impl Fate {
    fn is_open(self) -> bool {
        self == Self::Open
    }
}

fn collect(dfa: &dfa::DFA, state: LazyStateID, cache: &dfa::Cache, units: &[u32], hits: &mut Vec<u32>) {
    if !state.is_match() {
        return;
    }
    for index in 0..dfa.match_len(cache, state) {
        let pattern: PatternID = dfa.match_pattern(cache, state, index);
        if let Some(unit) = units.get(pattern.as_usize()).filter(|unit| !hits.contains(unit)) {
            hits.push(*unit);
        }
    }
}
