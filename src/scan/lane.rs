//! One reading (raw or canonical) of a stream: what is decided, what is still open, what was found.
//!
//! Positions are decided strictly from left to right. Most are decided by a look: no text stands there, or near, that a match
//! would have, and at the text's end, read backwards, none has begun ([`tail`]). At the others the gate of this lane says
//! which patterns may go on from here, and each of those is asked by itself.
//! If all of them end before the text does, everything that could ever start at this position is known. If one could go on
//! beyond the text's end, the position is open, and so are all after it. A match is known to the byte before it is reported,
//! whatever follows, because an automaton is dead only when no longer match and no word boundary is pending.

mod anywhere;
mod marks;
mod program;
mod tail;

use regex_automata::hybrid::dfa;

pub(super) use self::program::{LaneProgram, LaneUnit};
use self::tail::Claim;
use super::Context;
use super::confirm::{self, Fate, Window};
use super::program::{Program, Unit};
use super::scratch::RegexCaches;
use super::sieve::{Block, Sighting};
use crate::base::Span;
use crate::base::limits::rules as limits;
use crate::rules::required::GRAM;
use crate::rules::set::Literal;
use crate::text::{Direction, Role};

/// Stands for the gate of the specific patterns among the places.
const SPECIFIC: u32 = u32::MAX;
/// Stands for the gate of the generic ones.
const GENERIC: u32 = u32::MAX - 1;
/// A text has begun here, and the stream ends before it can be said which.
const BEGUN: u32 = u32::MAX - 2;

/// How much decided text is kept before the window is cut, so that cutting is not done for every chunk. Small in tests,
/// so that short texts are cut too.
const SLACK: usize = if cfg!(test) { 6 } else { 1024 };

/// Longest UTF-8 sequence: what is kept before a position to look behind it.
pub(super) const LOOK_BEHIND: usize = 4;

/// Places that are noted before equal ones are thrown out: where texts crowd, each tells of the same starts.
const PLACES: usize = if cfg!(test) { 4 } else { 8192 };

/// Places for which memory is kept from text to text.
const PLACES_KEPT: usize = 64 * 1024;

/// A match that is under way for longer than this is not looked at for every chunk, but whenever it has grown by an eighth:
/// small chunks would make it quadratic.
const PATIENCE: usize = 512;

/// Search state of one lane, used again from stream to stream.
#[derive(Debug, Default)]
pub(super) struct LaneScratch {
    specific: Option<dfa::Cache>,
    generic: Option<dfa::Cache>,
    tail: Option<dfa::Cache>,
    /// From where on something may be under way at the text's end, the last one first.
    claims: Vec<Claim>,
    /// Of the last bytes, the first that nobody has asked yet whether a text begins there.
    unasked: usize,
    /// Where something may begin, and what: a literal's unit, or a gate.
    places: Vec<(usize, u32)>,
    hits: Vec<u32>,
}

impl LaneScratch {
    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        let caches = [&self.specific, &self.generic, &self.tail].into_iter().flatten().map(dfa::Cache::memory_usage);
        caches.sum::<usize>()
            + self.claims.capacity() * size_of::<Claim>()
            + self.places.capacity() * size_of::<(usize, u32)>()
            + self.hits.capacity() * size_of::<u32>()
    }
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
    waiting: Option<Waiting>,
    units: Vec<UnitProgress>,
}

