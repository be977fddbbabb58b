//! Confirmation: does a unit match here, where exactly, and do its validators accept it?
//!
//! What a unit finds in a text is defined once, here, for whole texts and streams alike: from left to right, the leftmost
//! match at or after the cursor, its end as leftmost-first regexes have it. An accepted match moves the cursor to its end,
//! a rejected one to the next character (or, for a unit of unbounded length, to its end, to stay linear).

use regex_automata::hybrid::dfa;
use regex_automata::{Anchored, Input};

use super::program::{Kind, Unit};
use super::regex::Regex;
use super::scratch::{RegexCaches, UnitCaches};
use crate::base::Span;
use crate::rules::set::Literal;

/// A match before its validators were asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// All of it.
    pub(super) whole: Span,
    /// The part that is the finding.
    pub(super) finding: Span,
}

/// Where a search begins and how far it looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// First byte at which a match may start.
    pub(super) first: usize,
    /// Last byte at which a match may start.
    pub(super) last: usize,
}

/// The leftmost match that starts in the window. `text` is all there is: neighbours of the match are looked at.
pub(super) fn find(
    unit_number: u32,
    unit: &Unit,
    text: &str,
    window: Window,
    caches: &mut RegexCaches,
) -> Option<Found> {
    match &unit.kind {
        Kind::Literal { literal, case_sensitive } => {
            // Literals are looked at where the literal pass, or the stream's automaton, has seen them: at one place.
            literal_at(literal, *case_sensitive, text, window.first).map(|whole| Found { whole, finding: whole })
        }
        Kind::Regex { regex, capture } => {
            let caches = caches.of(unit_number)?;
            let whole = leftmost(regex, text, window, caches)?;
            // A group that took no part, or matched nothing, leaves nothing to show or to take out: then it is all of it.
            let part = if *capture == 0 { None } else { group(regex, *capture, text, whole.start, caches) };
            Some(Found { whole, finding: part.filter(|part| !part.is_empty()).unwrap_or(whole) })
        }
    }
}

/// What becomes of a unit at one place of a text that may go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It matches here, and how is decided, whatever follows.
    Match,
    /// It does not match here, whatever follows.
    Nothing,
    /// What follows decides.
    Open,
}

/// What becomes of a unit at one place. `ended`: nothing follows.
pub(super) fn fate(
    unit_number: u32,
    unit: &Unit,
    text: &str,
    at: usize,
    ended: bool,
    caches: &mut RegexCaches,
) -> Fate {
    match &unit.kind {
        Kind::Literal { literal, case_sensitive } => {
            let there = text.as_bytes().get(at..).unwrap_or_default();
            // The byte after a word decides, too.
            let is_word = literal.word && literal.text.bytes().next_back().is_some_and(is_word);
            let needed = literal.text.len() + usize::from(is_word);
            if ended || there.len() >= needed {
                let matches = literal_at(literal, *case_sensitive, text, at).is_some();
                return if matches { Fate::Match } else { Fate::Nothing };
            }
            let there = there.get(..literal.text.len()).unwrap_or(there);
            if literal.begins(there, *case_sensitive) && (!literal.word || is_edge(text, at)) {
                Fate::Open
            } else {
                Fate::Nothing
            }
        }
        Kind::Regex { regex, .. } => {
            let Some(caches) = caches.of(unit_number) else { return Fate::Nothing };
            if let Some(sketch) = &regex.sketch {
                let cache = caches.sketch.get_or_insert_with(|| sketch.create_cache());
                if let Some(fate) = sketch.fate(text.as_bytes(), at, ended, cache) {
                    return fate;
                }
            }
            let cache = caches.anchored.get_or_insert_with(|| regex.anchored.create_cache());
            anchored(&regex.anchored, text.as_bytes(), at, ended, cache).unwrap_or_else(|| {
                // The automaton cannot say: then length does.
                let may_grow = regex.length_max.is_none_or(|length| text.len() - at <= length);
                if may_grow && !ended { Fate::Open } else { Fate::Match }
            })
        }
    }
}

/// Runs the automaton from one place to the end of the text, or to its own.
fn anchored(dfa: &dfa::DFA, text: &[u8], at: usize, ended: bool, cache: &mut dfa::Cache) -> Option<Fate> {
    let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
    let mut state = dfa.start_state_forward(cache, &input).ok()?;
    let mut matched = false;
    for byte in text.get(at..)? {
        state = dfa.next_state(cache, state, *byte).ok()?;
        if state.is_tagged() {
            if state.is_dead() {
                return Some(if matched { Fate::Match } else { Fate::Nothing });
            }
            if state.is_quit() {
                return None;
            }
            matched |= state.is_match();
        }
    }
    if !ended {
        return Some(Fate::Open);
    }
    matched |= dfa.next_eoi_state(cache, state).ok()?.is_match();
    Some(if matched { Fate::Match } else { Fate::Nothing })
}

/// Steps of the automaton, per byte that a search may look at, before it is left to an engine that is linear in any case.
const STEPS_PER_BYTE: usize = if cfg!(test) { 1 } else { 4 };

