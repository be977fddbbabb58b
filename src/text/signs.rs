//! Signs of disguised writing, found in one pass over a text: where a closer look is worth its time.
//!
//! Each byte costs two look-ups and one addition. What two neighbouring bytes say about seven kinds of disguise is packed
//! into one number; the numbers of sixteen neighbours are added up; a sum beyond its bound sets a bit. Bounds are low: a sign
//! is no finding, it only says where the decodings in [`super::decode`] look. Clean text has few signs and costs no
//! allocation. Letters of other scripts cost one more look-up: where a stem of an attack stands from right to left.

use crate::base::Span;
use crate::text::pairs::{RANDOM, cost};
use crate::text::stems;

/// Places in a text with signs of disguised writing, by kind, in order, apart from each other.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Letters that read better from right to left.
    pub turned: Vec<Span>,
    /// Letters that follow each other less well than chance would have it: perhaps shifted.
    pub shifted: Vec<Span>,
    /// Letters that read better by ROT13.
    pub rotated: Vec<Span>,
    /// Digits or signs inside words.
    pub leet: Vec<Span>,
    /// Letters that stand alone.
    pub spaced: Vec<Span>,
    /// Words with punctuation inside.
    pub split: Vec<Span>,
    /// Punctuation and blanks alone: perhaps Morse code.
    pub bare: Vec<Span>,
    /// Runs of [`RUN_MIN`] and more characters that encoded bytes are written with.
    pub runs: Vec<Span>,
    /// Runs of [`RUN_MIN`] and more characters that bytes are written with as hexadecimal or other numbers, apart or not.
    pub numeric: Vec<Span>,
    /// Stems of other scripts than Latin from right to left.
    pub stems: Vec<Span>,
}

/// Characters of the shortest run that is noted.
pub(super) const RUN_MIN: usize = 16;

/// Bytes that are summed up together. A disguised stretch of twice as many holds one such block at least.
const BLOCK: usize = 16;
/// The bit of each field of a packed number that says "beyond the bound": of twelve bits for gains, seven for counts.
const OVER: [u64; 7] = [1 << 11, 1 << 23, 1 << 35, 1 << 42, 1 << 49, 1 << 56, 1 << 63];
/// The lowest bit of each field.
const SHIFTS: [u32; 7] = [0, 12, 24, 36, 43, 50, 57];
/// Added to a gain, so that no field goes below zero.
const BIAS: i32 = 40;

/// The sums that are too small by one to set their bit: what a kind needs in sixteen neighbours. In quarter bits for the
/// first three; the others count.
const BOUNDS: [u64; 7] = [8, 6, 8, 2, 21, 2, 16];

