//! Stretches of disguised letters inside other text: where they begin and end, and what surely belongs to them.

use crate::base::Span;
use crate::text::signs::{Gains, gain};
use crate::text::words;

/// Bytes looked at before a sign, to find the beginning.
const BEFORE: usize = 64;
/// Quarter bits that a stretch may lose after its best place before it is over.
const DROP: i32 = 100;
/// Words in a row at each end that may belong to a stretch though they do not show it.
const EDGE_WORDS: usize = 4;
/// Bytes of one of them that is broken by the end.
const EDGE_BYTES: usize = 48;
/// Bytes between two words.
const GAP_MAX: usize = 8;

/// The stretches whose pairs of letters gain `least` quarter bits in all (local alignment, as by Kadane's sum): none
/// touches another, and each byte is looked at once or twice. `gains` values each pair of neighbours.
pub(super) fn stretches(text: &str, places: &[Span], least: i32, gains: &Gains) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut done = 0;
    for place in places {
        if place.end <= done {
            continue;
        }
        let mut at = place.start.saturating_sub(BEFORE).max(done);
        let mut open = Open::at(at);
        let mut before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
        // One blank more than the text, for its last edge.
        while at <= bytes.len() {
            let now = bytes.get(at).copied().unwrap_or(b' ');
            open.score += gain(gains, before, now);
            before = now;
            at += 1;
            if open.score > open.best {
                (open.best, open.end) = (open.score, at.min(bytes.len()));
            } else if open.score <= 0 || open.best - open.score > DROP {
                if open.best >= least {
                    found.push(whole_words(bytes, Span::new(open.start, open.end), done));
                    done = found.last().map_or(done, |last| last.end);
                }
                open = Open::at(at.max(done));
                if at >= place.end {
                    break;
                }
            }
        }
        if open.best >= least {
            found.push(whole_words(bytes, Span::new(open.start, open.end), done));
        }
        done = done.max(at.min(bytes.len())).max(found.last().map_or(0, |last: &Span| last.end));
    }
    found
}

#[derive(Debug)]
struct Open {
    start: usize,
    end: usize,
    score: i32,
    best: i32,
}

impl Open {
    fn at(start: usize) -> Self {
        Self { start, end: start, score: 0, best: 0 }
    }
}

/// The stretch with the words that it begins and ends in.
fn whole_words(bytes: &[u8], stretch: Span, done: usize) -> Span {
    let is_letter = |at: &usize| bytes.get(*at).is_some_and(u8::is_ascii_alphabetic);
    let mut start = stretch.start;
    while start > done && is_letter(&(start - 1)) && stretch.start - start < EDGE_BYTES {
        start -= 1;
    }
    while start < stretch.end && !is_letter(&start) {
        start += 1;
    }
    let mut end = stretch.end;
    while is_letter(&end) && end - stretch.end < EDGE_BYTES {
        end += 1;
    }
    while end > start && !is_letter(&(end - 1)) {
        end -= 1;
    }
    Span::new(start, end)
}

/// The stretch with the words around it that `reads` knows once they are undone, and with unknown words up to them: a short
/// word says little of itself. A word that is known as it stands ends it. Reaches neither before `from` nor beyond `to`.
pub(super) fn with_neighbours(
    bytes: &[u8],
    stretch: Span,
    from: usize,
    to: usize,
    reads: impl Fn(&[u8]) -> bool,
) -> Span {
    let stretch = without_plain_ends(bytes, stretch, &reads);
    let mut allowance = EDGE_WORDS;
    let mut start = stretch.start;
    while allowance > 0 {
        let head = bytes.get(from..start).unwrap_or_default();
        let gap = head.iter().rev().take(GAP_MAX).take_while(|byte| is_gap(**byte)).count();
        let head = head.get(..head.len() - gap).unwrap_or_default();
        let word = head.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let Some(word) = head.get(head.len() - word..).filter(|word| !word.is_empty()) else { break };
        match weigh(word, &reads) {
            Some(known) => allowance = if known { EDGE_WORDS } else { allowance - 1 },
            None => break,
        }
        start = from + head.len() - word.len();
    }
    allowance = EDGE_WORDS;
    let mut end = stretch.end;
    while allowance > 0 {
        let tail = bytes.get(end..to).unwrap_or_default();
        let gap = tail.iter().take(GAP_MAX).take_while(|byte| is_gap(**byte)).count();
        let tail = tail.get(gap..).unwrap_or_default();
        let word = tail.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let Some(word) = tail.get(..word).filter(|word| !word.is_empty()) else { break };
        match weigh(word, &reads) {
            Some(known) => allowance = if known { EDGE_WORDS } else { allowance - 1 },
            None => break,
        }
        end += gap + word.len();
    }
    Span::new(start, end)
}

/// The stretch without the words at its ends that are known as they stand only.
fn without_plain_ends(bytes: &[u8], stretch: Span, reads: impl Fn(&[u8]) -> bool) -> Span {
    let (mut start, mut end) = (stretch.start, stretch.end);
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    loop {
        let rest = bytes.get(start..end).unwrap_or_default();
        let word = rest.iter().take_while(|byte| is_letter(byte)).count();
        if word == 0 || word == rest.len() || weigh(rest.get(..word).unwrap_or_default(), &reads).is_some() {
            break;
        }
        start += word + rest.iter().skip(word).take_while(|byte| !is_letter(byte)).count();
    }
    loop {
        let rest = bytes.get(start..end).unwrap_or_default();
        let word = rest.iter().rev().take_while(|byte| is_letter(byte)).count();
        if word == 0 || word == rest.len() || weigh(rest.get(rest.len() - word..).unwrap_or_default(), &reads).is_some()
        {
            break;
        }
        end -= word + rest.iter().rev().skip(word).take_while(|byte| !is_letter(byte)).count();
    }
    Span::new(start, end)
}

/// True for a word that is known once undone, false for one that is not; `None` for a plain word or a very long one.
fn weigh(word: &[u8], reads: impl Fn(&[u8]) -> bool) -> Option<bool> {
    if word.len() > words::LETTERS_MAX {
        return None;
    }
    let known = reads(word);
    (known || !words::is_known(word)).then_some(known)
}

/// True for what may stand between two words; digits are left to leetspeak.
fn is_gap(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'@' | b'$')
}