/// The leftmost match that starts in the window. One anchored search after another, which mostly end at their first byte,
/// until hostile text makes them long; then one unanchored search, slow and linear.
fn leftmost(regex: &Regex, text: &str, window: Window, caches: &mut UnitCaches) -> Option<Span> {
    let bytes = text.as_bytes();
    let reach = regex.length_max.map_or(bytes.len(), |length| window.last.saturating_add(length).min(bytes.len()));
    let mut steps = reach.saturating_sub(window.first).saturating_mul(STEPS_PER_BYTE).saturating_add(64);
    for start in window.first..=window.last.min(bytes.len()) {
        if bytes.get(start).is_none_or(|byte| !regex.firsts.holds(*byte)) {
            continue;
        }
        match end_of_match(regex, bytes, start, caches, &mut steps) {
            Some(Some(end)) => return Some(Span::new(start, end)),
            Some(None) => {}
            None => return unanchored(regex, text, Window { first: start, ..window }, reach, caches),
        }
    }
    None
}

/// The end of the match that starts here, if one does. `None`: out of steps.
fn end_of_match(
    regex: &Regex,
    text: &[u8],
    start: usize,
    caches: &mut UnitCaches,
    steps: &mut usize,
) -> Option<Option<usize>> {
    if let Some(sketch) = &regex.sketch {
        let cache = caches.sketch.get_or_insert_with(|| sketch.create_cache());
        if !sketch.may_match(text, start, cache, steps)? {
            return Some(None);
        }
    }
    let cache = caches.anchored.get_or_insert_with(|| regex.anchored.create_cache());
    run(&regex.anchored, text, start, cache, steps)
}

/// The same of the pattern's own automaton.
fn run(dfa: &dfa::DFA, text: &[u8], start: usize, cache: &mut dfa::Cache, steps: &mut usize) -> Option<Option<usize>> {
    let input = Input::new(text).span(start..text.len()).anchored(Anchored::Yes);
    let mut state = dfa.start_state_forward(cache, &input).ok()?;
    let mut end = None;
    for (at, byte) in text.iter().enumerate().skip(start) {
        *steps = steps.checked_sub(1)?;
        state = dfa.next_state(cache, state, *byte).ok()?;
        if state.is_tagged() {
            if state.is_dead() {
                return Some(end);
            }
            if state.is_quit() {
                return None;
            }
            // A match is told one byte late.
            if state.is_match() {
                end = Some(at);
            }
        }
    }
    if dfa.next_eoi_state(cache, state).ok()?.is_match() {
        end = Some(text.len());
    }
    Some(end)
}

fn unanchored(regex: &Regex, text: &str, window: Window, reach: usize, caches: &mut UnitCaches) -> Option<Span> {
    let full = regex.full()?;
    let cache = caches.full.get_or_insert_with(|| full.create_cache());
    let found = full.search_with(cache, &Input::new(text).span(window.first..reach))?;
    // A match that starts behind the window may be cut off by the window's end; another window has it.
    (found.start() <= window.last).then_some(Span::new(found.start(), found.end()))
}

/// What a group of the match that starts here holds.
fn group(regex: &Regex, group: usize, text: &str, start: usize, caches: &mut UnitCaches) -> Option<Span> {
    let full = regex.full()?;
    let cache = caches.full.get_or_insert_with(|| full.create_cache());
    let end = regex.length_max.map_or(text.len(), |length| start.saturating_add(length).min(text.len()));
    caches.slots.clear();
    caches.slots.resize((group + 1) * 2, None);
    full.search_slots_with(cache, &Input::new(text).span(start..end).anchored(Anchored::Yes), &mut caches.slots)?;
    match caches.slots.get(group * 2..group * 2 + 2)? {
        [Some(start), Some(end)] => Some(Span::new(start.get(), end.get())),
        _ => None,
    }
}

/// Where to look next after a match.
pub(super) fn next_cursor(unit: &Unit, found: Found, accepted: bool, text: &str) -> usize {
    let unbounded = unit.is_unbounded();
    if accepted || unbounded {
        return found.whole.end;
    }
    let first = text.get(found.whole.start..).and_then(|rest| rest.chars().next());
    found.whole.start + first.map_or(1, char::len_utf8)
}

fn literal_at(literal: &Literal, case_sensitive: bool, text: &str, start: usize) -> Option<Span> {
    let end = start.checked_add(literal.text.len())?;
    let there = text.as_bytes().get(start..end)?;
    let stands = !literal.word || (is_edge(text, start) && is_edge(text, end));
    (stands && literal.begins(there, case_sensitive)).then_some(Span::new(start, end))
}

/// True unless an ASCII word goes on across this place.
fn is_edge(text: &str, at: usize) -> bool {
    let is_word_at = |index: Option<usize>| {
        let byte = index.and_then(|index| text.as_bytes().get(index));
        byte.is_some_and(|byte| is_word(*byte))
    };
    !(is_word_at(at.checked_sub(1)) && is_word_at(Some(at)))
}

/// True for a byte of an ASCII word.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