impl Signs {
    /// Looks through a text.
    pub(super) fn of(text: &str) -> Self {
        let mut signs = Self::default();
        let mut before = SPACE;
        let mut start = 0;
        let (blocks, rest) = text.as_bytes().as_chunks::<BLOCK>();
        for block in blocks {
            let sum = sum(block, &mut before);
            if sum & FLAGS != 0 {
                signs.note(sum, start);
            }
            start += BLOCK;
        }
        let mut last = [b' '; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let sum = sum(&last, &mut before);
        if sum & FLAGS != 0 {
            signs.note(sum, start);
        }
        signs.note_runs(text.as_bytes());
        signs.note_stems(text.as_bytes());
        signs
    }

    /// Notes the stems that stand from right to left, where there are letters of other scripts.
    fn note_stems(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<64>();
        let mut last = [0; 64];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for (number, block) in blocks.iter().chain([&last]).enumerate() {
            if !block.is_ascii() {
                self.note_stems_of(bytes, number * 64, block);
            }
        }
    }

    fn note_stems_of(&mut self, bytes: &[u8], start: usize, block: &[u8; 64]) {
        let mut done = self.stems.last().map_or(0, |last| last.end);
        // Letters of Greek, Cyrillic, Hebrew and Arabic may have become ASCII, so that a stem begins with one.
        let has_folded = bits(block, |byte| byte.wrapping_sub(0xCE) <= 0xDB - 0xCE) != 0;
        let mut places = bits(block, |byte| if has_folded { byte & 0xC0 != 0x80 } else { byte >= 0xE0 });
        while places != 0 {
            let at = start + places.trailing_zeros() as usize;
            places &= places - 1;
            let length = stems::TURNED.at(bytes, at);
            if length > 0 && at >= done {
                done = at + length;
                self.stems.push(Span::new(at, done));
            }
        }
    }

    /// Notes the runs of both kinds, sixty-four bytes at a time, a bit each.
    fn note_runs(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<64>();
        let (mut digits, mut numeric) = (0, 0);
        for (number, block) in blocks.iter().enumerate() {
            note_runs(&mut self.runs, &mut digits, bytes, (number * 64, bits(block, is_digit)), &DIGITS);
            note_runs(&mut self.numeric, &mut numeric, bytes, (number * 64, bits(block, is_numeric)), &NUMERIC);
        }
        // NUL is of no kind.
        let mut last = [0; 64];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let start = blocks.len() * 64;
        note_runs(&mut self.runs, &mut digits, bytes, (start, bits(&last, is_digit)), &DIGITS);
        note_runs(&mut self.numeric, &mut numeric, bytes, (start, bits(&last, is_numeric)), &NUMERIC);
    }

    #[cold]
    fn note(&mut self, sum: u64, start: usize) {
        let mut over = sum & FLAGS;
        while over != 0 {
            let places = match over & over.wrapping_neg() {
                TURNED_OVER => &mut self.turned,
                SHIFTED_OVER => &mut self.shifted,
                ROTATED_OVER => &mut self.rotated,
                LEET_OVER => &mut self.leet,
                SPACED_OVER => &mut self.spaced,
                SPLIT_OVER => &mut self.split,
                _ => &mut self.bare,
            };
            match places.last_mut() {
                Some(last) if last.end == start => last.end = start + BLOCK,
                _ => places.push(Span::new(start, start + BLOCK)),
            }
            over &= over - 1;
        }
    }
}

/// Notes the runs of a kind that end in a block or go on behind it. `before`: the bits of the block before, then of this one.
#[inline]
fn note_runs(runs: &mut Vec<Span>, before: &mut u64, bytes: &[u8], (start, ones): (usize, u64), kind: &[bool; 256]) {
    const BACK: u32 = RUN_MIN as u32 - 1;
    // Each bit is set when it is followed by fifteen more: the lowest one is fifteen bytes before the block.
    let mut begins = u128::from(ones) << BACK | u128::from(*before >> (u64::BITS - BACK));
    *before = ones;
    begins &= begins >> 1;
    begins &= begins >> 2;
    begins &= begins >> 4;
    begins &= begins >> 8;
    while begins != 0 {
        let done = note_run(runs, bytes, (start + begins.trailing_zeros() as usize).saturating_sub(RUN_MIN - 1), kind);
        let bit = u32::try_from(done + RUN_MIN - 1 - start).unwrap_or(u32::MAX);
        begins &= u128::MAX.checked_shl(bit).unwrap_or(0);
    }
}

/// Notes the run that holds the byte at `at`, if it is not noted yet; gives where the last run ends.
#[inline(never)]
fn note_run(runs: &mut Vec<Span>, bytes: &[u8], at: usize, kind: &[bool; 256]) -> usize {
    let is_one = |byte: &&u8| kind[usize::from(**byte)];
    let done = runs.last().map_or(0, |last| last.end);
    if at < done {
        return done;
    }
    let end = at + bytes.get(at..).unwrap_or_default().iter().take_while(is_one).count();
    let start = at - bytes.get(done..at).unwrap_or_default().iter().rev().take_while(is_one).count();
    runs.push(Span::new(start, end));
    end
}

/// A bit for each byte of a kind, the first one lowest. Without a branch, so that the compiler makes vector instructions of
/// it.
#[inline]
pub(super) fn bits(block: &[u8; 64], is_one: impl Fn(u8) -> bool) -> u64 {
    /// Brings the lowest bit of each byte together in the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut ones = [0; 64];
    for (one, byte) in ones.iter_mut().zip(block) {
        *one = u8::from(is_one(*byte));
    }
    let (eights, _) = ones.as_chunks::<8>();
    let mut bits = 0;
    for (number, eight) in eights.iter().enumerate() {
        bits |= (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (8 * number);
    }
    bits
}

/// True for what numbers in a row are written with: digits, those of base sixteen too, `0x`, and what may stand between two.
/// A few more characters lie in the same ranges and do no harm: the decodings look closer.
#[inline]
const fn is_numeric(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 6)
        | (byte.wrapping_sub(b',') <= b';' - b',')
        | (byte.wrapping_sub(b'\t') <= b'\r' - b'\t')
        | (byte == b' ')
        | (byte | 0x20 == b'x')
        | (byte == b'_')
        | (byte == b'|')
}

/// True for what base64 is written with, in both alphabets (RFC 4648 §4 and §5), and so for base32 as well.
#[inline]
pub(super) const fn is_digit(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'0') < 10)
        | (byte == b'+')
        | (byte == b'/')
        | (byte == b'-')
        | (byte == b'_')
}

