//! Text written from right to left: as a whole, line by line, or word by word.

use super::pieces::Pieces;
use super::stretch::{stretches, with_neighbours};
use super::{Decoded, Source, is_seen};
use crate::base::Span;
use crate::text::signs::{TURNED, gain};
use crate::text::words;

const NAME: &str = "reversed";
const WORDS_NAME: &str = "reversed_words";

/// Quarter bits by which the other direction must be better.
const GAIN_MIN: i32 = 20;
/// The same, where the words are not known: text in other languages.
const UNKNOWN_GAIN_MIN: i32 = 88;
/// Letters of the shortest stretch.
const LETTERS_MIN: usize = 10;
/// Bytes of a stretch that the words are judged by.
const SAMPLE: usize = 512;

/// Undoes reversed stretches: each as a whole, and, where it has several lines, line by line as well.
pub(super) fn decode(source: &Source<'_>) -> Option<Decoded> {
    let mut pieces = Pieces::new(source.text, source.room);
    for stretch in found(source) {
        pieces.begin(NAME, stretch);
        pieces.turn(stretch);
        let lines = source.text.get(stretch.range()).unwrap_or_default();
        if lines.contains('\n') {
            let mut start = stretch.start;
            for line in lines.split_inclusive('\n') {
                pieces.gap(start);
                pieces.turn(Span::new(start, start + line.trim_end().len()));
                start += line.len();
            }
        }
        if pieces.is_cut() {
            break;
        }
    }
    pieces.finish()
}

/// Undoes stretches in which every word is reversed and stands in its place.
pub(super) fn decode_words(source: &Source<'_>) -> Option<Decoded> {
    let mut pieces = Pieces::new(source.text, source.room);
    for stretch in found(source) {
        pieces.begin(WORDS_NAME, stretch);
        let text = source.text.get(stretch.range()).unwrap_or_default();
        let mut start = stretch.start;
        for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
            let letters = word.trim_end_matches(|c: char| !c.is_alphanumeric());
            let end = start + letters.len();
            pieces.turn(Span::new(start, end));
            start += word.len();
            pieces.copy(end, start);
        }
        if pieces.is_cut() {
            break;
        }
    }
    pieces.finish()
}

/// The reversed stretches of a text.
fn found(source: &Source<'_>) -> Vec<Span> {
    if source.signs.turned.is_empty() {
        return Vec::new();
    }
    let bytes = source.text.as_bytes();
    let mut likely = stretches(source.text, &source.signs.turned, GAIN_MIN, &TURNED);
    likely.retain(|stretch| {
        is_believable(bytes.get(stretch.range()).unwrap_or_default()) && !is_seen(source.seen, *stretch)
    });
    let mut done = 0;
    let mut found: Vec<Span> = Vec::with_capacity(likely.len());
    for (index, stretch) in likely.iter().enumerate() {
        let to = likely.get(index + 1).map_or(bytes.len(), |next| next.start);
        let whole = with_neighbours(bytes, *stretch, done, to, reads);
        let whole = to_line_ends(bytes, whole, done, to);
        done = whole.end;
        // Stretches with next to nothing between are one.
        match found.last_mut() {
            Some(last) if is_short_gap(source.text.get(last.end..whole.start).unwrap_or_default()) => {
                last.end = whole.end;
            }
            _ => found.push(whole),
        }
    }
    found
}

/// The stretch up to the ends of its line, where the rest has no word that is known as it stands: numbers, and whatever was
/// encoded before the text was turned round.
fn to_line_ends(bytes: &[u8], stretch: Span, from: usize, to: usize) -> Span {
    let has_words = |rest: &[u8]| {
        rest.split(|byte| !byte.is_ascii_alphabetic()).any(|word| word.len() > 2 && words::is_known(word))
    };
    let head = bytes.get(from..stretch.start).unwrap_or_default();
    let head = head.rsplit(|byte| *byte == b'\n').next().filter(|head| !has_words(head)).unwrap_or_default();
    let tail = bytes.get(stretch.end..to).unwrap_or_default();
    let tail = tail.split(|byte| *byte == b'\n').next().filter(|tail| !has_words(tail)).unwrap_or_default();
    Span::new(stretch.start - head.len(), stretch.end + tail.len())
}

/// True when a word is known from right to left.
fn reads(word: &[u8]) -> bool {
    let mut turned = [0; words::LETTERS_MAX];
    let Some(turned) = turned.get_mut(..word.len()) else { return false };
    turned.iter_mut().zip(word.iter().rev()).for_each(|(to, byte)| *to = *byte);
    words::is_known(turned)
}

fn is_short_gap(gap: &str) -> bool {
    gap.len() <= 8 && !gap.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// True when the words read from right to left are known ones, or the pairs of letters leave no doubt.
fn is_believable(stretch: &[u8]) -> bool {
    let sample = stretch.get(..SAMPLE.min(stretch.len())).unwrap_or_default();
    let turned: Vec<u8> = sample.iter().rev().copied().collect();
    let (known, letters) = words::known_letters(&turned);
    let (before, _) = words::known_letters(sample);
    if letters < LETTERS_MIN || before * 2 >= known.max(letters / 4) {
        return false;
    }
    if known * 2 >= letters {
        return true;
    }
    let pairs = sample.iter().zip(sample.iter().skip(1));
    pairs.map(|(a, b)| gain(&TURNED, *a, *b)).sum::<i32>() >= UNKNOWN_GAIN_MIN
}
