//! How the words begin that attacks are made of, in other scripts than Latin: from left to right, and from right to left.

use std::sync::LazyLock;

use crate::base::Span;
use crate::text::canonical::canonical;

/// Some 600 stems of Russian, Ukrainian, Greek, Arabic, Persian, Hebrew, Hindi, Bengali, Chinese, Japanese, Korean and Thai, a
/// line each: what the rules of those languages look for. None is another one from right to left, nor a usual word so.
const STEMS: &str = include_str!("words_of_scripts.txt");

/// Bytes that a stem is looked up by. None is shorter in canonical form.
const WINDOW: usize = 6;
/// Bits of the number that a window is found by.
const SLOT_BITS: u32 = 16;

/// The stems as they stand.
pub(super) static PLAIN: LazyLock<Stems> = LazyLock::new(|| Stems::new(|stem| stem.to_owned()));
/// The stems from right to left.
pub(super) static TURNED: LazyLock<Stems> = LazyLock::new(|| Stems::new(|stem| stem.chars().rev().collect()));

/// Stems in canonical form, found by their first bytes.
#[derive(Debug)]
pub(super) struct Stems {
    /// A bit for each slot that some stem's window falls in. Most windows of ordinary text fall in none.
    slots: Box<[u64]>,
    /// By window; of several with one window the longest comes first. The list is fixed, so no text makes a look-up long.
    stems: Vec<(u64, Box<[u8]>)>,
}

impl Stems {
    fn new(spell: impl Fn(&str) -> String) -> Self {
        let mut slots = vec![0; 1 << (SLOT_BITS - u64::BITS.ilog2())].into_boxed_slice();
        let words = STEMS.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
        let mut stems: Vec<(u64, Box<[u8]>)> = words
            .map(|stem| {
                let stem = canonical(&spell(stem)).text.to_ascii_lowercase().into_bytes().into_boxed_slice();
                (window(&stem, 0), stem)
            })
            .collect();
        stems.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then(other.len().cmp(&one.len())));
        for (window, _) in &stems {
            let slot = slot(*window);
            if let Some(bits) = slots.get_mut(slot >> 6) {
                *bits |= 1 << (slot & 63);
            }
        }
        Self { slots, stems }
    }

    /// The bytes of the longest stem that begins at `at`, ASCII letters in either case; 0 where none does.
    #[inline]
    pub(super) fn at(&self, bytes: &[u8], at: usize) -> usize {
        let window = window(bytes, at);
        let slot = slot(window);
        if self.slots.get(slot >> 6).is_none_or(|bits| bits >> (slot & 63) & 1 == 0) {
            return 0;
        }
        self.longest(bytes.get(at..).unwrap_or_default(), window)
    }

    #[inline(never)]
    fn longest(&self, rest: &[u8], window: u64) -> usize {
        let first = self.stems.partition_point(|(other, _)| *other < window);
        let begin_so = self.stems.get(first..).unwrap_or_default().iter().take_while(|(other, _)| *other == window);
        let mut lengths = begin_so
            .filter(|(_, stem)| rest.get(..stem.len()).is_some_and(|head| head.eq_ignore_ascii_case(stem)))
            .map(|(_, stem)| stem.len());
        lengths.next().unwrap_or(0)
    }

    /// The stems in a part of a text, from left to right, none in another.
    pub(super) fn find(&self, bytes: &[u8], part: Span) -> Vec<Span> {
        let bytes = bytes.get(..part.end).unwrap_or(bytes);
        let mut found = Vec::new();
        let mut at = part.start;
        while at < bytes.len() {
            let length = self.at(bytes, at);
            if length > 0 {
                found.push(Span::new(at, at + length));
            }
            at += length.max(1);
        }
        found
    }
}

/// The bytes of a window as a number, ASCII letters in lower case. Beyond the end there are blanks, which no stem has.
#[inline]
fn window(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    let eight = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut eight = [0; 8];
        eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        eight
    });
    let bytes = u64::from_le_bytes(eight) & (u64::MAX >> (64 - 8 * WINDOW));
    let ascii = !bytes & 0x8080_8080_8080_8080;
    bytes | ascii >> 2
}

#[inline]
fn slot(window: u64) -> usize {
    (window.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOT_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn words() -> Vec<&'static str> {
        STEMS.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
    }

    #[test]
    fn every_stem_is_long_enough_and_there_once() {
        let words = words();
        let read: Vec<String> = words.iter().map(|word| canonical(word).text.to_lowercase()).collect();
        let is_short =
            |read: &&String| read.len() < WINDOW || !read.contains(is_word_alone) && read.chars().count() < 3;
        let short: Vec<&String> = read.iter().filter(is_short).collect();
        assert!(short.is_empty(), "{short:?}");
        let mut seen = HashSet::new();
        let twice: Vec<&String> = read.iter().filter(|word| !seen.insert(*word)).collect();
        assert!(words.len() > 500 && twice.is_empty(), "{} {twice:?}", words.len());
    }

    /// Han ideographs and Hangul syllables: two of them are a word.
    fn is_word_alone(c: char) -> bool {
        matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
    }

    #[test]
    fn every_stem_is_found_in_either_case_and_from_right_to_left() {
        for word in words() {
            let turned: String = word.chars().rev().collect();
            for (stems, word) in [(&*PLAIN, word), (&*TURNED, &turned)] {
                // Capitals of Greek are folded otherwise.
                let is_cyrillic = word.chars().any(|c| matches!(c, '\u{400}'..='\u{52F}'));
                let upper = if is_cyrillic { word.to_uppercase() } else { word.to_owned() };
                for word in [word.to_owned(), upper] {
                    let read = canonical(&word).text.into_owned();
                    let text = format!("«{read}»");
                    let found = stems.find(text.as_bytes(), Span::new(0, text.len()));
                    assert_eq!(found, [Span::new(2, 2 + read.len())], "{word}: {read}");
                }
            }
        }
    }

    /// But for one, which is longer than what it holds: where both are found, the longer one counts.
    #[test]
    fn no_stem_is_in_another_one_from_right_to_left() {
        let turned = |word: &&str| {
            let read = canonical(word).text.to_ascii_lowercase();
            !TURNED.find(read.as_bytes(), Span::new(0, read.len())).is_empty()
        };
        let found: Vec<&str> = words().into_iter().filter(turned).collect();
        assert_eq!(found, ["메시지"]);
    }

    #[test]
    fn of_the_letters_of_stems_one_alone_is_folded_to_two() {
        let letters: HashSet<char> = words().iter().flat_map(|word| word.chars()).collect();
        let two: Vec<char> =
            letters.into_iter().filter(|letter| canonical(&letter.to_string()).text.chars().count() > 1).collect();
        assert_eq!(two, ['ы']);
    }
}
