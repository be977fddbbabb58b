//! Letters put in the place of others: ROT13, Caesar's shift by any other number, and Atbash (A for Z, B for Y).
//!
//! Stretches whose letters follow each other less well than chance would have it are tried with all 26 keys by the
//! frequencies of their letters; the best ones must give known words, or, for other languages, far better pairs of letters.

use super::pieces::Pieces;
use super::stretch::{stretches, with_neighbours};
use super::{Decoded, Source, is_seen};
use crate::base::Span;
use crate::text::pairs::{Cost, RANDOM, cost, frequency_cost, letter};
use crate::text::signs::{ROTATED, SHIFTED};
use crate::text::words;

/// Quarter bits by which a stretch must be worse than chance, or better once ROT13 is undone.
const GAIN_MIN: i32 = 10;
/// Letters of the shortest stretch.
const LETTERS_MIN: usize = 10;
/// Letters of the shortest stretch that is believed without known words.
const UNKNOWN_LETTERS_MIN: usize = 32;
/// Quarter bits of a letter in plain text, with something to spare: English has 16.7.
const PLAIN_COST: Cost = 18;
/// Letters by which the key is chosen.
const SAMPLE: usize = 512;
/// Keys that are tried on the words.
const TRIED: usize = 3;

/// Undoes shifted stretches.
pub(super) fn decode(source: &Source<'_>) -> Option<Decoded> {
    if source.signs.shifted.is_empty() && source.signs.rotated.is_empty() {
        return None;
    }
    let bytes = source.text.as_bytes();
    let mut found = stretches(source.text, &source.signs.shifted, GAIN_MIN, &SHIFTED);
    found.extend(stretches(source.text, &source.signs.rotated, GAIN_MIN, &ROTATED));
    found.sort_unstable();
    let mut pieces = Pieces::new(source.text, source.room);
    let mut done = 0;
    for (index, stretch) in found.iter().enumerate() {
        let core = bytes.get(stretch.range()).unwrap_or_default();
        if stretch.start < done || is_seen(source.seen, *stretch) {
            continue;
        }
        let Some(key) = key(core) else { continue };
        let next = found.get(index + 1..).unwrap_or_default().iter().find(|next| next.start >= stretch.end);
        let to = next.map_or(bytes.len(), |next| next.start);
        let whole = with_neighbours(bytes, *stretch, done, to, |word| key.reads(word));
        pieces.begin(key.name(), whole);
        for at in whole.range() {
            if let Some(c) = source.text.get(at..).and_then(|rest| rest.chars().next())
                && !pieces.is_cut()
            {
                pieces.character(key.apply_char(c), Span::new(at, at + c.len_utf8()));
            }
        }
        done = whole.end;
        if pieces.is_cut() {
            break;
        }
    }
    pieces.finish()
}

/// What was done to the letters, and is undone by the same name's way back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Key {
    Atbash,
    /// Letters forward to the plain one.
    Shift(u8),
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Atbash => "atbash",
            Self::Shift(13) => "rot13",
            Self::Shift(_) => "caesar",
        }
    }

    /// The plain letter for a letter, both 1 to 26.
    fn plain(self, letter: usize) -> usize {
        match (letter, self) {
            (0, _) => 0,
            (_, Self::Atbash) => 27 - letter,
            (_, Self::Shift(shift)) => (letter - 1 + usize::from(shift)) % 26 + 1,
        }
    }

    fn apply(self, byte: u8) -> u8 {
        // 1 to 26, or no letter.
        let Ok(plain @ 1..) = u8::try_from(self.plain(letter(byte))) else { return byte };
        byte & 0xE0 | plain
    }

    /// True when a word is known once this key is undone.
    fn reads(self, word: &[u8]) -> bool {
        let mut plain = [0; words::LETTERS_MAX];
        let Some(plain) = plain.get_mut(..word.len()) else { return false };
        plain.iter_mut().zip(word).for_each(|(to, byte)| *to = self.apply(*byte));
        words::is_known(plain)
    }

    fn apply_char(self, c: char) -> char {
        u8::try_from(c).map_or(c, |byte| if byte.is_ascii() { char::from(self.apply(byte)) } else { c })
    }
}

/// The key that makes believable text of a stretch.
fn key(stretch: &[u8]) -> Option<Key> {
    let mut all = [0; 27];
    for byte in stretch.iter().take(SAMPLE) {
        if let Some(count) = all.get_mut(letter(*byte)) {
            *count += 1;
        }
    }
    let [_, counts @ ..] = all;
    let letters: Cost = counts.iter().sum();
    let cost = |keyed: &[Cost]| -> Cost { counts.iter().zip(keyed).map(|(count, cost)| count * cost).sum() };
    let is_short = usize::try_from(letters).is_ok_and(|letters| letters < LETTERS_MIN);
    // Letters as usual as those of plain text were turned round or mixed, if anything.
    if is_short || cost(&TWICE) <= letters * PLAIN_COST {
        return None;
    }
    let mut best = [(Cost::MAX, Key::Atbash); TRIED];
    let mut backwards = TWICE;
    backwards.reverse();
    let shifts = (1..26).filter_map(|shift| Some((cost(TWICE.get(usize::from(shift)..)?), Key::Shift(shift))));
    for candidate in shifts.chain([(cost(&backwards), Key::Atbash)]) {
        // The worst of the best makes room.
        if let Some(worst) = best.last_mut().filter(|worst| candidate.0 < worst.0) {
            *worst = candidate;
            best.sort_unstable_by_key(|(cost, _)| *cost);
        }
    }
    best.into_iter().filter(|(cost, _)| *cost < Cost::MAX).map(|(_, key)| key).find(|key| is_believable(stretch, *key))
}

/// The costs of A to Z, twice in a row: from any place on they are the costs after a shift.
static TWICE: [Cost; 52] = {
    let mut costs = [0; 52];
    let mut at = 0;
    while at < 52 {
        costs[at] = frequency_cost(at % 26 + 1);
        at += 1;
    }
    costs
};

/// True when the text that a key gives has known words, or far more usual pairs of letters than the text as it stands.
fn is_believable(stretch: &[u8], key: Key) -> bool {
    let plain: Vec<u8> = stretch.iter().take(SAMPLE).map(|byte| key.apply(*byte)).collect();
    let (known, letters) = words::known_letters(&plain);
    if letters >= LETTERS_MIN && known * 2 >= letters {
        let (before, _) = words::known_letters(stretch.get(..plain.len()).unwrap_or_default());
        return before * 2 < known;
    }
    letters >= UNKNOWN_LETTERS_MIN && pair_cost(&plain) * 4 < RANDOM * 3 * pairs_in(&plain)
}

/// The cost of all pairs with a letter.
fn pair_cost(text: &[u8]) -> Cost {
    let letters = || text.iter().map(|byte| letter(*byte));
    letters().zip(letters().skip(1)).filter(|pair| *pair != (0, 0)).map(|(a, b)| cost(a, b)).sum()
}

fn pairs_in(text: &[u8]) -> Cost {
    let letters = || text.iter().map(|byte| letter(*byte));
    letters().zip(letters().skip(1)).filter(|pair| *pair != (0, 0)).fold(0, |count, _| count + 1)
}