/// The same by a table each: quicker for one byte.
static DIGITS: [bool; 256] = kind(true);
static NUMERIC: [bool; 256] = kind(false);

const fn kind(digits: bool) -> [bool; 256] {
    let mut ones = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        ones[byte] = if digits { is_digit(byte as u8) } else { is_numeric(byte as u8) };
        byte += 1;
    }
    ones
}

#[inline]
fn sum(block: &[u8; BLOCK], before: &mut u8) -> u64 {
    let mut sum = START;
    let mut last = *before;
    for byte in block {
        let class = CLASSES[usize::from(*byte)];
        let pair = usize::from(last) << 5 | usize::from(class);
        sum += PAIRS[pair & 0x3FF];
        last = class;
    }
    *before = last;
    sum
}

/// Classes of bytes: 1 to 26 are letters.
const SPACE: u8 = 0;
const OTHER_SCRIPT: u8 = 27;
const LEET_DIGIT: u8 = 28;
const LEET_SIGN: u8 = 29;
const JOINER: u8 = 30;
const PUNCTUATION: u8 = 31;

static CLASSES: [u8; 256] = classes();
static PAIRS: [u64; 1024] = packed_pairs();
const START: u64 = start();
const TURNED_OVER: u64 = OVER[0];
const SHIFTED_OVER: u64 = OVER[1];
const ROTATED_OVER: u64 = OVER[2];
const LEET_OVER: u64 = OVER[3];
const SPACED_OVER: u64 = OVER[4];
const SPLIT_OVER: u64 = OVER[5];
const FLAGS: u64 = OVER[0] | OVER[1] | OVER[2] | OVER[3] | OVER[4] | OVER[5] | OVER[6];

const fn classes() -> [u8; 256] {
    let mut classes = [PUNCTUATION; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'A'..=b'Z' | b'a'..=b'z' => byte as u8 & 31,
            0x80.. => OTHER_SCRIPT,
            b'0'..=b'9' => LEET_DIGIT,
            b'@' | b'$' | b'!' | b'|' | b'+' => LEET_SIGN,
            b'-' | b'_' | b'.' | b'*' | b'~' | b'^' | b'`' => JOINER,
            b'\t'..=b'\r' | b' ' => SPACE,
            _ => PUNCTUATION,
        };
        byte += 1;
    }
    classes
}

const fn gains(kind: usize) -> Gains {
    let mut gains = [0; 1024];
    let mut pair = 0;
    while pair < 1024 {
        let (a, b) = (pair >> 5, pair & 31);
        let gain = match kind {
            0 => turned_gain(a, b),
            1 => shifted_gain(a, b),
            _ => rotated_gain(a, b),
        };
        gains[pair] = gain as i8;
        pair += 1;
    }
    gains
}

/// The sum that a block begins with.
const fn start() -> u64 {
    let mut sum = 0;
    let mut kind = 0;
    while kind < BOUNDS.len() {
        let bias = if kind < 3 { (BIAS as u64) * BLOCK as u64 } else { 0 };
        sum += OVER[kind] - ((bias + BOUNDS[kind]) << SHIFTS[kind]);
        kind += 1;
    }
    sum
}

const fn packed_pairs() -> [u64; 1024] {
    let mut pairs = [0; 1024];
    let mut pair = 0;
    while pair < 1024 {
        let (a, b) = ((pair >> 5) as u8, (pair & 31) as u8);
        let values = [
            (turned_gain(a as usize, b as usize) + BIAS) as u64,
            (shifted_gain(a as usize, b as usize) + BIAS) as u64,
            (rotated_gain(a as usize, b as usize) + BIAS) as u64,
            leet_weight(a, b),
            edge_weight(a, b),
            split_weight(a, b),
            bare_weight(a, b),
        ];
        let mut kind = 0;
        while kind < values.len() {
            pairs[pair] |= values[kind] << SHIFTS[kind];
            kind += 1;
        }
        pair += 1;
    }
    pairs
}

