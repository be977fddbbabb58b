//! Confirmation: does a unit match here, where exactly, and do its validators accept it?
//!
//! What a unit finds in a text is defined once, here, for whole texts and streams alike: from left to right, the leftmost
//! match at or after the cursor, its end as leftmost-first regexes have it. An accepted match moves the cursor to its end,
//! a rejected one to the next character (or, for a unit of unbounded length, to its end, to stay linear).

use regex_automata::{Anchored, Input};

use super::program::{Kind, Unit};
use super::scratch::RegexCaches;
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
        Kind::Regex { regex, capture, length_max, .. } => {
            let end = length_max.map_or(text.len(), |length| window.last.saturating_add(length).min(text.len()));
            if window.first >= end {
                return None;
            }
            let anchored = if window.first == window.last { Anchored::Yes } else { Anchored::No };
            let input = Input::new(text).span(window.first..end).anchored(anchored);
            let (cache, slots) = caches.of(unit_number, regex, capture + 1)?;
            // Without a group to fill, the engine need not look for groups at all.
            let whole = if *capture == 0 {
                regex.search_with(cache, &input).map(|found| Span::new(found.start(), found.end()))
            } else {
                regex.search_slots_with(cache, &input, slots)?;
                group(slots, 0)
            }?;
            // A match that starts behind the window may be cut off by the window's end; another window has it.
            if whole.start > window.last {
                return None;
            }
            // A group that took no part, or matched nothing, leaves nothing to show or to take out: then it is all of it.
            let part = if *capture == 0 { None } else { group(slots, *capture).filter(|part| !part.is_empty()) };
            let finding = part.unwrap_or(whole);
            Some(Found { whole, finding })
        }
    }
}

/// Where to look next after a match.
pub(super) fn next_cursor(unit: &Unit, found: Found, accepted: bool, text: &str) -> usize {
    let unbounded = matches!(unit.kind, Kind::Regex { length_max: None, .. });
    if accepted || unbounded {
        return found.whole.end;
    }
    let first = text.get(found.whole.start..).and_then(|rest| rest.chars().next());
    found.whole.start + first.map_or(1, char::len_utf8)
}

fn group(slots: &[Option<regex_automata::util::primitives::NonMaxUsize>], group: usize) -> Option<Span> {
    match slots.get(group * 2..group * 2 + 2)? {
        [Some(start), Some(end)] => Some(Span::new(start.get(), end.get())),
        _ => None,
    }
}

fn literal_at(literal: &Literal, case_sensitive: bool, text: &str, start: usize) -> Option<Span> {
    let end = start.checked_add(literal.text.len())?;
    let there = text.as_bytes().get(start..end)?;
    let wanted = literal.text.as_bytes();
    let same = if case_sensitive { there == wanted } else { there.eq_ignore_ascii_case(wanted) };
    let stands = !literal.word || (is_edge(text, start) && is_edge(text, end));
    (same && stands).then_some(Span::new(start, end))
}

/// True unless an ASCII word goes on across this place.
fn is_edge(text: &str, at: usize) -> bool {
    let is_word = |index: Option<usize>| {
        let byte = index.and_then(|index| text.as_bytes().get(index));
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    !(is_word(at.checked_sub(1)) && is_word(Some(at)))
}