/// Why the first undecided position is open: a unit that is half-way through a match.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    unit: u32,
    /// Bytes of the reading from which it is worth to look again.
    until: usize,
    /// Bytes of the reading that it has seen.
    seen: usize,
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
    pub(super) scratch: &'a mut LaneScratch,
    pub(super) block: &'a mut Block,
    pub(super) regexes: &'a mut RegexCaches,
    pub(super) role: Role,
    /// Nothing follows.
    pub(super) ended: bool,
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

    /// The same text, and what is known of some units.
    pub(super) fn only(&self, is_kept: impl Fn(u32) -> bool) -> Self {
        let units = self.units.iter().filter(|progress| is_kept(progress.unit)).copied();
        let mut window = String::with_capacity(self.window.len() + 2 * SLACK);
        window.push_str(&self.window);
        Self {
            window,
            base: self.base,
            next: self.next,
            waiting: self.waiting.filter(|waiting| is_kept(waiting.unit)),
            units: units.collect(),
        }
    }

    /// This lane, with what another one knows of its units: both have the same text from a little before the first position
    /// that is undecided in this one.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.units.extend(other.units);
        self.units.sort_unstable_by_key(|progress| progress.unit);
        self
    }

    /// Counts places anew: what was at `from` is at `to`. All that is undecided lies at least [`LOOK_BEHIND`] bytes behind it.
    pub(super) fn move_to(&mut self, from: usize, to: usize) {
        self.cut(self.next - self.base, 0);
        let moved = |place: usize| (place + to).saturating_sub(from);
        self.base = moved(self.base);
        self.next = moved(self.next);
        self.units.iter_mut().for_each(|progress| progress.cursor = moved(progress.cursor));
        self.waiting.iter_mut().for_each(|waiting| {
            waiting.until = moved(waiting.until);
            waiting.seen = moved(waiting.seen);
        });
    }

    /// Decides as many positions as can be. `found` gets the unit and the finding's span in the reading.
    pub(super) fn advance(&mut self, tools: &mut Tools<'_>, mut found: impl FnMut(&Unit, Span)) {
        let at = self.next - self.base;
        if let Some(waiting) = self.waiting.filter(|_| !tools.ended) {
            // Where as much has come as there was, it is hardly ever open still, and all that comes is looked at anyway.
            let is_little = self.end() - waiting.seen < waiting.seen - self.next;
            if self.end() < waiting.until || (is_little && self.fate(waiting.unit, at, tools) == Fate::Open) {
                self.wait(waiting.unit, at);
                return;
            }
        }
        self.waiting = None;
        let decided = self.decide(at, tools, &mut found);
        self.next = self.base + decided;
        self.cut(decided, SLACK);
    }

    /// Decides positions from `from` on; gives the first that is open.
    fn decide(&mut self, from: usize, tools: &mut Tools<'_>, found: &mut impl FnMut(&Unit, Span)) -> usize {
        self.look(from, tools);
        let places = std::mem::take(&mut tools.scratch.places);
        let mut open = None;
        for same in places.chunk_by(|a, b| a.0 == b.0) {
            let Some((at, _)) = same.first().copied() else { continue };
            open = self.under_way(at, tools);
            if open.is_some() {
                break;
            }
            tools.scratch.hits.clear();
            if same.iter().any(|(_, what)| self.is_open(*what, at, tools)) {
                open = Some(at);
                break;
            }
            for hit in 0..tools.scratch.hits.len() {
                if let Some(number) = tools.scratch.hits.get(hit).copied() {
                    self.confirm(number, at, tools, found);
                }
            }
        }
        tools.scratch.places = places;
        tools.scratch.places.shrink_to(PLACES_KEPT);
        tools.scratch.claims.shrink_to(PLACES_KEPT);
        open.or_else(|| self.under_way(self.window.len(), tools)).unwrap_or(self.window.len())
    }

    /// Lists the places from `from` on where something may begin.
    fn look(&self, from: usize, tools: &mut Tools<'_>) {
        let (lane, text) = (tools.lane, self.window.as_bytes());
        tools.scratch.claims.clear();
        tools.scratch.unasked = if tools.ended { text.len() } else { text.len().saturating_sub(GRAM - 1).max(from) };
        let places = &mut tools.scratch.places;
        places.clear();
        let mut room = PLACES;
        lane.texts.search(text, from, tools.block, |text_number, at, sighting| {
            let Some(owners) = lane.owners.get(text_number as usize) else { return };
            if at < from || (sighting != Sighting::Whole && tools.ended) {
                return;
            }
            if sighting == Sighting::Crowd {
                // Whose, the next bytes tell.
                places.push((at, BEGUN));
                return;
            }
            if owners.gated || (owners.gated_at_word_start && is_word_start(text, at)) {
                places.push((at, SPECIFIC));
            }
            places.extend(owners.literals.iter().map(|unit| (at, *unit)));
            if let Some(crowd) = &owners.crowd {
                let there = text.get(at..).unwrap_or_default();
                crowd.standing(there.iter().map(|byte| Literal::fold(*byte)), |unit| places.push((at, unit)));
                if there.len() < crowd.longest() && !tools.ended {
                    let there: Vec<u8> = there.iter().map(|byte| Literal::fold(*byte)).collect();
                    if crowd.begun(&there, |unit| tools.program.literal(unit), Literal::fold).is_some() {
                        places.push((at, BEGUN));
                    }
                }
            }
            for near in owners.near.iter().filter(|_| sighting == Sighting::Whole) {
                let first = at.saturating_sub(usize::from(near.before_max)).max(from);
                let last = (at + 1).saturating_sub(usize::from(near.before_min));
                for start in (first..last).rev() {
                    let Some(byte) = text.get(start) else { break };
                    let is_inside = near.at_word_start && confirm::is_word(*byte) && !is_word_start(text, start);
                    if near.firsts.holds(*byte) && !is_inside {
                        places.push((start, near.unit));
                    }
                    if !near.within.holds(*byte) {
                        break;
                    }
                }
            }
            if places.len() > room {
                places.sort_unstable();
                places.dedup();
                room = places.len() * 2 + PLACES;
            }
        });
        self.look_at_the_end(from, tools);
        tools.scratch.places.sort_unstable();
        tools.scratch.places.dedup();
    }

    /// Lists the places where something may begin that the search for texts cannot see, or not yet.
    fn look_at_the_end(&self, from: usize, tools: &mut Tools<'_>) {
        let (lane, text) = (tools.lane, self.window.as_bytes());
        let places = &mut tools.scratch.places;
        if lane.at_text_start && self.base + from == 0 {
            places.push((0, GENERIC));
        }
        if let Some(anywhere) = &lane.anywhere {
            anywhere.places(text, from, |at| places.push((at, GENERIC)));
        }
        if tools.ended {
            return;
        }
        if let Some(tail) = &lane.tail {
            let cache = tools.scratch.tail.get_or_insert_with(|| tail.create_cache());
            if !tail.claims(text, from, cache, &mut tools.scratch.claims) {
                places.push((from, BEGUN));
            }
        }
    }

    /// The first place up to `last` from which on something is under way at the text's end, of those that nobody has asked yet.
    fn under_way(&mut self, last: usize, tools: &mut Tools<'_>) -> Option<usize> {
        let last = last.min(self.window.len().checked_sub(1)?);
        loop {
            let LaneScratch { claims, unasked, .. } = &mut *tools.scratch;
            match claims.last().copied() {
                Some(claim) if claim.at <= last.min(*unasked) => {
                    claims.pop();
                    if let Some(unit) = self.claimant(claim, tools) {
                        self.wait(unit, claim.at);
                        return Some(claim.at);
                    }
                }
                _ if *unasked > last => return None,
                _ => {
                    *unasked += 1;
                    let at = *unasked - 1;
                    if tools.lane.is_begun(self.window.as_bytes(), at) {
                        return Some(at);
                    }
                }
            }
        }
    }

    /// A unit that is under way from a claim on.
    fn claimant(&self, claim: Claim, tools: &mut Tools<'_>) -> Option<u32> {
        let Tools { program, lane, scratch: LaneScratch { tail: cache, hits, .. }, role, .. } = tools;
        let (tail, cache) = lane.tail.as_ref().zip(cache.as_ref())?;
        let (length, context) = (self.window.len() - claim.at, Context { direction: Direction::Reply, role: *role });
        let applies = |number: u32| program.unit(number).is_some_and(|unit| unit.applies(context));
        hits.clear();
        for (unit, exact) in tail.units(claim, cache).filter(|(unit, _)| applies(*unit)) {
            if length <= exact {
                return Some(unit);
            }
            hits.push(unit);
        }
        // Those that cannot be sure are asked one by one.
        for hit in 0..tools.scratch.hits.len() {
            let unit = tools.scratch.hits.get(hit).copied()?;
            if self.fate(unit, claim.at, tools) == Fate::Open {
                return Some(unit);
            }
        }
        None
    }

    /// Whether something that may begin at a place is still open; adds what matches there, or may, to `hits`.
    fn is_open(&mut self, what: u32, at: usize, tools: &mut Tools<'_>) -> bool {
        let first = tools.scratch.hits.len();
        let (gate, cache) = match what {
            BEGUN => return true,
            SPECIFIC => (tools.lane.specific.as_ref(), &mut tools.scratch.specific),
            GENERIC => (tools.lane.generic.as_ref(), &mut tools.scratch.generic),
            literal => {
                tools.scratch.hits.push(literal);
                (None, &mut None)
            }
        };
        if let Some(gate) = gate {
            let cache = cache.get_or_insert_with(|| gate.create_cache());
            let hits = &mut tools.scratch.hits;
            let text = self.window.as_bytes();
            let open = if tools.ended {
                gate.passes(text, at, cache, hits).then_some(false)
            } else {
                gate.is_open(text, at, cache, hits)
            };
            match open {
                Some(true) => return true,
                Some(false) => {}
                None => hits.extend(gate.units()),
            }
        }
        let mut keep = first;
        for hit in first..tools.scratch.hits.len() {
            let Some(number) = tools.scratch.hits.get(hit).copied() else { break };
            match self.fate(number, at, tools) {
                Fate::Open => {
                    self.wait(number, at);
                    return true;
                }
                Fate::Match => {
                    tools.scratch.hits.swap(keep, hit);
                    keep += 1;
                }
                Fate::Nothing => {}
            }
        }
        tools.scratch.hits.truncate(keep);
        false
    }

    /// What becomes of a unit at one position.
    fn fate(&self, number: u32, at: usize, tools: &mut Tools<'_>) -> Fate {
        let context = Context { direction: Direction::Reply, role: tools.role };
        let Some(unit) = tools.program.unit(number).filter(|unit| unit.applies(context)) else { return Fate::Nothing };
        confirm::fate(number, unit, &self.window, at, tools.ended, tools.regexes)
    }

    fn wait(&mut self, unit: u32, at: usize) {
        let live = self.window.len() - at;
        let until = if live < PATIENCE { 0 } else { self.end() + live / 8 };
        let until = self.waiting.filter(|waiting| waiting.until > self.end()).map_or(until, |waiting| waiting.until);
        self.waiting = Some(Waiting { unit, until, seen: self.end() });
    }

    /// A unit matches at `at`, and how is decided: finds out where exactly, and whether its validators agree.
    fn confirm(&mut self, number: u32, at: usize, tools: &mut Tools<'_>, found: &mut impl FnMut(&Unit, Span)) {
        let Some(unit) = tools.program.unit(number) else { return };
        // In order: of a long list many may have matched.
        let known = self.units.binary_search_by_key(&number, |progress| progress.unit);
        let progress = known.ok().and_then(|known| self.units.get(known)).copied();
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
        match known {
            Ok(known) => self.units.get_mut(known).into_iter().for_each(|place| *place = progress),
            Err(place) => self.units.insert(place, progress),
        }
        found(unit, Span::new(self.base + hit.finding.start, self.base + hit.finding.end));
    }

    /// Drops text that nobody looks at any more, once there is so much. A little stays, so that the window never begins like a
    /// new text.
    fn cut(&mut self, at: usize, slack: usize) {
        if at < slack {
            return;
        }
        let behind = at.saturating_sub(LOOK_BEHIND)..=at;
        if let Some(keep) = behind.into_iter().find(|keep| self.window.is_char_boundary(*keep) && *keep < at) {
            self.window.drain(..keep);
            self.base += keep;
        }
    }
}

/// True unless an ASCII word character stands before a place.
fn is_word_start(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|byte| !confirm::is_word(*byte))
}