/// What each pair of classes says, by both numbers, in quarter bits.
pub(super) type Gains = [i8; 1024];

/// For text that was written from right to left.
pub(super) static TURNED: Gains = gains(0);
/// For letters that are not what they were written as.
pub(super) static SHIFTED: Gains = gains(1);
/// For letters that ROT13 was applied to.
pub(super) static ROTATED: Gains = gains(2);

/// The gain of a pair of bytes.
#[inline]
pub(super) fn gain(gains: &Gains, a: u8, b: u8) -> i32 {
    let pair = usize::from(CLASSES[usize::from(a)]) << 5 | usize::from(CLASSES[usize::from(b)]);
    i32::from(gains[pair & 0x3FF])
}

/// What a pair of classes says for text that was written from right to left, in quarter bits: how much less it costs that
/// way than as it stands, or than chance.
const fn turned_gain(a: usize, b: usize) -> i32 {
    match foreign(a, b) {
        Some(gain) => gain,
        None => {
            let (a, b) = (word_class(a), word_class(b));
            let plain = cost(a, b);
            (if plain < RANDOM { plain } else { RANDOM }) - cost(b, a)
        }
    }
}

/// What a pair of classes says for letters that are not what they were written as: how much more it costs than chance.
const fn shifted_gain(a: usize, b: usize) -> i32 {
    match foreign(a, b) {
        Some(gain) => gain,
        None => cost(word_class(a), word_class(b)) - RANDOM,
    }
}

/// What a pair of classes says for ROT13: how much less it costs once undone than as it stands, or than chance.
const fn rotated_gain(a: usize, b: usize) -> i32 {
    match foreign(a, b) {
        Some(gain) => gain,
        None => {
            let (a, b) = (word_class(a), word_class(b));
            let plain = cost(a, b);
            (if plain < RANDOM { plain } else { RANDOM }) - cost(rotated(a), rotated(b))
        }
    }
}

const fn rotated(letter: usize) -> usize {
    if letter == 0 { 0 } else { (letter + 12) % 26 + 1 }
}

/// Pairs that say nothing of letters: a small loss, so that what lies far apart is not added up.
const fn foreign(a: usize, b: usize) -> Option<i32> {
    if a == OTHER_SCRIPT as usize || b == OTHER_SCRIPT as usize {
        Some(-12)
    } else if word_class(a) == 0 && word_class(b) == 0 {
        Some(-1)
    } else {
        None
    }
}

const fn word_class(class: usize) -> usize {
    if class > 26 { 0 } else { class }
}

const fn is_letter(class: u8) -> bool {
    matches!(class, 1..=26)
}

const fn leet_weight(a: u8, b: u8) -> u64 {
    let (first, second) = (matches!(a, LEET_DIGIT | LEET_SIGN), matches!(b, LEET_DIGIT | LEET_SIGN));
    ((is_letter(a) && second) || (first && is_letter(b))) as u64
}

/// Every edge of a word counts; more in scripts whose letters are of several bytes, and a little between wide gaps.
const fn edge_weight(a: u8, b: u8) -> u64 {
    let (first, second) = (is_letter(a), is_letter(b));
    match (a == OTHER_SCRIPT, b == OTHER_SCRIPT) {
        (true, true) => 0,
        (true, false) => 3 * !second as u64,
        (false, true) => 3 * !first as u64,
        (false, false) if first && second => 0,
        (false, false) if first || second => 2,
        (false, false) => 1,
    }
}

const fn bare_weight(a: u8, b: u8) -> u64 {
    (matches!(a, SPACE | LEET_SIGN | JOINER | PUNCTUATION) && matches!(b, SPACE | LEET_SIGN | JOINER | PUNCTUATION))
        as u64
}

/// A sign before a letter of another script counts alone: the letter may be one that folding has made Latin.
const fn split_weight(a: u8, b: u8) -> u64 {
    match (a, b) {
        (OTHER_SCRIPT, JOINER | LEET_SIGN) => 1,
        (JOINER | LEET_SIGN, OTHER_SCRIPT) => 2,
        (JOINER | LEET_SIGN, _) => is_letter(b) as u64,
        (_, JOINER | LEET_SIGN) => is_letter(a) as u64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
